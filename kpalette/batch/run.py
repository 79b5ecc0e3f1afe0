"""Runs a batch: its jobs in several processes, their outcomes in order."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace

from kpalette.batch.job import Job, Outcome
from kpalette.batch.manifest import DONE, FAILED, STARTED, Manifest
from kpalette.errors import KPaletteError
from kpalette.parallel import in_order, thread_count, worker_pool

_QUEUED = 2
"""Pictures, running or waiting, for each worker. The bound keeps memory small for lists of any length."""

_LEAST_PICTURES = 4
"""Pictures for each worker, at least: with fewer, starting the worker takes longer than it saves."""


def default_workers(count: int) -> int:
    """Number of processes for a batch of `count` pictures: one a core, but fewer if there are few pictures."""
    return max(1, min(thread_count(), count // _LEAST_PICTURES))


def run_batch(
    jobs: Iterable[Job],
    work: Callable[[Job], str],
    *,
    workers: int = 1,
    record: Manifest | None = None,
    set_up: Callable[[], None] | None = None,
) -> Iterator[Outcome]:
    """Does jobs in several processes.

    Args:
        jobs: the jobs; each is taken from the iterator only when a worker is about to need it.
        work: does one job and returns its destination, or raises `KPaletteError`; must be picklable.
        workers: number of processes; 1 works in this process.
        record: the manifest, written before and after each job. Jobs that are done by it are skipped.
        set_up: called in each worker process; must be picklable.

    Yields:
        The outcome of each job, in the order of `jobs`.

    Raises:
        KPaletteError: if a worker dies, or `record` cannot be written.
    """
    with worker_pool(workers, preload=__name__, set_up=set_up, with_main=True) as submit:

        def begin(job: Job) -> Future[str] | None:
            done = record is not None and record.is_done(job.source, job.destination)
            return None if done else submit(work, _record_start(job, record))

        for job, future in in_order(begin, jobs, window=_QUEUED * workers):
            yield _outcome(job, future, record)


def _record_start(job: Job, record: Manifest | None) -> Job:
    """Records that a job starts. Returns the job, with what the manifest says about an existing result."""
    if record is None or not job.destination:
        return job
    own = record.may_replace(job.source, job.destination)
    job = replace(job, replace=job.replace or own, begun=record.was_begun(job.source, job.destination))
    record.add(STARTED, source=job.source, destination=job.destination)
    return job


def _outcome(job: Job, future: Future[str] | None, record: Manifest | None) -> Outcome:
    """Takes the result of a job, records it, and returns it. A future of None is a job done before."""
    if future is None:
        return Outcome(job, job.destination, skipped=True)
    try:
        destination = future.result()
    except BrokenProcessPool:
        raise KPaletteError(
            f"a worker process died at {job.source} or soon after it, perhaps out of memory: "
            "use fewer workers (-j), and --resume to go on"
        ) from None
    except Exception as error:  # whatever one picture raises must not stop the others
        known = isinstance(error, KPaletteError | OSError) and str(error)
        text = str(error) if known else f"{type(error).__name__}: {error}"
        text = text if job.source in text else f"{job.source}: {text}"
        if record is not None and job.destination:
            record.add(FAILED, source=job.source, destination=job.destination, error=text)
        return Outcome(job, job.destination, error=text)
    if record is not None:
        record.add(DONE, source=job.source, destination=job.destination, result=destination)
    return Outcome(job, destination)
