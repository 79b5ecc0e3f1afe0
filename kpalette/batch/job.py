"""One picture of a batch: the job, the function that does it, and its outcome."""

import contextlib
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kpalette.errors import ImageError, reason
from kpalette.files import make_parent, write_file
from kpalette.images.decoders import Guard
from kpalette.images.encode import encode_image
from kpalette.images.files import SUFFIXES, check_output, format_of, read_image, suffix_of
from kpalette.images.picture import Picture
from kpalette.recolorers.recipe import Recipe
from kpalette.types import AUTO


@dataclass(frozen=True)
class Job:
    """One picture of a batch.

    Attributes:
        source: the file to read.
        destination: the file to write. If it has no suffix of a format that can be written, that of the picture is
            added.
        replace: whether an existing file may be replaced.
        begun: whether an earlier batch stopped during this job. An existing file with the right content is kept then.

    Example:
        >>> Job("photo.jpg", "out/photo.recolored.jpg").replace
        False
    """

    source: str
    destination: str
    replace: bool = False
    begun: bool = False


@dataclass(frozen=True)
class Outcome:
    """The outcome of a job.

    Attributes:
        job: the job.
        destination: the file that was written.
        error: the message of the error, or None.
        skipped: whether an earlier batch had done the job.

    Example:
        >>> Outcome(Job("a.png", "b.png"), "b.png").error is None
        True
    """

    job: Job
    destination: str
    error: str | None = None
    skipped: bool = False


_log = logging.getLogger(__name__)

_IN_COLORS = "it is in colours of the palette already"
_NO_HUE = "black, white and what has their lightness keep it; `--lightness 1` moves them"


@dataclass(frozen=True)
class RecolorFile:
    """Recolours picture files by one recipe. Call it with a `Job` to do that job.

    Attributes:
        recipe: how the pictures are recoloured.
        background: a colour that transparent pictures are put on, as in `write_image`.
        strip: whether metadata is left out, as in `write_image`.
        guard: entered around decoders and encoders, as in `read_image`; must be picklable.

    Example:
        >>> from kpalette import Palette, Recipe
        >>> work = RecolorFile(Recipe(Palette.parse("red blue"), "soft"))
        >>> work.settings()["model"], work.settings()["strip"]
        ('soft', False)
    """

    recipe: Recipe
    background: str | None = None
    strip: bool = False
    guard: Guard = contextlib.nullcontext

    def settings(self) -> dict[str, Any]:
        """Everything that a result depends on except its source, as plain values for the manifest."""
        return {**self.recipe.settings(), "background": self.background, "strip": self.strip}

    def encoded(self, picture: Picture, *, image_format: str, name: str = "the picture") -> bytes:
        """Recolours a picture, and encodes it in one of `kpalette.images.decoders.FORMATS`.

        Logs the lightness strength that was chosen, and a warning if nothing changed.
        """
        plan = self.recipe.plan(picture)
        done = picture.with_rgb(plan.apply(picture).image)
        if np.array_equal(done.rgb, picture.rgb):
            _log.warning("%s: nothing changed: %s", name, _IN_COLORS if plan.changes_nothing else _NO_HUE)
        elif self.recipe.lightness == AUTO:
            _log.info("%s: lightness %g, chosen for this picture", name, plan.lightness)
        return encode_image(
            done, image_format=image_format, background=self.background, strip=self.strip, guard=self.guard
        )

    def __call__(self, job: Job) -> str:
        """Does one job.

        Args:
            job: the job.

        Returns:
            The path of the file that was written.

        Raises:
            KPaletteError: if the picture cannot be read, recoloured or written.
        """
        if os.path.isdir(job.source):
            raise ImageError(_no_pictures(job.source))
        destination = job.destination
        named = Path(destination).suffix.lower() in SUFFIXES
        if named and not job.begun:
            check_output(Path(destination), overwrite=job.replace)
        picture = read_image(Path(job.source), guard=self.guard)
        if not named:
            destination += suffix_of(picture.format)
        data = self.encoded(picture, image_format=format_of(destination), name=job.source)
        make_parent(Path(destination))
        if not (job.begun and _holds(destination, data)):
            write_file(destination, data, overwrite=job.replace)
        return destination


def _no_pictures(folder: str) -> str:
    """The message for a folder as a source: it cannot be read, or has no pictures."""
    try:
        os.listdir(folder)
    except OSError as error:
        return f"cannot read {folder}: {reason(error)}"
    return f"{folder} holds no pictures ({', '.join(sorted(SUFFIXES))})"


def _holds(path: str, data: bytes) -> bool:
    """Whether a file has exactly this content."""
    with contextlib.suppress(OSError):
        return Path(path).stat().st_size == len(data) and Path(path).read_bytes() == data
    return False
