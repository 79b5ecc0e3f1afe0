"""Examples in docstrings: each one runs, and every public name and class of a finished room has one."""

import doctest
import importlib
import importlib.util
import inspect
import logging

import numpy as np
import pytest

import kpalette
from tests.test_house import MODULES, room_of

# The rooms whose public names and classes all have an example. It grows until it holds every room.
DONE = (
    "ground",
    "color",
    "images",
    "weights",
    "palettes",
    "metrics",
    "report",
    "recolorers",
    "study",
    "batch",
    "cli",
    "models",
    "data",
    "runtimes",
    "training",
    "search",
)

NEEDS = {
    "models": "keras",
    "data": "keras",
    "runtimes": "onnxruntime",
    "training": "keras",
    "search": "keras_tuner",
    "page": "streamlit",
}
"""The package that a room needs, where that is none of those that kpalette always installs."""

OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def imported(name):
    """A module of kpalette; the test is skipped where the package that its room needs is missing."""
    package = NEEDS.get(room_of(name))
    if package is not None and importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    return importlib.import_module(f"kpalette.{name}" if name else "kpalette")


def public_classes(module):
    own = [(name, value) for name, value in vars(module).items() if inspect.isclass(value)]
    return [(name, value) for name, value in own if value.__module__ == module.__name__ and not name.startswith("_")]


def has_example(value):
    text = inspect.getdoc(value) or ""
    return "\nExample:\n" in text and ">>> " in text.split("\nExample:\n")[1]


@pytest.fixture
def folder(tmp_path, photo, monkeypatch):
    """The working folder of the examples: it holds a picture."""
    kpalette.write_image(tmp_path / "photo.jpg", photo)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KPALETTE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(logging.getLogger("kpalette"), "handlers", [logging.NullHandler()])
    return tmp_path


@pytest.mark.parametrize("name", sorted(MODULES))
def test_examples_in_docstrings_run(name, folder):
    module = imported(name)
    runner = doctest.DocTestRunner(optionflags=OPTIONS)
    # Beside the names of its module, an example may use these two without importing them.
    for test in doctest.DocTestFinder(exclude_empty=True).find(module, extraglobs={"kpalette": kpalette, "np": np}):
        report = []
        runner.run(test, out=report.append)
        assert not runner.failures, "".join(report)


@pytest.mark.parametrize("name", sorted(name for name in MODULES if room_of(name) in DONE))
def test_every_public_class_has_an_example(name):
    missing = [name for name, value in public_classes(imported(name)) if not has_example(value)]
    assert not missing


@pytest.mark.parametrize("name", sorted(kpalette.__all__))
def test_every_public_name_has_an_example(name):
    home = kpalette._HOME[name]
    if room_of(home) not in DONE:
        pytest.skip(f"room {room_of(home)} is not done")
    value = getattr(imported(home), name)
    assert not callable(value) or has_example(value)
