"""Recolorers of other packages: examples/recolorer_plugin as if it were installed, and entry points that are broken."""

import os
import re
import subprocess
import sys
import tomllib

import numpy as np
import pytest

from kpalette import read_image, write_image
from tests.conftest import ROOT

PLUGIN = ROOT / "examples" / "recolorer_plugin"
CHOSEN = "kpalette: note: x.png: lightness N, chosen for this picture\n"


def without_number(printed: str) -> str:
    return re.sub(r"lightness [\d.]+", "lightness N", printed)


def install(folder, name: str, entry_points: dict[str, str]) -> None:
    """Makes the metadata of an installed package that has entry points."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = "".join(f"{key} = {value}\n" for key, value in entry_points.items())
    (info / "entry_points.txt").write_text(f"[kpalette.recolorers]\n{lines}")


@pytest.fixture
def kpalette(tmp_path, photo):
    """Runs the command line where the example is installed, in a folder with a picture."""
    write_image(tmp_path / "x.png", photo)
    site = tmp_path / "site"
    site.mkdir()
    project = tomllib.loads((PLUGIN / "pyproject.toml").read_text())["project"]
    install(site, "kpalette_posterize", project["entry-points"]["kpalette.recolorers"])

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join(map(str, (site, PLUGIN, ROOT)))
        return subprocess.run(
            [sys.executable, "-m", "kpalette", *arguments], cwd=tmp_path, env={**os.environ, "PYTHONPATH": path},
            capture_output=True, text=True,
        )  # fmt: skip

    return run


def test_the_example_is_a_recolorer_once_it_is_installed(kpalette, tmp_path):
    done = kpalette("recolor", "x.png", "-p", "red blue", "-m", "posterize")
    assert (done.returncode, without_number(done.stderr)) == (
        0,
        f"{CHOSEN}wrote x.recolored.png\n",
    )
    colors = np.unique(read_image(tmp_path / "x.recolored.png").rgb.reshape(-1, 3), axis=0)
    assert colors.tolist() == [[0, 0, 255], [255, 0, 0]]
    assert "posterize               posterizing: the nearest target colour in CIELAB" in kpalette("info").stdout
    assert "'posterize' is not one of 'soft'" in kpalette("lut", "x.png", "-p", "red blue", "-m", "posterize").stderr
    rows = kpalette("compare", "x.png", "-p", "red blue", "--longest", "32").stdout.splitlines()
    assert rows[-1].split()[0] == "posterize"


@pytest.mark.parametrize(
    ("entry_point", "reason"),
    [
        ("no_such_module:ENTRY", "No module named 'no_such_module'"),
        ("kpalette_posterize:PosterizeRecolorer", "kpalette_posterize:PosterizeRecolorer is not a RecolorerEntry"),
        ("kpalette_posterize:ENTRY", "there already is a recolorer 'posterize'"),
    ],
)
def test_a_broken_entry_point_is_left_out_with_a_note(kpalette, tmp_path, entry_point, reason):
    install(tmp_path / "site", "broken", {"z-broken": entry_point})
    done = kpalette("recolor", "x.png", "-p", "red blue", "-m", "posterize")
    note = f"kpalette: note: left out the recolorer z-broken: {reason}\n"
    assert (done.returncode, without_number(done.stderr)) == (
        0,
        f"{note}{CHOSEN}wrote x.recolored.png\n",
    )
    assert kpalette("recolor", "x.png", "-p", "red blue", "-m", "soft", "--force").returncode == 0
    assert "z-broken" not in kpalette("info").stdout


def test_a_batch_prints_the_note_once(kpalette, tmp_path, photo):
    install(tmp_path / "site", "broken", {"broken": "no_such_module:ENTRY"})
    (tmp_path / "in").mkdir()
    for number in range(8):
        write_image(tmp_path / f"in/{number}.png", photo[: 40 + number])
    done = kpalette("recolor", "in", "-p", "red blue", "-m", "posterize", "-o", "out", "-j", "2")
    assert done.returncode == 0
    assert done.stderr.count("left out the recolorer broken") == 1
