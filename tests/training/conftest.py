import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from kpalette.data.builtin import paint
from tests.conftest import ROOT

TINY = ["--filters", "4", "--crop", "16", "--batch-size", "4", "--steps-per-epoch", "3", "--previews", "2"]


@pytest.fixture(scope="session")
def pictures(tmp_path_factory) -> Path:
    """A folder of eight small pictures."""
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(8):
        small = cv2.resize(paint(number), (24, 24), interpolation=cv2.INTER_AREA)
        cv2.imwrite(str(folder / f"{number}.png"), np.ascontiguousarray(small[..., ::-1]))
    return folder


@pytest.fixture(scope="session")
def environment(tmp_path_factory) -> dict[str, str]:
    """For processes of their own: whatever backend the suite runs on, a cache of their own."""
    return {
        **os.environ, "PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(tmp_path_factory.mktemp("cache")),
        "TF_CPP_MIN_LOG_LEVEL": "3", "JAX_PLATFORMS": "cpu", "KERAS_BACKEND": "tensorflow",
    }  # fmt: skip


def start(arguments: list[str], environment: dict[str, str], **more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "kpalette.train", *arguments], env={**environment, **more}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def run(arguments: list[str], environment: dict[str, str], **more: str) -> tuple[int, str, str]:
    process = start(arguments, environment, **more)
    output, errors = process.communicate()
    return process.returncode, output, errors
