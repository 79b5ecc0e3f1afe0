"""Sessions of a search, from start to report: on one machine, or as the chief or a worker of many machines."""

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from kpalette.errors import ArgumentError, KPaletteError, OutputError, one_line, reason
from kpalette.files import held_folder, host_mark, write_file
from kpalette.report.svg import import_matplotlib
from kpalette.search.address import ANSWER, DEFAULT_CHIEF, check_port, set_role, split_address, wait_for_chief
from kpalette.search.oracles import SEARCH, LastingOracle, make_oracle, trial_count
from kpalette.search.plan import LOCAL, PLAN, SearchPlan, check_given, local_plan, settle
from kpalette.search.progress import SearchProgress
from kpalette.search.records import OBJECTIVE, SearchRecord
from kpalette.search.report import RUNS, Report, final_lines
from kpalette.search.space import possible
from kpalette.search.trial import Runner, run_trial
from kpalette.search.tuner import Chief, Listener, SearchTuner
from kpalette.training.run import open_samplers, read_start, shipped_start

STATE = "oracle.json"
"""Name of the file with KerasTuner's state in a search folder."""

LEASE = 60.0
"""Default seconds of silence after which a worker's run is given to another."""

_LINGER = 10.0  # seconds that a chief waits at the end for workers to ask once more and learn that all is done
_LOOK = 0.3  # seconds between two looks of a chief at its oracle

Say = Callable[[str], None]


@contextmanager
def search_folder(folder: Path, given: Mapping[str, Any]) -> Iterator[SearchPlan]:
    """Makes a search folder, keeps other searches out of it, and settles the plan.

    Args:
        folder: folder of the search.
        given: fields of `SearchPlan` that were given.

    Yields:
        The plan of the search.

    Raises:
        KPaletteError: if the folder cannot be written, is in use, or holds another search.
    """
    with held_folder(folder, taken=f"another search runs in {folder}: wait for it, or give another --output"):
        yield settle(folder, given)


def _write_plan(folder: Path, plan: SearchPlan) -> None:
    """Writes the plan, as soon as the search can begin: a folder must not remember options that were wrong."""
    if not (folder / PLAN).exists():
        write_file(folder / PLAN, plan.to_json().encode(), overwrite=False)


def open_oracle(plan: SearchPlan, folder: Path, *, lease: float) -> LastingOracle:
    """Opens the oracle of a search folder, with the state of earlier sessions."""
    oracle = make_oracle(plan, folder / STATE, lease=lease)
    if oracle.path.is_file():
        oracle.reload()
    return oracle


def search(folder: Path, given: Mapping[str, Any], *, run: Runner = run_trial, say: Say) -> Report:
    """Searches on this machine, or continues a search that was stopped or killed.

    Args:
        folder: folder of the search.
        given: fields of `SearchPlan` that were given.
        run: trains a run.
        say: prints a line of progress.

    Returns:
        The report; its files are written.

    Raises:
        KPaletteError: if the search cannot begin or continue.
    """

    def go(plan: SearchPlan, oracle: LastingOracle, report: Report) -> None:
        _run_all(plan, folder, oracle, report, run=run, say=say)

    return _with_report(folder, given, go, lease=0.0, say=say)


def _with_report(
    folder: Path,
    given: Mapping[str, Any],
    go: Callable[[SearchPlan, LastingOracle, Report], None],
    *,
    lease: float,
    say: Say,
) -> Report:
    """Opens a search folder, lets `go` do the rest of its runs, and writes the report."""
    import_matplotlib()
    with search_folder(folder, given) as plan:
        oracle = open_oracle(plan, folder, lease=lease)
        report = Report(folder, plan, oracle.records())
        if not oracle.complete:
            go(plan, oracle, report)
        report.write()
    _say_all(final_lines(report), say)
    return report


def _run_all(plan: SearchPlan, folder: Path, oracle: LastingOracle, report: Report, *, run: Runner, say: Say) -> None:
    pictures = count_pictures(plan, folder, say=say)
    _write_plan(folder, plan)
    total = trial_count(plan) * plan.seeds
    progress = SearchProgress(total, report.records, say=say)
    if progress.done:
        say(f"going on: {progress.done} of {total} runs are done")
    oracle.on_end = report.add
    listener = Listener(progress.begin, progress.end)
    try:
        SearchTuner(oracle, plan=plan, folder=folder, run=run, listener=listener, pictures=pictures).search()
    except (KeyboardInterrupt, SystemExit):
        say(f"{progress.done} of {total} runs are done: the same command goes on, or --output {folder} alone")
        raise


def count_pictures(plan: SearchPlan, folder: Path, *, say: Say) -> tuple[int, int]:
    """Opens the pictures of a search, and extracts their palettes once for all runs.

    Args:
        plan: plan of the search.
        folder: folder of the search.
        say: prints a line.

    Returns:
        The number of pictures for training, and for selection.

    Raises:
        KPaletteError: if no picture can be read, or the weights that runs start from are missing or damaged.
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
    """Gives runs to workers until all are done; trains nothing itself.

    Args:
        folder: folder of the search.
        given: fields of `SearchPlan` that were given.
        address: address to listen at, HOST:PORT.
        lease: seconds of silence after which a worker's run is given to another.
        say: prints a line of progress.

    Returns:
        The report; its files are written.

    Raises:
        KPaletteError: if the search cannot begin or continue, or the address is taken.
    """
    host, port = split_address(address)

    def go(plan: SearchPlan, oracle: LastingOracle, report: Report) -> None:
        check_port(host, port)
        _write_plan(folder, plan)
        set_role(host, port, tuner_id="chief")
        _serve(plan, oracle, report, folder=folder, address=address, say=say)

    return _with_report(folder, given, go, lease=lease, say=say)


def _serve(plan: SearchPlan, oracle: LastingOracle, report: Report, *, folder: Path, address: str, say: Say) -> None:
    total = trial_count(plan) * plan.seeds
    progress = SearchProgress(total, report.records, say=say)
    failure: list[BaseException] = []
    # Records are handled in this thread: a server that draws a figure would not answer the workers.
    ended: SimpleQueue[list[SearchRecord]] = SimpleQueue()
    oracle.on_end = ended.put

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
            report.add(records)

    threading.Thread(target=serve, daemon=True).start()
    say(f"chief at {address}: {progress.done} of {total} runs are done, waiting for workers")
    try:
        while not (oracle.complete and ended.empty()):
            look()
        deadline = time.monotonic() + _LINGER
        while _workers_remain(oracle) and time.monotonic() < deadline:
            look()
    except (KeyboardInterrupt, SystemExit):
        say(f"{progress.done} of {total} runs are done: the same command goes on; workers wait {ANSWER} seconds for it")
        raise


def _workers_remain(oracle: LastingOracle) -> bool:
    """Whether a worker that asked or joined lately does not know yet that all is done."""
    now = time.monotonic()
    awake = {tuner_id for tuner_id, last in list(oracle.asked_at.items()) if now - last < _LINGER}
    return bool(set(oracle.tuner_ids) & awake) or oracle.joined_at > max(oracle.asked_at.values(), default=0.0)


def work(
    folder: Path, given: Mapping[str, Any], *, address: str = DEFAULT_CHIEF, run: Runner = run_trial, say: Say
) -> None:
    """Trains the runs that a chief assigns until nothing is left; the plan is the chief's.

    Args:
        folder: folder for runs on this machine.
        given: fields of `SearchPlan` that were given. Paths are this machine's, all else must equal the chief's plan.
        address: address of the chief, HOST:PORT.
        run: trains a run.
        say: prints a line of progress.

    Raises:
        KPaletteError: if the chief cannot be reached or stops, its search is another, or nothing can be written.
    """
    import grpc

    host, port = split_address(address)
    host = wait_for_chief(host, port)
    set_role(host, port, tuner_id=f"worker-{host_mark()}-{os.getpid()}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make {folder}: {reason(error)}") from None
    listener = Listener(lambda name: say(f"begun: {name}"), lambda record, fresh: say(_line(record)))
    try:
        tuner = SearchTuner(
            make_oracle(SearchPlan(), folder / STATE), plan=SearchPlan(), folder=folder, run=run, listener=listener
        )
        sent = tuner.oracle.get_space().values[SEARCH]
        plan = SearchPlan.from_json(sent, source=f"the plan that the chief at {address} sends")
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
            f"the chief at {address} no longer answers ({why}): start it again by its own command, then this worker"
        ) from None
    say("the search is done")


def _line(record: SearchRecord) -> str:
    end = f"failed: {record.reason}" if record.failed else f"{OBJECTIVE} {record.figures[OBJECTIVE]:.6f}"
    return f"{record.name}: {end}, {record.seconds:.0f} s"


def _say_all(lines: list[str], say: Say) -> None:
    for line in lines:
        say(line)
