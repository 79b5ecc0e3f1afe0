import io
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import kpalette.cli.app
from kpalette.data.builtin import paint
from kpalette.data.pairs import make_pair
from kpalette.train import command
from tests.conftest import load, shared_folder

load("keras")
from kpalette.training import loop  # noqa: E402
from kpalette.training.backup import write_backup  # noqa: E402

if load("keras").backend.backend() == "tensorflow":
    # As in the processes that tests start, or runs would not be the same to the digit.
    load("tensorflow").config.optimizer.set_experimental_options({"disable_meta_optimizer": True})

# In bfloat16, which TensorFlow takes on some CPUs, what is traced and what is not would differ in the third digit.
TINY = [
    "--filters", "4", "--crop", "16", "--batch-size", "4", "--steps-per-epoch", "3", "--previews", "2", "--precision",
    "float32",
]  # fmt: skip
PROGRAM = "python -m kpalette.train"


@pytest.fixture(scope="session")
def pictures(tmp_path_factory) -> Path:
    """A folder of eight small pictures."""

    def make(folder: Path) -> None:
        folder.mkdir()
        for number in range(8):
            small = cv2.resize(paint(number), (24, 24), interpolation=cv2.INTER_AREA)
            cv2.imwrite(str(folder / f"{number}.png"), np.ascontiguousarray(small[..., ::-1]))

    return shared_folder(tmp_path_factory, "pictures", make)


def start(arguments: list[str], environment: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "kpalette.train", *arguments], env=environment, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )  # fmt: skip


def run(arguments: list[str], environment: dict[str, str]) -> tuple[int, str, str]:
    """Runs the command to its end, in this process where that has the backend that the environment names."""
    if load("keras").backend.backend() != environment.get("KERAS_BACKEND"):
        return run_apart(arguments, environment)
    out, err = io.StringIO(), io.StringIO()
    code = 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", environment["XDG_CACHE_HOME"])
        patch.setattr(sys, "argv", [PROGRAM, *arguments])
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", err)
        try:
            kpalette.cli.app.run(command, name=PROGRAM)
        except SystemExit as stop:
            code = int(stop.code or 0)
    return code, out.getvalue(), err.getvalue()


def run_apart(arguments: list[str], environment: dict[str, str]) -> tuple[int, str, str]:
    """The same in a process of its own."""
    process = start(arguments, environment)
    output, errors = process.communicate()
    return process.returncode, output, errors


def pair_by_pair(dataset: Any, *, hue_rows: int, teach: bool, threads: int) -> Iterator[Any]:
    """What `pairs` of kpalette.data.pipeline gives, made as it is asked for: tf.data would trace it for seconds."""
    return (make_pair(batch, hue_rows=hue_rows, teach=teach) for batch in dataset)


@contextmanager
def run_eagerly() -> Iterator[None]:
    """TensorFlow's functions run as they stand: for a few steps, tracing them takes ten times as long."""
    if load("keras").backend.backend() != "tensorflow":
        yield
        return
    tf = load("tensorflow")
    from kpalette.training import tensorflow_step

    warnings.filterwarnings("ignore", message="Even though the `tf.config")
    tf.config.run_functions_eagerly(True)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(tensorflow_step, "pairs", pair_by_pair)
            yield
    finally:
        tf.config.run_functions_eagerly(False)


@pytest.fixture
def eagerly() -> Iterator[None]:
    with run_eagerly():
        yield


@contextmanager
def after_backups(action: Callable[[Path], object]) -> Iterator[None]:
    """Calls a function with the path of each backup that training writes in this process."""

    def write(folder: Path, *, epoch: int, **more: Any) -> None:
        write_backup(folder, epoch=epoch, **more)
        action(folder / f"epoch-{epoch:06d}.safetensors")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "write_backup", write)
        yield
