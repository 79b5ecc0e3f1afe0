"""Searches from end to end, in processes of their own: kills, Ctrl-C, a chief and its workers, true trainings."""

import csv
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kpalette.errors import ArgumentError, ImageError, KPaletteError, OutputError
from kpalette.search.plan import PLAN
from kpalette.search.space import Dimension
from kpalette.training.config import TrainConfig
from tests.conftest import ROOT, load
from tests.search.stub import outcome
from tests.search.test_trial import alive

load("keras_tuner")
load("matplotlib")
from kpalette.search import session  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:currentThread", "ignore:getName")


def start(arguments: list[str], environment: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *arguments], env=environment, cwd=ROOT, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )  # fmt: skip


def stub(
    role: str, folder: Path, address: str, pictures: Path, environment: dict[str, str], *, gate: int = 1000
) -> subprocess.Popen[str]:
    arguments = ["-m", "tests.search.stub", role, str(folder), address, str(pictures), str(gate)]
    return start(arguments, environment)


def script(*arguments: str, environment: dict[str, str]) -> subprocess.Popen[str]:
    return start([str(ROOT / "tuning" / "search.py"), *map(str, arguments)], environment)


def until(happened: Callable[[], object], *processes: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 300
    while not happened():
        assert time.monotonic() < deadline
        for process in processes:
            assert process.poll() is None, process.communicate()[1]
        time.sleep(0.02)


def rows(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / "results.csv").open()))


def begun(folder: Path) -> list[str]:
    path = folder / "begun.txt"
    return path.read_text().split() if path.exists() else []


def children(process: subprocess.Popen[str]) -> list[str]:
    with open(f"/proc/{process.pid}/task/{process.pid}/children") as stream:
        return stream.read().split()


def free_address() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


def of_the_study(folder: Path) -> None:
    """All of the twelve, once."""
    found = [(row["lr"], row["bsize"], row["shuffle"]) for row in rows(folder)]
    assert len(found) == len(set(found)) == 12
    assert [row["status"] for row in rows(folder)] == ["done"] * 12
    best = json.loads((folder / "best.json").read_text())
    assert (best["learning_rate"], best["batch_size"], best["shuffle"]) == (0.0002, 8, False)


def test_a_chief_and_two_workers_one_of_which_is_killed(tmp_path, pictures, quick):
    address = free_address()
    chief = stub("chief", tmp_path, address, pictures, quick)
    one, two = (stub("worker", tmp_path, address, pictures, quick, gate=5) for _ in range(2))
    until(lambda: len(begun(tmp_path)) == 6, chief, one, two)
    # Both have a run in hand.
    two.kill()
    two.communicate()
    three = stub("worker", tmp_path, address, pictures, quick, gate=5)
    until(lambda: len(begun(tmp_path)) == 7, chief, one, three)
    (tmp_path / "go").touch()
    told = [process.communicate()[1] for process in (chief, one, three)]
    assert [process.returncode for process in (chief, one, three)] == [0, 0, 0], told
    of_the_study(tmp_path)
    # No run but the one that the killed worker had in hand is repeated.
    assert len(begun(tmp_path)) == 13
    assert "run 12 of 12: " in told[0]
    assert all(text.endswith("the search is done\n") for text in told[1:])


def test_a_search_that_is_killed_again_and_again(tmp_path, pictures, quick):
    for gate in (4, 8):
        process = stub("local", tmp_path, "-", pictures, quick, gate=gate)
        until(lambda gate=gate: len(begun(tmp_path)) == gate, process)
        process.kill()
        process.communicate()
    told, say = lines()
    session.search(tmp_path, {"data": str(pictures)}, run=outcome, say=say)
    assert "going on: 6 of 12 runs are done" in told
    of_the_study(tmp_path)
    # No run but the two that were in hand is repeated.
    assert len(begun(tmp_path)) == 14


TINY = ("--budget", "1", "--filters", "1", "--crop", "16")


def test_true_trainings_one_killed_and_one_diverged(pictures, tmp_path, only_tensorflow):
    folder, space = tmp_path / "search", tmp_path / "space.json"
    space.write_text(
        '{"learning_rate": [1e30, 0.001], "batch_size": [2], "shuffle": [false], "clip": 0, "ema": 0,'
        ' "schedule": "constant", "conditioning": "target"}'
    )
    arguments = ["--data", pictures, *TINY, "--space", space, "-o", folder]
    process = script(*arguments, environment=only_tensorflow)
    until(lambda: (folder / "runs" / "1-0" / "config.json").exists(), process)
    (child,) = children(process)
    process.kill()
    process.communicate()
    until(lambda: not alive(child))
    finished = (folder / "runs" / "0-0" / "output.txt").stat().st_mtime_ns
    process = script("-o", folder, environment=only_tensorflow)
    output, errors = process.communicate()
    assert process.returncode == 0, errors
    assert "going on: 1 of 2 runs are done" in errors
    assert (folder / "runs" / "0-0" / "output.txt").stat().st_mtime_ns == finished
    found = {row["run"]: row for row in rows(folder)}
    assert list(found) == ["0-0", "1-0"]
    assert [row["status"] for row in found.values()] == ["failed", "done"]
    assert found["0-0"]["reason"].startswith("diverged: `")
    assert found["0-0"]["loss"] == ""
    log = list(csv.DictReader((folder / "runs" / "1-0" / "log.csv").open()))
    assert float(found["1-0"]["mse"]) == float(log[-1]["val_mse"])
    assert len(output.splitlines()) == 4  # a table of two configurations
    assert output.splitlines()[2].startswith("| 0.001 | 2 | off |")
    best = TrainConfig.from_json(folder / "best.json")
    assert (best.learning_rate, best.batch_size, best.filters, best.clip, best.schedule) == (0.001, 2, 1, 0, "constant")
    assert (best.images, best.epochs, best.steps_per_epoch) == (str(pictures), 1, 1)


def test_ctrl_c_ends_the_run_and_says_how_to_go_on(pictures, tmp_path, environment):
    process = script("--data", pictures, *TINY, "-o", tmp_path / "search", environment=environment)
    until(lambda: (tmp_path / "search" / "runs" / "00-0" / "output.txt").exists() and children(process), process)
    child = children(process)[-1]
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    assert process.returncode == 130
    assert not alive(child)
    told = f"0 of 12 runs are done: the same command goes on, or --output {tmp_path / 'search'} alone"
    assert [line for line in errors.splitlines() if line][-2:] == [told, "kpalette: stopped"]


def lines() -> tuple[list[str], Callable[[str], None]]:
    found: list[str] = []
    return found, found.append


def test_a_search_that_is_done_is_read_only(tmp_path):
    told, say = lines()
    given = {"seeds": 2, "budget": 10}
    session.search(tmp_path, given, run=outcome, say=say)
    before = begun(tmp_path)
    assert len(before) == 24
    again = session.search(tmp_path, {}, run=outcome, say=say)
    assert begun(tmp_path) == before
    assert len(again.records) == 24
    assert "run 24 of 24: mse " in "\n".join(told)
    assert "note: the smallest batches see 8 of 65 pictures: give a larger --budget" not in told
    session.search(tmp_path / "short", {"budget": 1}, run=outcome, say=say)
    assert "note: the smallest batches see 8 of 65 pictures: give a larger --budget" in told
    with pytest.raises(ArgumentError, match="has budget 10, not 11: leave it out to go on"):
        session.search(tmp_path, {"budget": 11}, run=outcome, say=say)


def test_a_failed_run_is_no_end_and_no_score(tmp_path):
    space = (Dimension("learning_rate", (5.0, 0.1, 9.0)),)
    _, say = lines()
    report = session.search(tmp_path, {"space": space}, run=outcome, say=say)
    assert [row["status"] for row in rows(tmp_path)] == ["failed", "done", "failed"]
    state = json.loads((tmp_path / session.STATE).read_text())
    assert [trial["score"] for trial in state["trials"]] == [None, pytest.approx(0.1081), None]
    assert json.loads((tmp_path / "best.json").read_text())["learning_rate"] == 0.1
    assert "1 of 1: diverged" in report.table()


def test_values_that_no_run_can_have_together_are_a_failed_run(tmp_path):
    space = (Dimension("sharpen", (0.5, 0.0)), Dimension("conditioning", ("target", "pairs")))
    _, say = lines()
    session.search(tmp_path, {"space": space}, run=outcome, say=say)
    assert [row["status"] for row in rows(tmp_path)] == ["failed", "done", "done", "done"]
    assert rows(tmp_path)[0]["reason"].startswith("`sharpen` is for the choice among pairs")
    assert rows(tmp_path)[0]["bsize"] == "8"


def test_a_folder_in_use_or_that_cannot_be(tmp_path):
    fcntl = load("fcntl")
    _, say = lines()
    with (tmp_path / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(OutputError, match="another search runs in "):
            session.search(tmp_path, {}, run=outcome, say=say)
    with pytest.raises(OutputError, match="cannot make /dev/null/x: "):
        session.search(Path("/dev/null/x"), {}, run=outcome, say=say)


def test_a_search_that_cannot_begin_leaves_nothing(tmp_path):
    (tmp_path / "empty").mkdir()
    _, say = lines()
    space = (Dimension("palette_weight", (1.0, 20.0)),)
    start = {"phase": "adversarial", "start_from": str(tmp_path / "nowhere"), "space": space}
    with pytest.raises(KPaletteError, match="nowhere is no folder"):
        session.search(tmp_path / "new", start, run=outcome, say=say)
    assert not (tmp_path / "new").exists()
    with pytest.raises(ImageError, match="empty holds no pictures"):
        session.search(tmp_path / "new", {"data": str(tmp_path / "empty")}, run=outcome, say=say)
    assert not (tmp_path / "new").exists()
    shutil.rmtree(tmp_path / "empty")
    # What was wrong is not what the folder remembers.
    (tmp_path / "new").mkdir()
    with pytest.raises(ImageError):
        session.search(tmp_path / "new", {"data": str(tmp_path / "empty")}, run=outcome, say=say)
    assert not (tmp_path / "new" / PLAN).exists()


def test_phase_2_starts_from_the_phase_1_that_ships(tmp_path, pictures, monkeypatch):
    _, say = lines()
    space = (Dimension("palette_weight", (1.0, 20.0)),)
    started = []

    def run(config: TrainConfig):
        started.append(config.start_from)
        return outcome(config)

    given = {"phase": "adversarial", "space": space, "data": str(pictures)}
    session.search(tmp_path / "new", given, run=run, say=say)
    assert started == [None, None]  # which `train` takes for the checkpoint that ships
    monkeypatch.setattr(session, "shipped_start", lambda config: None)
    with pytest.raises(ArgumentError, match="no phase-1 checkpoint ships here for --phase adversarial: give"):
        session.search(tmp_path / "other", given, run=run, say=say)


def test_a_worker_whose_options_are_not_the_chiefs(tmp_path, pictures, quick):
    address = free_address()
    chief = stub("chief", tmp_path, address, pictures, quick)
    worker = script(
        "--role", "worker", "--chief", address, "--budget", "3", "-o", tmp_path / "w", environment={**quick}
    )
    _, errors = worker.communicate()
    assert worker.returncode == 1
    told = f"kpalette: error: the chief at {address} has budget 20, not 3: leave it out to go on, or "
    assert errors.splitlines()[-1].startswith(told)
    chief.send_signal(signal.SIGINT)
    _, errors = chief.communicate()
    assert "0 of 12 runs are done: the same command goes on" in errors


@pytest.fixture
def cli(environment):
    def call(*arguments: str) -> tuple[int, str]:
        process = script(*arguments, environment=environment)
        _, errors = process.communicate()
        assert "Traceback" not in errors
        return process.returncode, errors

    return call


def test_wrong_usage(tmp_path, cli, environment):
    space = tmp_path / "space.json"
    space.write_text('{"filters": 4}')
    code, errors = cli("--space", str(space))
    assert (code, errors) == (
        1,
        f"kpalette: error: {space} is not a space: it varies nothing: give an option a list of values or a range\n",
    )
    assert cli("--chief", "here:80")[0] == 2
    assert cli("--role", "chief", "--timeout", "9")[0] == 2
    assert cli("--into", str(tmp_path / "nowhere.md"))[0] == 1
    # Without KerasTuner: a package of that name that cannot be imported, found before the real one.
    blocked = tmp_path / "blocked" / "keras_tuner"
    blocked.mkdir(parents=True)
    (blocked / "__init__.py").write_text("raise ModuleNotFoundError('none', name='keras_tuner')")
    path = f"{blocked.parent}{os.pathsep}{environment['PYTHONPATH']}"
    process = script("-o", tmp_path / "new", environment={**environment, "PYTHONPATH": path})
    _, errors = process.communicate()
    assert errors == "kpalette: error: the search needs keras_tuner: pip install '.[tensorflow,tuning]'\n"
    assert not (tmp_path / "new").exists()
