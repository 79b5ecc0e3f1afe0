"""A search from its start to its report: on one machine, or as the chief or a worker of many."""

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from kpalette.errors import ArgumentError, KPaletteError, OutputError, one_line, reason
from kpalette.files import hold_lock, host_mark, write_file
from kpalette.report.svg import import_matplotlib
from kpalette.search.address import ANSWER, DEFAULT_CHIEF, check_port, set_role, split_address, wait_for_chief
from kpalette.search.oracles import SEARCH, LastingOracle, make_oracle, trial_count
from kpalette.search.plan import LOCAL, PLAN, Plan, check_given, local_plan, settle
from kpalette.search.progress import Progress
from kpalette.search.records import OBJECTIVE, Record
from kpalette.search.report import RUNS, Report, final_lines
from kpalette.search.space import possible
from kpalette.search.trial import Runner, run_trial
from kpalette.search.tuner import Chief, SearchTuner, Talk
from kpalette.training.run import open_samplers, read_start, shipped_start

STATE = "oracle.json"
"""Of KerasTuner, in a search's folder."""

LEASE = 60.0

_LOCK = ".lock"
_LINGER = 10.0  # seconds that a chief waits for workers to ask once more, and hear that all is done
_LOOK = 0.3  # seconds between looks of a chief at its oracle

Say = Callable[[str], None]


@contextmanager
def search_folder(folder: Path, given: Mapping[str, Any]) -> Iterator[Plan]:
    """Makes a search's folder, keeps other searches out of it, and settles its plan.

    Args:
        folder: of the search.
        given: fields of `Plan` that were given.

    Yields:
        The plan that counts.

    Raises:
        KPaletteError: if the folder cannot be written, is in use, or holds another search.
    """
    made = not folder.exists()
    _make(folder)
    taken = f"another search runs in {folder}: wait for it, or give another --output"
    with hold_lock(folder / _LOCK, taken=taken):
        try:
            yield settle(folder, given)
        finally:
            if made and not (folder / PLAN).exists():
                with suppress(OSError):
                    (folder / _LOCK).unlink()
                    (folder / RUNS).rmdir()
                    folder.rmdir()


def _make(folder: Path) -> None:
    try:
        os.makedirs(folder / RUNS, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make {folder}: {reason(error)}") from None


def _write_plan(folder: Path, plan: Plan) -> None:
    """Once a search can begin: options that were wrong must not be those of the folder."""
    if not (folder / PLAN).exists():
        write_file(folder / PLAN, plan.to_json().encode(), overwrite=False)


def open_oracle(plan: Plan, folder: Path, *, lease: float) -> LastingOracle:
    """The oracle of a search folder, as an earlier session left it."""
    oracle = make_oracle(plan, folder / STATE, lease=lease)
    if oracle.path.is_file():
        oracle.reload()
    return oracle


def search(folder: Path, given: Mapping[str, Any], *, run: Runner = run_trial, say: Say) -> Report:
    """Searches on this machine; one that was stopped or killed goes on.

    Args:
        folder: of the search.
        given: fields of `Plan` that were given.
        run: trains a run.
        say: takes lines of progress.

    Returns:
        The report, whose files are written.

    Raises:
        KPaletteError: if the search cannot begin or go on.
    """

    def go(plan: Plan, oracle: LastingOracle, report: Report) -> None:
        _run_all(plan, folder, oracle, report, run=run, say=say)

    return _reported(folder, given, go, lease=0.0, say=say)


def _reported(
    folder: Path, given: Mapping[str, Any], go: Callable[[Plan, LastingOracle, Report], None], *, lease: float, say: Say
) -> Report:
    """Takes up what a folder holds, has `go` do what is left of it, and reports."""
    import_matplotlib()
    with search_folder(folder, given) as plan:
        oracle = open_oracle(plan, folder, lease=lease)
        report = Report(folder, plan, oracle.records())
        if not oracle.complete:
            go(plan, oracle, report)
        report.write()
    _say_all(final_lines(report), say)
    return report


def _run_all(plan: Plan, folder: Path, oracle: LastingOracle, report: Report, *, run: Runner, say: Say) -> None:
    pictures = count_pictures(plan, folder, say=say)
    _write_plan(folder, plan)
    total = trial_count(plan) * plan.seeds
    progress = Progress(total, report.records, say=say)
    if progress.done:
        say(f"going on: {progress.done} of {total} runs are done")
    oracle.told = report.take
    talk = Talk(progress.begin, progress.end)
    try:
        SearchTuner(oracle, plan=plan, folder=folder, run=run, talk=talk, pictures=pictures).search()
    except (KeyboardInterrupt, SystemExit):
        say(f"{progress.done} of {total} runs are done: the same command goes on, or --output {folder} alone")
        raise


def count_pictures(plan: Plan, folder: Path, *, say: Say) -> tuple[int, int]:
    """Opens the pictures of a search, and extracts their palettes once for all of its runs.

    Args:
        plan: of the search.
        folder: of the search.
        say: takes lines.

    Returns:
        How many are for training, and for selection.

    Raises:
        KPaletteError: if there are none that can be read, or not the weights that all runs start from.
    """
    options = {**plan.settings, "phase": plan.phase, "start_from": plan.start_from}
    config = plan.config(possible(plan.space, options), seed=0, run=folder / RUNS / "none")
    if config.trains_both and shipped_start(config) is None:
        raise ArgumentError("no phase-1 checkpoint ships here for --phase adversarial: give a run folder with --from")
    if config.start_from:
        read_start(config.start_from)
    training, selection, notes = open_samplers(config)
    _say_all(notes, say)
    sizes = [d.ends for d in plan.space if d.name == "batch_size"]
    seen = plan.budget * int(min(sizes[0]) if sizes else config.batch_size)
    if seen < len(training.images):
        say(f"note: the smallest batches see {seen} of {len(training.images)} pictures: give a larger --budget")
    return len(training.images), len(selection.images)


def chief(
    folder: Path, given: Mapping[str, Any], *, address: str = DEFAULT_CHIEF, lease: float = LEASE, say: Say
) -> Report:
    """Gives runs to workers until all are done; trains none.

    Args:
        folder: of the search.
        given: fields of `Plan` that were given.
        address: where to listen, HOST:PORT.
        lease: seconds of silence after which a worker's run is given to another.
        say: takes lines of progress.

    Returns:
        The report, whose files are written.

    Raises:
        KPaletteError: if the search cannot begin or go on, or the address is taken.
    """
    host, port = split_address(address)

    def go(plan: Plan, oracle: LastingOracle, report: Report) -> None:
        check_port(host, port)
        _write_plan(folder, plan)
        set_role(host, port, tuner_id="chief")
        _serve(plan, oracle, report, folder=folder, address=address, say=say)

    return _reported(folder, given, go, lease=lease, say=say)


def _serve(plan: Plan, oracle: LastingOracle, report: Report, *, folder: Path, address: str, say: Say) -> None:
    total = trial_count(plan) * plan.seeds
    progress = Progress(total, report.records, say=say)
    failure: list[BaseException] = []
    # What ends is told to this thread: while the server draws a figure it would hear no sign of life.
    ended: SimpleQueue[list[Record]] = SimpleQueue()
    oracle.told = ended.put

    def serve() -> None:
        try:
            Chief(oracle, directory=str(folder), project_name=".").search()
        except BaseException as error:
            failure.append(error)

    def look() -> None:
        if failure:
            raise KPaletteError(f"the chief cannot serve: {one_line(repr(failure[0]))}")
        with suppress(Empty):
            records = ended.get(timeout=_LOOK)
            for record in records:
                progress.end(record, True)
            report.take(records)

    threading.Thread(target=serve, daemon=True).start()
    say(f"chief at {address}: {progress.done} of {total} runs are done, waiting for workers")
    try:
        while not (oracle.complete and ended.empty()):
            look()
        deadline = time.monotonic() + _LINGER
        while _expected(oracle) and time.monotonic() < deadline:
            look()
    except (KeyboardInterrupt, SystemExit):
        say(f"{progress.done} of {total} runs are done: the same command goes on; workers wait {ANSWER} seconds for it")
        raise


def _expected(oracle: LastingOracle) -> bool:
    """Whether a worker that lately asked, or came, has not heard that all is done."""
    now = time.monotonic()
    awake = {tuner_id for tuner_id, last in list(oracle.heard.items()) if now - last < _LINGER}
    return bool(set(oracle.tuner_ids) & awake) or oracle.joined > max(oracle.heard.values(), default=0.0)


def work(
    folder: Path, given: Mapping[str, Any], *, address: str = DEFAULT_CHIEF, run: Runner = run_trial, say: Say
) -> None:
    """Runs what a chief gives until there is nothing left; the plan is the chief's.

    Args:
        folder: for runs on this machine.
        given: fields of `Plan` that were given: paths are this machine's, all else must be the chief's.
        address: of the chief, HOST:PORT.
        run: trains a run.
        say: takes lines of progress.

    Raises:
        KPaletteError: if the chief cannot be reached or goes away, its search is another, or nothing can be written.
    """
    import grpc

    host, port = split_address(address)
    host = wait_for_chief(host, port)
    set_role(host, port, tuner_id=f"worker-{host_mark()}-{os.getpid()}")
    _make(folder)
    talk = Talk(lambda name: say(f"begun: {name}"), lambda record, fresh: say(_line(record)))
    try:
        tuner = SearchTuner(make_oracle(Plan(), folder / STATE), plan=Plan(), folder=folder, run=run, talk=talk)
        held = tuner.oracle.get_space().values[SEARCH]
        plan = Plan.from_json(held, source=f"what the chief at {address} sends")
        check_given(
            given, plan, whose=f"the chief at {address}", instead="start another search with its own chief", free=LOCAL
        )
        tuner.plan = local_plan(plan, given)
        tuner.pictures = count_pictures(tuner.plan, folder, say=say)
        tuner.search()
    except (KeyboardInterrupt, SystemExit):
        say("stopped: the chief gives the run to another worker, or to this one started again")
        raise
    except grpc.RpcError as error:
        why = one_line(getattr(error, "details", lambda: "")() or type(error).__name__)
        raise KPaletteError(
            f"the chief at {address} answers no more ({why}): start it again by its own command, then this worker"
        ) from None
    say("the search is done")


def _line(record: Record) -> str:
    end = f"failed: {record.reason}" if record.failed else f"{OBJECTIVE} {record.figures[OBJECTIVE]:.6f}"
    return f"{record.name}: {end}, {record.seconds:.0f} s"


def _say_all(lines: list[str], say: Say) -> None:
    for line in lines:
        say(line)
