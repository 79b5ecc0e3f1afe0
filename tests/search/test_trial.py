import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from kpalette.errors import KPaletteError, OutputError
from kpalette.search import trial
from kpalette.search.trial import finished, run_trial
from kpalette.training.config import CONFIG, TrainConfig
from kpalette.training.run import shipped_start
from tests.conftest import ROOT

HEADER = "epoch,val_mse,val_ab_error,val_ab_error_unrelated,val_ssim,val_palette_de_ab,val_richness,val_false_edges\n"


def config(tmp_path, **more) -> TrainConfig:
    return TrainConfig(run=str(tmp_path / "00-0"), epochs=1, steps_per_epoch=1, **more)


@pytest.fixture
def process(monkeypatch):
    """Replaces what a run's process does by a line of Python."""

    def replace(code: str) -> None:
        class Popen(subprocess.Popen):
            def __init__(self, command, **options):
                super().__init__([sys.executable, "-c", code], **options)

        monkeypatch.setattr(trial.subprocess, "Popen", Popen)

    return replace


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import os; os.kill(os.getpid(), 9)", "killed (SIGKILL): most likely out of memory"),
        ("raise MemoryError('Unable to allocate 9 GiB')", "out of memory: MemoryError: Unable to allocate 9 GiB"),
        ("print('so it is'); import os; os.abort()", "ended by SIGABRT: so it is"),
        ("raise ValueError('odd')", "ValueError: odd"),
        ("import sys; sys.exit('kpalette: error: `loss` became nan at epoch 1, step 3: lower --learning-rate, or')",
         "diverged: `loss` became nan at epoch 1, step 3"),
        ("import sys; sys.exit('kpalette: error: `val_mse` became -inf at epoch 2, step 3: lower')",
         "diverged: `val_mse` became -inf at epoch 2, step 3"),
        ("import sys; sys.exit(7)", "exit code 7"),
        ("pass", "it ended without figures that are numbers"),
    ],
)  # fmt: skip
def test_however_it_ends_the_run_has_failed_with_a_reason(tmp_path, process, code, reason):
    process(code)
    found = run_trial(config(tmp_path))
    assert (found.reason, found.figures) == (reason, {})
    assert "\n" not in found.reason


def test_what_is_none_of_the_runs_fault_ends_the_search(tmp_path, process):
    process("import sys; print('kpalette: error: cannot write x: No space left', file=sys.stderr); sys.exit(3)")
    with pytest.raises(KPaletteError, match="the search stops at 00-0: cannot write x: No space left"):
        run_trial(config(tmp_path))
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="file"):
        run_trial(TrainConfig(run=str(tmp_path / "file" / "00-0")))


def test_it_takes_too_long(tmp_path, process):
    process("import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)")
    trial_grace, trial._GRACE = trial._GRACE, 0.5
    try:
        start = time.monotonic()
        assert run_trial(config(tmp_path), timeout=1).reason == "took longer than 1 seconds"
        assert time.monotonic() - start < 30
    finally:
        trial._GRACE = trial_grace


def test_what_is_finished_is_read_and_not_run_again(tmp_path, process):
    process("raise SystemExit('it ran')")
    own = config(tmp_path)
    own.folder.mkdir()
    log = own.folder / "log.csv"
    assert finished(own) is None
    for row in ("0,.1,2,3,.9,5,1,0", "1,nan,2,3,.9,5,1,0", "1,.1,2", "one,.1,2,3,.9,5,1,0"):
        log.write_text(f"{HEADER}{row}\n")
        assert finished(own) is None
    assert run_trial(own).reason == "it ran"
    log.write_text(f"{HEADER}0,.2,2,3,.9,5,1,0\n1,.1,2,3,.9,5,1,0\n")
    assert run_trial(own).reason == "it ran"  # of which options such figures would be, nobody knows
    (own.folder / CONFIG).write_text(own.to_json())
    found = run_trial(own)
    assert (found.figures["mse"], found.figures["palette_de_ab"], found.fresh) == (0.1, 5.0, False)


def test_the_run_of_another_search_is_not_taken_for_ones_own(tmp_path, process):
    process("raise SystemExit('it ran')")
    own = config(tmp_path)
    own.folder.mkdir()
    (own.folder / CONFIG).write_text(own.to_json())
    for other in (config(tmp_path, learning_rate=0.3), config(tmp_path, images="elsewhere")):
        with pytest.raises(OutputError, match="00-0 holds a run of another search: move it away, or give another"):
            run_trial(other)
    assert run_trial(own).reason == "it ran"
    # What a run starts from is written as the checkpoint in it, and decides the network.
    start = tmp_path / "one"
    (start / "best").mkdir(parents=True)
    asked = config(tmp_path, phase="adversarial", start_from=str(start))
    held = replace(asked, start_from=str(start / "best"), filters=3, conditioning="target", sharpen=0.0)
    (own.folder / CONFIG).write_text(held.to_json())
    assert run_trial(asked).reason == "it ran"
    with pytest.raises(OutputError, match="another search"):
        run_trial(replace(asked, start_from="palettenet"))
    # Unless another start is given, phase 2 starts from the phase 1 that ships.
    asked = config(tmp_path, phase="adversarial")
    (own.folder / CONFIG).write_text(replace(asked, start_from=shipped_start(asked)).to_json())
    assert run_trial(asked).reason == "it ran"


def test_the_process_ends_with_its_parent(tmp_path, environment):
    code = f"""
import sys, time
from kpalette.search import trial
from kpalette.training.config import TrainConfig
trial.run_trial(TrainConfig(run={str(tmp_path / "00-0")!r}, epochs=1000, steps_per_epoch=1000))
"""
    parent = subprocess.Popen([sys.executable, "-c", code], env=environment, cwd=ROOT)
    children = f"/proc/{parent.pid}/task/{parent.pid}/children"
    deadline = time.monotonic() + 120
    child = ""
    while not child:
        assert time.monotonic() < deadline
        time.sleep(0.05)
        with open(children) as stream:
            child = stream.read().strip()
    time.sleep(0.5)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    while alive(child):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def alive(pid: str) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stream:
            return stream.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
