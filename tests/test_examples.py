"""The examples run as they stand, as a user would run them."""

import subprocess
import sys

import kpalette
from tests.conftest import ROOT, load
from tests.training.conftest import pictures  # noqa: F401

load("tensorflow")


def example(name, *arguments, environment):
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / name), *map(str, arguments)], env=environment, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]


def test_fine_tune_then_recolor(tmp_path, pictures, untraced, photo):  # noqa: F811
    options = ["--steps", 2, "--crop", 16, "--batch", 2, "--filters", 4]
    example("finetune.py", "new", pictures, tmp_path / "tuned", *options, environment=untraced)
    kpalette.write_image(tmp_path / "photo.png", photo)
    arguments = [tmp_path / "tuned", tmp_path / "photo.png", "orange brown purple green", tmp_path / "out.png"]
    example("recolor.py", *arguments, environment=untraced)
    assert kpalette.read_image(tmp_path / "out.png").rgb.shape == photo.shape
