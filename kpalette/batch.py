"""Batches: many pictures recoloured alike, in order, in several processes, and again from where they stopped."""

import contextlib
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import Any

from kpalette.errors import ImageError, KPaletteError, OutputError
from kpalette.files import reason
from kpalette.image_files import SUFFIXES, check_output, read_image, suffix_of, write_image
from kpalette.lut import THREADS_VARIABLE, thread_count
from kpalette.manifest import DONE, FAILED, STARTED, Manifest
from kpalette.palette import Palette
from kpalette.recoloring import DEFAULT_MODEL
from kpalette.recoloring import recolor as recolor_image

_QUEUED = 2
"""Pictures begun or waiting for each worker: no more, so that memory stays bounded however long the list is."""

_POOL_FROM = 4
"""Pictures for each worker that are worth its start."""


@dataclass(frozen=True)
class Job:
    """One picture of a batch.

    Attributes:
        source: the file to read.
        destination: the file to write; a name without a suffix that can be written gets the one of the picture.
        replace: whether a file there may be replaced.
    """

    source: str
    destination: str
    replace: bool = False


@dataclass(frozen=True)
class Outcome:
    """What became of a job.

    Attributes:
        job: which.
        destination: the file that was written.
        error: what went wrong, or None.
        skipped: whether an earlier batch had done it.
    """

    job: Job
    destination: str
    error: str | None = None
    skipped: bool = False


@dataclass(frozen=True)
class Recoloring:
    """How every picture of a batch is recoloured; arguments as in `kpalette.recolor` and `write_image`."""

    target: Palette
    model: str = DEFAULT_MODEL
    source: Palette | None = None
    match: str = "lightness"
    lightness: float | None = None
    seed: int = 0
    background: str | None = None
    strip: bool = False

    def settings(self) -> dict[str, Any]:
        """All of it as plain values, for the manifest."""
        plain = dict(asdict(self))
        plain["target"] = self.target.lab.tolist()
        plain["source"] = None if self.source is None else self.source.lab.tolist()
        return plain

    def __call__(self, job: Job) -> str:
        """Does one job, and says where its result is; a `KPaletteError` if it cannot."""
        if os.path.isdir(job.source):
            raise ImageError(f"{job.source} holds no pictures ({', '.join(sorted(SUFFIXES))})")
        destination = job.destination
        named = Path(destination).suffix.lower() in SUFFIXES
        if named:
            check_output(Path(destination), overwrite=job.replace)
        picture = read_image(Path(job.source))
        if not named:
            destination += suffix_of(picture.format)
        done = recolor_image(
            picture, self.target, model=self.model, source=self.source, match=self.match, lightness=self.lightness,
            seed=self.seed,
        )  # fmt: skip
        make_parent(Path(destination))
        write_image(destination, done, overwrite=job.replace, background=self.background, strip=self.strip)
        return destination


def make_parent(destination: Path) -> None:
    """Makes the folder that a file goes to, once there is something to put there; OutputError if it cannot be."""
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make the folder {destination.parent}: {reason(error)}") from None


def default_workers(count: int) -> int:
    """How many processes suit a batch of `count` pictures: one a core, where there are pictures enough for each."""
    return max(1, min(thread_count(), count // _POOL_FROM))


def run_batch(
    jobs: Iterable[Job], work: Callable[[Job], str], *, workers: int = 1, record: Manifest | None = None
) -> Iterator[Outcome]:
    """Does jobs in several processes.

    Args:
        jobs: what is to be done; taken as needed.
        work: does one, returns its destination; picklable, and raises `KPaletteError` where it cannot.
        workers: processes; 1 works in this one.
        record: written before and after each job; what it knows to be done is skipped.

    Yields:
        What became of each, in the order of `jobs`.

    Raises:
        KPaletteError: if a worker dies, or `record` cannot be written.
    """
    with _pool(workers) as submit:
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
    job = Job(job.source, job.destination, job.replace or record.may_replace(job.source, job.destination))
    if job.replace or not os.path.lexists(job.destination):
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
    except (KPaletteError, OSError, MemoryError) as error:
        text = str(error) or type(error).__name__
        text = text if job.source in text else f"{job.source}: {text}"
        if record is not None and job.destination:
            record.add(FAILED, source=job.source, destination=job.destination, error=text)
        return Outcome(job, job.destination, error=text)
    if record is not None:
        record.add(DONE, source=job.source, destination=destination)
    return Outcome(job, destination)


@contextlib.contextmanager
def _pool(workers: int) -> Iterator[Callable[..., Future[str]]]:
    """A way to start calls; when left early, calls under way are finished, those waiting are dropped."""
    if workers <= 1:
        yield _now
        return
    before = os.environ.get(THREADS_VARIABLE), os.environ.get("OPENBLAS_NUM_THREADS")
    share = str(max(1, thread_count() // workers))
    os.environ[THREADS_VARIABLE], os.environ["OPENBLAS_NUM_THREADS"] = share, share
    # Not fork: NumPy's and OpenCV's threads do not survive it.
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_start_worker)
    try:
        yield pool.submit
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        for name, value in zip((THREADS_VARIABLE, "OPENBLAS_NUM_THREADS"), before, strict=True):
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _now(work: Callable[[Job], str], job: Job) -> Future[str]:
    future: Future[str] = Future()
    try:
        future.set_result(work(job))
    except Exception as error:
        future.set_exception(error)
    return future


def _start_worker() -> None:
    # Ctrl-C reaches every process of the terminal; the parent decides, so that no result is left half written.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A worker whose parent was killed would wait for its next job for ever."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
