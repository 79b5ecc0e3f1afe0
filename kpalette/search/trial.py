"""One run of a search, in a process of its own: what it trains, how it ended, and why."""

import csv
import math
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

from kpalette.errors import KPaletteError, OutputError, one_line, reason
from kpalette.files import LOCK, hold_lock
from kpalette.search.process import NOT_THE_RUNS
from kpalette.search.records import FIGURES
from kpalette.search.space import OF_THE_START
from kpalette.training.config import CONFIG, TrainConfig
from kpalette.training.run import FREE, read_config, shipped_start, start_of

TALK = "talk.txt"
"""What a run says, in its folder."""

_PATIENCE = 20.0  # seconds for the process of a killed search to let go of its run
_GRACE = 5.0  # seconds to end after being asked to
_PREFIX = "kpalette: error: "
_DIVERGED = re.compile(r"`\w+` became (nan|-?inf)\b")
_OUT_OF_MEMORY = re.compile(r"ResourceExhausted|RESOURCE_EXHAUSTED|MemoryError|OOM when allocating|std::bad_alloc")


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        figures: by `FIGURES`; none where it failed.
        reason: why it failed; empty where it did not.
        seconds: that it took.
        fresh: whether it trained just now, and was not found finished.
    """

    figures: dict[str, float] = field(default_factory=dict)
    reason: str = ""
    seconds: float = 0.0
    fresh: bool = True


Runner = Callable[[TrainConfig], Outcome]
"""Trains a run, as `run_trial` does: the seam at which tests of many machines put something quicker."""


def run_trial(
    config: TrainConfig, *, timeout: float | None = None, environment: Mapping[str, str] | None = None
) -> Outcome:
    """Trains a run in a process of its own, or goes on with it; one that is finished is read only.

    Args:
        config: of the run.
        timeout: seconds after which it has failed; never if None.
        environment: of the process, this one's if None.

    Returns:
        How it ended. Whatever happens to the process is a failed run and its reason.

    Raises:
        KPaletteError: if the cause is none of the run's: pictures that are gone, a folder that cannot be written or
            holds the run of another search.
    """
    figures = finished(config) if _begun(config) else None
    if figures is not None:
        return Outcome(figures, fresh=False)
    start = time.monotonic()
    try:
        config.folder.mkdir(parents=True, exist_ok=True)
        with (config.folder / TALK).open("wb") as talk:
            _wait_for(config.folder / LOCK)
            code = _process(config, talk.fileno(), timeout, environment)
    except OSError as error:
        raise OutputError(f"cannot write to {config.folder}: {reason(error)}") from None
    seconds = time.monotonic() - start
    why = _why(code, config.folder / TALK, timeout)
    if code == NOT_THE_RUNS:
        raise KPaletteError(f"the search stops at {config.folder.name}: {why}")
    figures = finished(config)
    if not why and figures is None:
        why = "it ended without figures that are numbers"
    return Outcome({} if why else figures or {}, why, seconds)


def finished(config: TrainConfig) -> dict[str, float] | None:
    """The figures of a run's last epoch; None where it has not come there, or they are no numbers."""
    try:
        with (config.folder / "log.csv").open(newline="") as stream:
            row = list(csv.DictReader(stream))[-1]
        if int(row["epoch"]) != config.epochs:
            return None
        figures = {name: float(row[f"val_{name}"]) for name in FIGURES}
    except (OSError, ValueError, TypeError, KeyError, IndexError):
        return None
    return figures if all(map(math.isfinite, figures.values())) else None


def _begun(config: TrainConfig) -> bool:
    """Whether a run's folder holds it already; OutputError where it holds another's, of a search before this one."""
    if not (config.folder / CONFIG).is_file():
        return False
    own = read_config(config.folder)
    decided = {*FREE, "start_from", *(OF_THE_START if config.start_from else ())}
    decided |= {"sharpen"} if own.conditioning == "target" else set()  # there is no choice that it could sharpen
    same = all(getattr(own, f.name) == getattr(config, f.name) for f in fields(config) if f.name not in decided)
    starts = {config.start_from, start_of(config.start_from) if config.start_from else shipped_start(config)}
    if not same or own.start_from not in starts:
        raise OutputError(f"{config.folder} holds a run of another search: move it away, or give another --output")
    return True


def _wait_for(lock: Path) -> None:
    """A search that is killed and begun again at once may find a run's process still ending."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            with hold_lock(lock, taken=f"another process trains in {lock.parent}"):
                return
        except OutputError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def _process(
    config: TrainConfig, talk: int, timeout: float | None, environment: Mapping[str, str] | None
) -> int | None:
    """The exit code of a run's process; None where it took too long."""
    command = [sys.executable, "-m", "kpalette.search.process", config.to_json()]
    # A session of its own: Ctrl-C is for the search, which ends the run. The pipe ends it where the search is killed.
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=talk, stderr=talk, env=environment or dict(os.environ),
        start_new_session=True,
    )  # fmt: skip
    try:
        return process.wait(timeout)
    except subprocess.TimeoutExpired:
        return None
    finally:
        _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.stdin is not None:
        process.stdin.close()


def _why(code: int | None, talk: Path, timeout: float | None) -> str:
    """Why a run failed, one line; nothing where it did not."""
    if code == 0:
        return ""
    if code is None:
        return f"took longer than {timeout:g} seconds"
    if code == -signal.SIGKILL:
        return "killed (SIGKILL): most likely out of memory"
    text = talk.read_text(errors="replace")[-20_000:]
    lines = [line for line in text.splitlines() if line.strip()] or [""]
    last = one_line(lines[-1].removeprefix(_PREFIX))
    if found := next((line for line in reversed(lines) if _OUT_OF_MEMORY.search(line)), ""):
        return f"out of memory: {one_line(found.strip())[:200]}"
    if code < 0:
        return f"ended by {signal.Signals(-code).name}: {last[:200]}"
    if _DIVERGED.search(last):
        return f"diverged: {last.partition(': lower')[0]}"
    return last[:400] or f"exit code {code}"
