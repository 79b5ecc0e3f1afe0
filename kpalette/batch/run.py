"""Batches: many pictures recoloured alike, in order, in several processes, and resumed after a stop."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace

from kpalette.batch.job import Job, Outcome
from kpalette.batch.manifest import DONE, FAILED, STARTED, Manifest
from kpalette.errors import KPaletteError
from kpalette.parallel import in_order, thread_count, worker_pool

_QUEUED = 2
"""Pictures that run or wait for each worker: no more, so that memory stays bounded however long the list is."""

_POOL_FROM = 4
"""From so many pictures a worker on, starting it takes less time than it saves."""


def default_workers(count: int) -> int:
    """Processes for a batch of `count` pictures: one for each core, as long as each has enough pictures."""
    return max(1, min(thread_count(), count // _POOL_FROM))


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
        jobs: the jobs; each is taken when there is room for it.
        work: does one job and returns its destination; picklable; raises `KPaletteError` if it cannot.
        workers: processes; 1 works in this one.
        record: written before and after each job; jobs that it has as done are skipped.
        set_up: called in each worker process, picklable.

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
    if record is None or not job.destination:
        return job
    own = record.may_replace(job.source, job.destination)
    job = replace(job, replace=job.replace or own, begun=record.was_begun(job.source, job.destination))
    record.add(STARTED, source=job.source, destination=job.destination)
    return job


def _outcome(job: Job, future: Future[str] | None, record: Manifest | None) -> Outcome:
    if future is None:
        return Outcome(job, job.destination, skipped=True)
    try:
        destination = future.result()
    except BrokenProcessPool:
        raise KPaletteError(
            f"a worker process died at {job.source} or soon after it, perhaps out of memory: "
            "try fewer with -j, and --resume to go on"
        ) from None
    except Exception as error:  # one picture, even one that meets a defect of kpalette, must not stop the others
        known = isinstance(error, KPaletteError | OSError) and str(error)
        text = str(error) if known else f"{type(error).__name__}: {error}"
        text = text if job.source in text else f"{job.source}: {text}"
        if record is not None and job.destination:
            record.add(FAILED, source=job.source, destination=job.destination, error=text)
        return Outcome(job, job.destination, error=text)
    if record is not None:
        record.add(DONE, source=job.source, destination=job.destination, result=destination)
    return Outcome(job, destination)
