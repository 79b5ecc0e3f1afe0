"""One run of a search, in a process of its own: its start, its figures, and the reason if it failed."""

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

OUTPUT = "output.txt"
"""Name of the file with a run's output, in its folder."""

_PATIENCE = 20.0  # seconds for a process of a killed search to end
_GRACE = 5.0  # seconds for a process to end after SIGTERM
_PREFIX = "kpalette: error: "
_DIVERGED = re.compile(r"`\w+` became (nan|-?inf)\b")
_OUT_OF_MEMORY = re.compile(r"ResourceExhausted|RESOURCE_EXHAUSTED|MemoryError|OOM when allocating|std::bad_alloc")


@dataclass(frozen=True)
class RunResult:
    """The result of a run.

    Attributes:
        figures: figures by the names in `FIGURES`; empty if the run failed.
        reason: why the run failed; empty if it did not.
        seconds: duration of the training.
        fresh: whether it trained just now; otherwise it was finished before.

    Example:
        >>> RunResult(reason="diverged").figures
        {}
    """

    figures: dict[str, float] = field(default_factory=dict)
    reason: str = ""
    seconds: float = 0.0
    fresh: bool = True


Runner = Callable[[TrainConfig], RunResult]
"""A function that trains a run, such as `run_trial`; tests use a quicker one."""


def run_trial(
    config: TrainConfig, *, timeout: float | None = None, environment: Mapping[str, str] | None = None
) -> RunResult:
    """Trains a run in a process of its own, continues a run, or reads the result of a finished one.

    Args:
        config: options of the run.
        timeout: seconds after which the run has failed; no limit if None.
        environment: environment variables of the process, this process's if None.

    Returns:
        The result. Whatever ends the process is the reason of a failed run.

    Raises:
        KPaletteError: if the cause is not in the run: missing pictures, or a folder that cannot be written or holds
            the run of another search.
    """
    figures = finished(config) if _has_begun(config) else None
    if figures is not None:
        return RunResult(figures, fresh=False)
    start = time.monotonic()
    try:
        config.folder.mkdir(parents=True, exist_ok=True)
        with (config.folder / OUTPUT).open("wb") as output:
            _wait_for(config.folder / LOCK)
            code = _process(config, output.fileno(), timeout, environment)
    except OSError as error:
        raise OutputError(f"cannot write to {config.folder}: {reason(error)}") from None
    seconds = time.monotonic() - start
    why = _why(code, config.folder / OUTPUT, timeout)
    if code == NOT_THE_RUNS:
        raise KPaletteError(f"the search stops at {config.folder.name}: {why}")
    figures = finished(config)
    if not why and figures is None:
        why = "it ended without figures that are numbers"
    return RunResult({} if why else figures or {}, why, seconds)


def finished(config: TrainConfig) -> dict[str, float] | None:
    """The figures of a run's last epoch; None if it is not finished, or a figure is NaN or infinite."""
    try:
        with (config.folder / "log.csv").open(newline="") as stream:
            row = list(csv.DictReader(stream))[-1]
        if int(row["epoch"]) != config.epochs:
            return None
        figures = {name: float(row[f"val_{name}"]) for name in FIGURES}
    except (OSError, ValueError, TypeError, KeyError, IndexError):
        return None
    return figures if all(map(math.isfinite, figures.values())) else None


def _has_begun(config: TrainConfig) -> bool:
    """Whether the run's folder holds the run; an OutputError if it holds a run of another search."""
    if not (config.folder / CONFIG).is_file():
        return False
    own = read_config(config.folder)
    decided = {*FREE, "start_from", *(OF_THE_START if config.start_from else ())}
    decided |= {"sharpen"} if own.conditioning == "target" else set()  # which has no choice to sharpen
    same = all(getattr(own, f.name) == getattr(config, f.name) for f in fields(config) if f.name not in decided)
    starts = {config.start_from, start_of(config.start_from) if config.start_from else shipped_start(config)}
    if not same or own.start_from not in starts:
        raise OutputError(f"{config.folder} holds a run of another search: move it away, or give another --output")
    return True


def _wait_for(lock: Path) -> None:
    """Waits for a lock: if a search was killed and started again at once, the run's old process may still be ending."""
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
    config: TrainConfig, output: int, timeout: float | None, environment: Mapping[str, str] | None
) -> int | None:
    """Runs a run's process; returns its exit code, or None if it took too long."""
    command = [sys.executable, "-m", "kpalette.search.process", config.to_json()]
    # In a session of its own: Ctrl-C is for the search, which then ends the run; if the search dies, the pipe does.
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=output, stderr=output, env=environment or dict(os.environ),
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


def _why(code: int | None, output: Path, timeout: float | None) -> str:
    """The reason why a run failed, in one line; empty if it did not."""
    if code == 0:
        return ""
    if code is None:
        return f"took longer than {timeout:g} seconds"
    if code == -signal.SIGKILL:
        return "killed (SIGKILL): most likely out of memory"
    text = output.read_text(errors="replace")[-20_000:]
    lines = [line for line in text.splitlines() if line.strip()] or [""]
    last = one_line(lines[-1].removeprefix(_PREFIX))
    if found := next((line for line in reversed(lines) if _OUT_OF_MEMORY.search(line)), ""):
        return f"out of memory: {one_line(found.strip())[:200]}"
    if code < 0:
        return f"ended by {signal.Signals(-code).name}: {last[:200]}"
    if _DIVERGED.search(last):
        return f"diverged: {last.partition(': lower')[0]}"
    return last[:400] or f"exit code {code}"
