"""Batches: many pictures recoloured alike, in order, in several processes, and again from where they stopped."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace

from kpalette.batch.job import Job, Outcome
from kpalette.batch.manifest import DONE, FAILED, STARTED, Manifest
from kpalette.errors import KPaletteError
from kpalette.parallel import thread_count, worker_pool

_QUEUED = 2
"""Pictures begun or waiting for each worker: no more, so that memory stays bounded however long the list is."""

_POOL_FROM = 4
"""Pictures for each worker that are worth its start."""


def default_workers(count: int) -> int:
    """How many processes suit a batch of `count` pictures: one a core, where there are pictures enough for each."""
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
        jobs: what is to be done; taken as needed.
        work: does one, returns its destination; picklable, and raises `KPaletteError` where it cannot.
        workers: processes; 1 works in this one.
        record: written before and after each job; what it knows to be done is skipped.
        set_up: called in each worker process, picklable.

    Yields:
        What became of each, in the order of `jobs`.

    Raises:
        KPaletteError: if a worker dies, or `record` cannot be written.
    """
    with worker_pool(workers, preload=__name__, set_up=set_up) as submit:
        running: deque[tuple[Job, Future[str] | None]] = deque()
        for job in jobs:
            if len(running) >= _QUEUED * workers:
                yield _finish(*running.popleft(), record)
            done = record is not None and record.is_done(job.source, job.destination)
            running.append((job, None if done else submit(work, _begun(job, record))))
        while running:
            yield _finish(*running.popleft(), record)


def _begun(job: Job, record: Manifest | None) -> Job:
    if record is None or not job.destination:
        return job
    own = record.may_replace(job.source, job.destination)
    job = replace(job, replace=job.replace or own, begun=record.was_begun(job.source, job.destination))
    record.add(STARTED, source=job.source, destination=job.destination)
    return job


def _finish(job: Job, future: Future[str] | None, record: Manifest | None) -> Outcome:
    if future is None:
        return Outcome(job, job.destination, skipped=True)
    try:
        destination = future.result()
    except BrokenProcessPool:
        raise KPaletteError(
            f"a worker process died at {job.source} or soon after it, perhaps out of memory: "
            "try fewer with -j, and --resume to go on"
        ) from None
    except Exception as error:  # even a defect in kpalette must not end the others' batch
        known = isinstance(error, KPaletteError | OSError) and str(error)
        text = str(error) if known else f"{type(error).__name__}: {error}"
        text = text if job.source in text else f"{job.source}: {text}"
        if record is not None and job.destination:
            record.add(FAILED, source=job.source, destination=job.destination, error=text)
        return Outcome(job, job.destination, error=text)
    if record is not None:
        record.add(DONE, source=job.source, destination=job.destination, result=destination)
    return Outcome(job, destination)
