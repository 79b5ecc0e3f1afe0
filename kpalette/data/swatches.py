"""The pictures' own palettes, extracted once and kept in the user's cache folder. Swatches are CIELAB (k, 3)."""

import io
import logging
import os
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kpalette.data.image_set import ImageSet, decode
from kpalette.errors import ImageError, OutputError, one_line, reason
from kpalette.files import read_file, write_file
from kpalette.images.picture import resize
from kpalette.kernels.loader import using_kernels
from kpalette.palettes.extract import extract_palettes
from kpalette.parallel import in_order, thread_count, worker_pool
from kpalette.types import MAX_COLORS, MIN_COLORS, ImageArray

_SIZES = range(MIN_COLORS, MAX_COLORS + 1)
_LONGEST = 256  # pixels: palettes of larger pictures do not differ visibly
_BATCH = 16  # pictures that a worker gets at a time
_QUEUED = 2  # batches running or waiting for each worker: all pictures may not fit into memory
_ALONE = 48  # one process does as many pictures before a pool of processes has started, and kernels are loaded
_VERSION = 2  # of the cache; raise when the results change
_BROKEN_CACHE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, ImageError)
_log = logging.getLogger(__name__)

Lab = NDArray[np.float64]
Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class SwatchTable:
    """Palettes of pictures, of every size from 2 to 8, extracted by `kmeans`.

    Attributes:
        lab: float32 (N, 7, 8, 3). [n, k - 2, :count[n, k - 2]] is the palette of k colours, darkest first; the rest is
            0.
        count: uint8 (N, 7), the number of swatches found, 2 to k; less than k if the picture has fewer colours.

    Example:
        >>> len(SwatchTable(np.zeros((3, 7, 8, 3), np.float32), np.full((3, 7), 2, np.uint8)))
        3
    """

    lab: NDArray[np.float32]
    count: NDArray[np.uint8]

    def __len__(self) -> int:
        """Number of pictures."""
        return len(self.lab)


def extract_swatches(
    images: ImageSet, *, cache: Path | None = None, progress: Progress | None = None, workers: int | None = None
) -> tuple[ImageSet, SwatchTable, tuple[str, ...]]:
    """Extracts the palettes of all pictures, after shrinking them to 256 pixels on the long side.

    Args:
        images: pictures; each is decoded once, or not at all if the cache holds the set.
        cache: the cache folder, `cache_folder()` if None. If it cannot be used, only a warning is logged.
        progress: called with (pictures done, pictures in all).
        workers: number of processes; one per core if None, but only this process for few pictures.

    Returns:
        (the usable pictures, their palettes, a line "name: reason" for each picture that is damaged or has a single
        colour).

    Raises:
        ImageError: if no picture is usable.
    """
    file = (cache_folder() if cache is None else Path(cache)) / f"swatches-{images.fingerprint}-{_VERSION}.npz"
    found = _load(file, len(images))
    if found is None:
        workers = workers or (min(thread_count(), 16) if len(images) > _ALONE else 1)
        rows: list[_Row] = []
        try:
            _extract(images, rows, workers, progress)
        except BrokenProcessPool:
            _log.warning("worker processes ended early: palettes are extracted in this process")
            _extract(images, rows, 1, progress)
        found = _table(images, rows)
        if not len(found[1]):
            more = f", and {len(images) - 1} more" * (len(images) > 1)
            raise ImageError(f"{one_line(images.source)} has no usable picture: {found[2][0]}{more}")
        _save(file, *found)
    usable, table, skipped = found
    return images.subset(usable), table, skipped


def cache_folder() -> Path:
    """The folder for results that can be computed again: $XDG_CACHE_HOME/kpalette, or ~/.cache/kpalette."""
    return Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")) / "kpalette"


_Row = tuple[NDArray[np.float32], NDArray[np.uint8]] | str  # a picture's palettes, or the reason why it has none
_Found = tuple[NDArray[np.intp], SwatchTable, tuple[str, ...]]


def _extract(images: ImageSet, rows: list[_Row], workers: int, progress: Progress | None) -> None:
    """Appends the missing rows, in order."""
    with worker_pool(workers, preload=__name__) as submit:

        def begin(start: int) -> Future[list[_Row]]:
            return submit(_swatches, list(_loaded(images, start)), len(images) > _ALONE)

        starts = range(len(rows), len(images), _BATCH)
        for _, future in in_order(begin, starts, window=_QUEUED * workers):
            rows.extend(future.result())
            if progress is not None:
                progress(len(rows), len(images))


def _loaded(images: ImageSet, start: int) -> Iterator[bytes | ImageArray | str]:
    for item in images.items[start : start + _BATCH]:
        try:
            yield item.load()
        except ImageError as error:
            yield str(error)


def _swatches(pictures: list[bytes | ImageArray | str], kernels: bool) -> list[_Row]:
    """The rows of some pictures; of many, by kernels, which take half a second to load."""
    with using_kernels(kernels):
        return [picture if isinstance(picture, str) else _row(picture) for picture in pictures]


def _row(picture: bytes | ImageArray) -> _Row:
    try:
        palettes = extract_palettes(resize(decode(picture, name="the picture"), longest=_LONGEST), method="kmeans")
    except ImageError as error:
        return str(error)
    if len(palettes[-1]) < MIN_COLORS:
        return "the picture has a single colour"
    lab = np.zeros((len(_SIZES), MAX_COLORS, 3), dtype=np.float32)
    for place, palette in zip(lab, palettes, strict=True):
        place[: len(palette)] = palette.lab
    return lab, np.array([len(palette) for palette in palettes], dtype=np.uint8)


def _table(images: ImageSet, rows: list[_Row]) -> _Found:
    usable = [i for i, row in enumerate(rows) if not isinstance(row, str)]
    good = [row for row in rows if not isinstance(row, str)]
    lab = np.array([row[0] for row in good], dtype=np.float32)
    count = np.array([row[1] for row in good], dtype=np.uint8)
    pairs = zip(images.names, rows, strict=True)
    skipped = tuple(f"{one_line(name)}: {row}" for name, row in pairs if isinstance(row, str))
    return np.array(usable, dtype=np.intp), SwatchTable(lab, count), skipped


def _load(file: Path, length: int) -> _Found | None:
    try:
        with np.load(io.BytesIO(read_file(file, error=ImageError, what="a cache")), allow_pickle=False) as data:
            lab, count, usable, skipped = (data[name] for name in ("lab", "count", "usable", "skipped"))
    except _BROKEN_CACHE:
        return None
    shapes = (lab.shape, count.shape) == ((n := len(usable), len(_SIZES), MAX_COLORS, 3), (n, len(_SIZES)))
    types = (lab.dtype, count.dtype, usable.dtype.kind) == (np.float32, np.uint8, "i")
    if not shapes or not types or not n or n + len(skipped) != length or not 0 <= usable.min() <= usable.max() < length:
        return None
    return usable, SwatchTable(lab, count), tuple(str(line) for line in skipped)


def _save(file: Path, usable: NDArray[np.intp], table: SwatchTable, skipped: tuple[str, ...]) -> None:
    stream = io.BytesIO()
    np.savez(stream, lab=table.lab, count=table.count, usable=usable, skipped=np.array(skipped, dtype=np.str_))
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_file(file, stream.getvalue(), overwrite=True)
    except (OSError, OutputError) as error:
        _log.warning("palettes will be extracted again next time, the cache cannot be written: %s", reason(error))
