"""Batches: many pictures recoloured alike, in order, in several processes, and again from where they stopped."""

import contextlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from kpalette.errors import ImageError, KPaletteError, reason
from kpalette.files import make_parent, write_file
from kpalette.images.encode import encode_image
from kpalette.images.files import SUFFIXES, check_output, format_of, read_image, suffix_of
from kpalette.images.picture import Picture
from kpalette.manifest import DONE, FAILED, STARTED, Manifest
from kpalette.palettes.palette import Palette
from kpalette.parallel import thread_count, worker_pool
from kpalette.recolorers.recolor import recolor as recolor_image
from kpalette.recolorers.registry import DEFAULT_MODEL, get_recolorer

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
        begun: whether an earlier batch ended while at it: a file there is right if it is what would be written.
    """

    source: str
    destination: str
    replace: bool = False
    begun: bool = False


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
    """How every picture of a batch is recoloured; arguments as in `recolor`, `get_recolorer`, `write_image`."""

    target: Palette
    model: str = DEFAULT_MODEL
    source: Palette | None = None
    match: str = "lightness"
    lightness: float | None = None
    seed: int = 0
    background: str | None = None
    strip: bool = False
    runtime: str = "auto"

    def settings(self) -> dict[str, Any]:
        """All of it as plain values, for the manifest."""
        plain = dict(asdict(self))
        plain["target"] = self.target.lab.tolist()
        plain["source"] = None if self.source is None else self.source.lab.tolist()
        return plain

    def encoded(self, picture: Picture, *, image_format: str) -> bytes:
        """A picture recoloured, as a file of one of `image_decode.FORMATS`."""
        done = recolor_image(
            picture, self.target, model=get_recolorer(self.model, runtime=self.runtime), source=self.source,
            match=self.match, lightness=self.lightness, seed=self.seed,
        )  # fmt: skip
        return encode_image(done, image_format=image_format, background=self.background, strip=self.strip)

    def __call__(self, job: Job) -> str:
        """Does one job, and says where its result is; a `KPaletteError` if it cannot."""
        if os.path.isdir(job.source):
            raise ImageError(_no_pictures(job.source))
        destination = job.destination
        named = Path(destination).suffix.lower() in SUFFIXES
        if named and not job.begun:
            check_output(Path(destination), overwrite=job.replace)
        picture = read_image(Path(job.source))
        if not named:
            destination += suffix_of(picture.format)
        data = self.encoded(picture, image_format=format_of(destination))
        make_parent(Path(destination))
        if not (job.begun and _holds(destination, data)):
            write_file(destination, data, overwrite=job.replace)
        return destination


def _no_pictures(folder: str) -> str:
    try:
        os.listdir(folder)
    except OSError as error:
        return f"cannot read {folder}: {reason(error)}"
    return f"{folder} holds no pictures ({', '.join(sorted(SUFFIXES))})"


def _holds(path: str, data: bytes) -> bool:
    with contextlib.suppress(OSError):
        return Path(path).stat().st_size == len(data) and Path(path).read_bytes() == data
    return False


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
