"""The four commands that kpalette is for, as they are typed in a clone, each to its first results."""

import csv
import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from kpalette.training.run import SHIPPED_START
from kpalette.weights.presets import list_checkpoints
from tests.conftest import load
from tests.processes import ROOT, own_environment

PATIENCE = 600  # seconds, on a busy machine


@pytest.fixture(scope="module")
def environment(tmp_path_factory) -> dict[str, str]:
    """All packages that are installed, but for some that nothing here needs; no backend is named."""
    found = own_environment(tmp_path_factory.mktemp("environment"), "pandas", "sklearn")
    return {name: value for name, value in found.items() if name != "KERAS_BACKEND"}


@pytest.fixture
def clone(tmp_path) -> Path:
    """A folder with the files of the clone that commands name, and no results of earlier runs."""
    for name in ("kpalette", "checkpoints", "tuning", "streamlit_app.py", "pyproject.toml"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


def start(clone, environment, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, *arguments], cwd=clone, env=environment, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )  # fmt: skip


def lines_until(process: "subprocess.Popen[str]", beginning: str) -> list[str]:
    """What a process says up to a line with this beginning; then it is stopped."""
    lines: list[str] = []
    deadline = time.monotonic() + PATIENCE
    try:
        for line in process.stderr:
            if not line.startswith("palettes of "):  # says every ten seconds how far extraction is
                lines.append(line.rstrip("\n"))
            if line.startswith(beginning):
                return lines
            assert time.monotonic() < deadline, lines
        pytest.fail(f"it ended before a line {beginning!r}: {lines}")
    finally:
        stop(process)


def stop(process: "subprocess.Popen[str]") -> str:
    """Ends a process; returns what else it said."""
    process.terminate()
    try:
        return process.communicate(timeout=60)[1]
    except subprocess.TimeoutExpired:
        process.kill()
        return process.communicate()[1]


def finished(process: "subprocess.Popen[str]") -> tuple[str, str]:
    output, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors
    return output, errors


@pytest.mark.skipif(SHIPPED_START not in list_checkpoints(), reason="the weights are not there")
def test_train_the_adversarial_phase(clone, environment):
    load("keras")
    lines = lines_until(start(clone, environment, "-m", "kpalette.train", "--phase", "adversarial"), "epoch 0: ")
    assert lines[0] == "65 and 3 pictures for training and selection, 0 skipped"
    assert lines[1].startswith("phase 2 starts from the phase-1 checkpoint that ships, ")
    assert len(lines) == 3
    assert (clone / "runs" / "adversarial" / "best" / "weights.safetensors").is_file()


@pytest.mark.parametrize(("more", "folders"), [((), 1), (("--filters", "2"), 2)])
def test_train_the_adversarial_phase_to_its_end(clone, environment, more, folders):
    load("keras")
    if not more and SHIPPED_START not in list_checkpoints():
        pytest.skip("the weights are not there")
    size = "--limit 4 --crop 16 --batch-size 2 --steps-per-epoch 1 --epochs 1 --previews 1".split()
    if more:  # the other one traces
        environment = {**environment, "TESTS_RUN_EAGERLY": "1"}
    output, _ = finished(start(clone, environment, "-m", "kpalette.train", "--phase", "adversarial", *size, *more))
    assert output == "runs/adversarial/best\n"
    found = sorted(str(path.parent.relative_to(clone)) for path in clone.glob("runs/**/log.csv"))
    assert found == ["runs/adversarial", "runs/adversarial/pretrain"][:folders]


def test_search(clone, environment):
    load("keras_tuner")
    load("matplotlib")
    lines = lines_until(start(clone, environment, "tuning/search.py"), "run 2 of 12: ")
    assert lines[:2] == [
        "65 and 3 pictures for training and selection, 0 skipped",
        "run 1 of 12: lr 0.01, batch 8, shuffle on, seed 0",
    ]
    assert lines[2].startswith("run 1 of 12: mse ")
    (row,) = csv.DictReader((clone / "runs" / "search" / "results.csv").open())
    assert row["status"] == "done"
    assert float(row["loss"]) > 0


def test_page(clone, environment):
    load("streamlit")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = [f"--server.port={port}", "--server.headless=true", "--server.address=127.0.0.1"]
    process = start(clone, environment, "-m", "streamlit", "run", "streamlit_app.py", *options)
    try:
        assert answer(f"http://127.0.0.1:{port}/_stcore/health", process) == "ok"
        assert "<title>" in answer(f"http://127.0.0.1:{port}/", process)
    finally:
        errors = stop(process)
    assert "Traceback" not in errors


def answer(url: str, process: "subprocess.Popen[str]") -> str:
    deadline = time.monotonic() + PATIENCE
    while True:
        assert process.poll() is None, process.communicate()[1]
        try:
            with urllib.request.urlopen(url, timeout=10) as response:
                return response.read().decode()
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.2)


def test_page_draws(clone):
    load("streamlit")
    from streamlit.testing.v1 import AppTest

    page = AppTest.from_file(str(clone / "streamlit_app.py"), default_timeout=PATIENCE).run()
    assert not page.exception
    assert page.main.children


def test_keras_script(clone, environment):
    load("tensorflow")
    (clone / "script.py").write_text(
        "import keras\n"
        "import kpalette\n"
        "model = kpalette.PaletteNet(filters=2)\n"
        "model.compile(optimizer=keras.optimizers.Adam(1e-3), loss='mse')\n"
        "history = model.fit(kpalette.hue_pairs(None, batch_size=2, crop=16), steps_per_epoch=1, epochs=1, verbose=0)\n"
        "print(kpalette.save_checkpoint(model, 'mine'), len(history.history['loss']))\n"
    )
    output, _ = finished(start(clone, {**environment, "TESTS_RUN_EAGERLY": "1"}, "script.py"))
    assert output == "mine 1\n"


def test_the_search_finds_the_clone_that_it_lies_in():
    """With the requirements alone: kpalette itself is installed nowhere, neither here nor for the runs."""
    code = (
        "import os, runpy, sys\n"
        "sys.meta_path[:] = [finder for finder in sys.meta_path if 'editable' not in str(finder).lower()]\n"
        "sys.path[:] = [place for place in sys.path if place and not os.path.isdir(os.path.join(place, 'kpalette'))]\n"
        f"sys.argv = [{str(ROOT / 'tuning/search.py')!r}, '-h']\n"
        "try:\n    runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "finally:\n    print(os.environ['PYTHONPATH'])"
    )
    bare = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run([sys.executable, "-c", code], cwd="/", env=bare, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "--budget" in done.stdout
    assert done.stdout.splitlines()[-1] == str(ROOT)
