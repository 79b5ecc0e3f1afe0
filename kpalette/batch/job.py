"""One picture of a batch: what is to be done, and what became of it."""

import contextlib
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kpalette.errors import ImageError, reason
from kpalette.files import make_parent, write_file
from kpalette.images.encode import encode_image
from kpalette.images.files import SUFFIXES, check_output, format_of, read_image, suffix_of
from kpalette.images.picture import Picture
from kpalette.palettes.palette import Palette
from kpalette.recolorers.recolor import recolor as recolor_image
from kpalette.recolorers.registry import DEFAULT_MODEL, get_recolorer


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
