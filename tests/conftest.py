import gc
import importlib
import importlib.util
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kpalette.errors import OutputError
from kpalette.files import hold_lock
from kpalette.images.picture import resize
from kpalette.images.samples import sample_image
from kpalette.palettes.palette import Palette
from tests.processes import ROOT, environment, on_jax, untraced

__all__ = ["ROOT", "environment", "on_jax", "untraced"]
os.environ.setdefault("KPALETTE_KERNELS", "0")  # tests/kernels compares kernels with NumPy; all else tests NumPy
BACKENDS = ("numpy", "tensorflow", "tf.data", "jax", "jax.jit", "keras")


def load(package: str) -> Any:
    """Imports an optional package: the test is skipped where it is missing, unless the suite must run whole."""
    if os.environ.get("KPALETTE_REQUIRE_BACKENDS"):
        return importlib.import_module(package)
    return pytest.importorskip(package)


PROGRAMS = {
    "chromium": ("chromium", "chromium-browser", "google-chrome"),
    "exiftool": ("exiftool",),
    "ffmpeg": ("ffmpeg",),
    "imagemagick": ("magick", "convert"),
}
"""Other people's programs that tests run, and the names that each may have."""


def find_program(name: str) -> str | None:
    """The path of one of `PROGRAMS`, or None."""
    for found in filter(None, map(shutil.which, PROGRAMS[name])):
        # Windows has a `convert` of its own.
        if name != "imagemagick" or "ImageMagick" in _version(found):
            return found
    if name == "ffmpeg" and importlib.util.find_spec("imageio_ffmpeg"):
        return str(importlib.import_module("imageio_ffmpeg").get_ffmpeg_exe())
    return None


def _version(path: str) -> str:
    return subprocess.run([path, "-version"], capture_output=True, text=True).stdout


def program(name: str) -> str:
    """The path of one of `PROGRAMS`. Without it the test is skipped; in continuous integration (CI=true) it fails."""
    found = find_program(name)
    if found is None and os.environ.get("CI") == "true":
        pytest.fail(f"{name} is not installed")
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


@pytest.fixture(params=BACKENDS)
def run(request) -> Callable[..., np.ndarray]:
    """Calls a function on float32 arguments turned into one backend's arrays, and gives its result as NumPy."""
    return lambda function, *arrays: _run(request.param, function, [np.asarray(a, np.float32) for a in arrays])


def _run(backend: str, function: Callable[..., Any], arrays: list[np.ndarray]) -> np.ndarray:
    if backend == "numpy":
        return function(*arrays)
    if backend.startswith("jax"):
        jax = load("jax")
        call = jax.jit(function) if backend == "jax.jit" else function
        return np.asarray(call(*[jax.numpy.asarray(a) for a in arrays]))
    tf = load("tensorflow")
    if backend == "tensorflow":
        return function(*[tf.constant(a) for a in arrays]).numpy()
    if backend == "tf.data":
        dataset = tf.data.Dataset.from_tensors(tuple(arrays)).map(function)
        return next(iter(dataset)).numpy()
    keras = load("keras")
    inputs = [keras.Input(batch_shape=a.shape, dtype="float32") for a in arrays]
    outputs = function(*inputs)
    single = len(arrays) == 1
    return np.asarray(keras.Model(inputs[0] if single else inputs, outputs)(arrays[0] if single else arrays))


@pytest.fixture(scope="session")
def cube() -> np.ndarray:
    """The corners of the colour cube, its greys, and random colours: rgb (n, 3), float64."""
    corners = np.array([[r, g, b] for r in (0, 1) for g in (0, 1) for b in (0, 1)], float)
    greys = np.repeat(np.linspace(0, 1, 33)[:, None], 3, axis=1)
    return np.vstack([corners, greys, np.random.default_rng(0).random((500, 3))])


@pytest.fixture(scope="session")
def photo() -> np.ndarray:
    """A quarter-size photograph, uint8 (128, 128, 3)."""
    return resize(sample_image("astronaut"), longest=128)


def shared_folder(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A folder of this session's, not to be written to: what takes long is made once for all processes of pytest-xdist.

    Args:
        factory: of the session.
        name: of the folder.
        make: makes it, given its path.

    Returns:
        Its path.
    """
    place = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        place = place.parent
    done = place / f"{name}.done"
    with ExitStack() as held:
        while True:
            try:
                held.enter_context(hold_lock(place / f"{name}.lock", taken="another worker makes it"))
                break
            except OutputError:
                time.sleep(0.1)
        if not done.exists():
            shutil.rmtree(place / name, ignore_errors=True)
            make(place / name)
            done.touch()
    return place / name


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory) -> Path:
    """A checkpoint of an untrained PaletteNet of 4 filters, with its graph.onnx; not to be written to."""
    keras = load("keras")
    for package in ("tensorflow", "tf2onnx", "onnxruntime"):
        load(package)
    from kpalette.models.checkpoint import save_checkpoint
    from kpalette.models.generator import PaletteNet
    from kpalette.runtimes.graph import write_graph

    def make(folder: Path) -> None:
        keras.utils.set_random_seed(0)
        write_graph(save_checkpoint(PaletteNet(filters=4), folder))

    return shared_folder(tmp_path_factory, "tiny", make)


@pytest.fixture
def four() -> Palette:
    return Palette.parse("orange saddlebrown purple green")


def pytest_collection_finish() -> None:
    """Leaves what is imported by now out of garbage collection: Streamlit collects after every run of the page."""
    gc.collect()
    gc.freeze()
