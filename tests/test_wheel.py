"""A wheel of the clone, installed elsewhere, finds the presets that ship in it."""

import importlib.metadata
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import ROOT, load
from tests.processes import leave_out

load("keras")
from kpalette.models.checkpoint import save_checkpoint  # noqa: E402
from kpalette.models.generator import PaletteNet  # noqa: E402

REQUIRED = os.environ.get("KPALETTE_REQUIRE_BACKENDS")
FILES = ("config.json", "metrics.json", "MODEL.md", "weights.safetensors")

# License expressions as pyproject.toml has them came with 77; the test extra brings it.
pytestmark = pytest.mark.skipif(
    not REQUIRED and int(importlib.metadata.version("setuptools").split(".")[0]) < 77, reason="needs setuptools >= 77"
)


def python(*arguments: str, cwd: Path, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=cwd, capture_output=True, text=True, env={**os.environ, **environment}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def copy_clone(folder: Path, *, checkpoints: bool = True) -> Path:
    """What a build needs of the clone, without the presets that it has."""
    shutil.copytree(ROOT / "kpalette", folder / "kpalette", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    if checkpoints:
        (folder / "checkpoints").mkdir()
        shutil.copy(ROOT / "checkpoints" / "README.md", folder / "checkpoints")
    return folder


def build(source: Path, into: Path) -> Path:
    options = ("--no-deps", "--no-build-isolation", "--disable-pip-version-check")
    python("-m", "pip", "wheel", *options, "-w", str(into), str(source), cwd=into.parent)
    (wheel,) = into.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Path:
    folder = copy_clone(tmp_path_factory.mktemp("clone"))
    save_checkpoint(PaletteNet(filters=4), folder / "checkpoints/ablated", metrics={"ssim": 0.5})
    (folder / "checkpoints/.hidden").mkdir()
    shutil.copy(folder / "checkpoints/ablated/config.json", folder / "checkpoints/.hidden")
    (folder / "checkpoints/no_checkpoint").mkdir()
    (folder / "checkpoints/no_checkpoint/notes.txt").write_text("not to ship")
    return folder


@pytest.fixture(scope="module")
def wheel(clone, tmp_path_factory) -> Path:
    return build(clone, tmp_path_factory.mktemp("out") / "wheel")


def test_wheel_holds_the_presets_and_nothing_else_of_checkpoints(wheel):
    names = {name for name in zipfile.ZipFile(wheel).namelist() if "checkpoints" in name}
    assert names == {f"kpalette/checkpoints/ablated/{name}" for name in FILES}


def test_sdist_holds_what_its_wheel_needs(clone, wheel, tmp_path):
    code = f"from setuptools import build_meta; build_meta.build_sdist({str(tmp_path)!r})"
    python("-c", code, cwd=clone)
    (archive,) = tmp_path.glob("*.tar.gz")
    again = build(archive, tmp_path / "wheel")
    assert sorted(zipfile.ZipFile(again).namelist()) == sorted(zipfile.ZipFile(wheel).namelist())


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("installed")
    options = ("--no-deps", "--no-compile", "--disable-pip-version-check")
    python("-m", "pip", "install", *options, "--target", str(folder), str(wheel), cwd=folder)
    return folder


def run_installed(code: str, installed: Path, folder: Path) -> str:
    """Runs code outside the clone, and sees to it that it is not the clone's."""
    check = f"import kpalette; assert kpalette.__file__.startswith({str(installed)!r}), kpalette.__file__\n"
    leave_out(folder / "lean", "matplotlib", "pandas", "sklearn")
    places = [str(installed), str(folder / "lean"), *filter(None, [os.environ.get("PYTHONPATH")])]
    return python("-c", check + code, cwd=folder, PYTHONPATH=os.pathsep.join(places))


def test_installed_package_finds_its_presets_outside_the_clone(installed, tmp_path):
    code = (
        "import sys\n"
        "from kpalette.weights import folder, presets\n"
        "checkpoint = folder.read_checkpoint('ablated')\n"
        f"assert str(checkpoint.folder).startswith({str(installed)!r}), checkpoint.folder\n"
        "assert not {'keras', 'tensorflow', 'jax'} & set(sys.modules)\n"
        "print(*presets.list_checkpoints(), checkpoint.metrics['ssim'], checkpoint.config['kpalette'])"
    )
    said = run_installed(code, installed, tmp_path)
    assert said.split() == ["ablated", "0.5", importlib.metadata.version("kpalette")]


def test_installed_package_builds_the_model(installed, tmp_path):
    code = (
        "from kpalette.models.checkpoint import load_checkpoint\n"
        "model = load_checkpoint('ablated')\nprint(type(model).__name__, model.filters)"
    )
    assert run_installed(code, installed, tmp_path).split() == ["PaletteNet", "4"]


@pytest.mark.parametrize("checkpoints", [True, False], ids=["empty", "absent"])
def test_a_clone_without_presets_builds(tmp_path, checkpoints):
    (tmp_path / "clone").mkdir()
    wheel = build(copy_clone(tmp_path / "clone", checkpoints=checkpoints), tmp_path / "wheel")
    assert not [name for name in zipfile.ZipFile(wheel).namelist() if "checkpoints" in name]
