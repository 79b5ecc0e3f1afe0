"""Backends that are missing, or that the networks do not run on: one line each time."""

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT, load

load("keras")


@pytest.fixture
def without(tmp_path):
    """Runs Python as if packages were not installed; returns what it prints, and its last line on standard error."""

    def run(packages: list[str], *arguments: str, **more: str) -> tuple[str, str]:
        # Keras imports pandas and scikit-learn where they are, which takes as long as all the rest.
        hidden = "".join(f"sys.modules[{name!r}] = None; " for name in (*packages, "pandas", "sklearn"))
        (tmp_path / "sitecustomize.py").write_text(f"import sys; {hidden}")
        own = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"}
        path = os.pathsep.join((str(tmp_path), str(ROOT)))
        done = subprocess.run(
            [sys.executable, *arguments], cwd=tmp_path, env={**own, "PYTHONPATH": path, **more}, text=True,
            capture_output=True, check=False,
        )  # fmt: skip
        return done.stdout, (done.stderr.splitlines() or [""])[-1]

    return run


NET = "import kpalette; kpalette.PaletteNet(filters=1); import keras; print(keras.backend.backend())"
NEEDED = "Keras or its backend is not installed: pip install 'kpalette[tensorflow]', or 'kpalette[jax]' and "


def test_jax_is_taken_where_tensorflow_is_missing(without):
    load("jax")
    assert without(["tensorflow"], "-c", NET)[0] == "jax\n"


def test_no_backend_at_all(without):
    assert NEEDED in without(["tensorflow", "jax"], "-c", NET)[1]
    line = without(["tensorflow", "jax"], "-m", "kpalette.train", "--limit", "4")[1]
    assert line.startswith(f"kpalette: error: {NEEDED}KERAS_BACKEND=jax")


def test_the_search_says_what_is_missing(without):
    search = str(ROOT / "tuning" / "search.py")
    for missing in ("keras_tuner", "six"):
        line = without([missing], search, "--images", "4")[1]
        assert line == f"kpalette: error: the search needs {missing}: pip install '.[tensorflow,tuning]'"


def test_a_search_stops_at_the_first_run_without_a_backend(without):
    load("keras_tuner")
    load("matplotlib")
    load("jax")
    search = str(ROOT / "tuning" / "search.py")
    line = without([], search, "--images", "4", "--crop", "16", KERAS_BACKEND="torch")[1]
    assert line.startswith("kpalette: error: the search stops at 00-0: kpalette's networks do not run on PyTorch")


@pytest.mark.parametrize("code", ["PaletteNet(filters=1)", "PaletteDiscriminator(filters=1)"])
def test_pytorch_is_refused(without, code):
    line = without([], "-c", f"import kpalette; kpalette.{code}", KERAS_BACKEND="torch")[1]
    assert line.endswith("kpalette's networks do not run on PyTorch: set KERAS_BACKEND to tensorflow or jax")
    assert not without([], "-c", "import kpalette; kpalette.read_image", KERAS_BACKEND="torch")[1]
