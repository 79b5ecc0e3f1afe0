"""Reader for the two formats of CIFAR-10, 32x32 pixels: pickled batches, treated as untrusted input, and binary ones.

cs.toronto.edu/~kriz/cifar.html describes both. ArtBench-10 uses them too, with other names for `meta` and "styles".
"""

import io
import pickle
import re
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import numpy as np

from kpalette.data.listing import File, Listing
from kpalette.errors import ImageError, one_line, reason
from kpalette.types import ImageArray

_PIXELS = 3 * 32 * 32  # plane by plane
_BATCH = re.compile(r"(?:data_batch_(?P<number>[1-9]\d*)|test_batch)(?P<binary>\.bin)?")
_META = {False: ("meta", "batches.meta"), True: ("batches.meta.txt", "meta.txt")}  # by whether binary
_STYLES = ("styles", "label_names")

_BROKEN_PICKLE = (
    pickle.UnpicklingError, EOFError, AttributeError, ImportError, IndexError, KeyError, TypeError, ValueError,
    MemoryError, OverflowError, RecursionError,
)  # fmt: skip


class Artwork(NamedTuple):
    """One picture of a batch.

    Example:
        >>> work = Artwork("train", 0, np.zeros(3072, np.uint8), "baroque", "")
        >>> work.image().shape
        (32, 32, 3)
    """

    split: str  # "train" or "test"
    number: int  # in that part, counted from 0 over all its batches; tables call it cifar_index
    pixels: ImageArray  # (3072,)
    style: str  # "" if no list names the styles
    stamp: str

    def image(self) -> ImageArray:
        """The picture, uint8 (32, 32, 3)."""
        return np.ascontiguousarray(self.pixels.reshape(3, 32, 32).transpose(1, 2, 0))


def batch_files(listing: Listing, *, binary: bool) -> tuple[File, ...]:
    """Finds the batches of a release.

    Args:
        listing: files.
        binary: whether to look for the binary batches or for the pickled ones.

    Returns:
        The batches of the first folder that has some, training before test; empty if there are none.

    Raises:
        ImageError: if a batch is missing between others, so that pictures would be numbered wrongly.
    """
    folders: dict[PurePosixPath, dict[int, File]] = {}
    for file in listing.files:
        path = PurePosixPath(file.name)
        match = _BATCH.fullmatch(path.name)
        if match and bool(match["binary"]) == binary:
            folders.setdefault(path.parent, {})[int(match["number"] or 0)] = file
    if not folders:
        return ()
    found = folders[min(folders)]
    training = sorted(number for number in found if number)
    for place, number in enumerate(training, start=1):
        if number != place:
            raise ImageError(f"{one_line(listing.source)} lacks data_batch_{place}")
    return tuple(found[number] for number in (*training, 0) if number in found)


def read_batches(listing: Listing, *, binary: bool) -> list[Artwork]:
    """Reads all batches of a release into memory.

    Args:
        listing: files, among them those of `batch_files`.
        binary: as in `batch_files`.

    Returns:
        The pictures, training before test.

    Raises:
        ImageError: names the file that is damaged, unsafe, or of another format.
    """
    files = batch_files(listing, binary=binary)
    styles = _styles(listing, files[0], binary=binary)
    read: Callable[[File], tuple[ImageArray, Sequence[int]]] = _binary_batch if binary else _pickled_batch
    works: list[Artwork] = []
    counts = {"train": 0, "test": 0}
    for file in files:
        part = "test" if PurePosixPath(file.name).name.startswith("test") else "train"
        pixels, labels = read(file)
        wrong = [label for label in labels if not 0 <= label < (len(styles) or 256)]
        if wrong:
            raise ImageError(f"{one_line(file.name)} has a label {wrong[0]}, but there are {len(styles)} styles")
        for i, (row, label) in enumerate(zip(pixels, labels, strict=True)):
            style = styles[label] if styles else ""
            works.append(Artwork(part, counts[part] + i, row, style, f"{file.stamp}#{i}"))
        counts[part] += len(pixels)
    return works


def _styles(listing: Listing, batch: File, *, binary: bool) -> list[str]:
    folder = PurePosixPath(batch.name).parent
    named = {PurePosixPath(file.name): file for file in listing.files}
    file = next((named[folder / name] for name in _META[binary] if folder / name in named), None)
    if file is None:
        # Only the pickled format needs the list: a table can name the styles as well.
        if binary:
            return []
        raise ImageError(
            f"{one_line(listing.source)} has batches but no file {_META[binary][0]} that names their styles"
        )
    if binary:
        return [line.strip() for line in file.load().decode(errors="replace").splitlines() if line.strip()]
    meta = _unpickled(file)
    styles = next((meta[key] for key in _STYLES if key in meta), None)
    if not isinstance(styles, list) or not styles:
        raise ImageError(f"{one_line(file.name)} has no list {_STYLES[0]!r}")
    texts = [text.decode(errors="replace") if isinstance(text, bytes) else text for text in styles]
    if not all(isinstance(text, str) for text in texts):
        raise ImageError(f"{one_line(file.name)}: {_STYLES[0]!r} must be a list of names")
    return texts


def _binary_batch(file: File) -> tuple[ImageArray, Sequence[int]]:
    data = file.load()
    if not data or len(data) % (1 + _PIXELS):
        raise ImageError(f"{one_line(file.name)} is damaged: {len(data):,} bytes are not a multiple of {1 + _PIXELS}")
    records = np.frombuffer(data, dtype=np.uint8).reshape(-1, 1 + _PIXELS)
    return records[:, 1:], records[:, 0].tolist()


def _pickled_batch(file: File) -> tuple[ImageArray, Sequence[int]]:
    batch = _unpickled(file)
    pixels, labels = batch.get("data"), batch.get("labels")
    if type(pixels) is not np.ndarray or pixels.dtype != np.uint8 or pixels.shape[1:] != (_PIXELS,) or not pixels.size:
        found = f"{pixels.dtype} {pixels.shape}" if isinstance(pixels, np.ndarray) else type(pixels).__name__
        raise ImageError(f"{one_line(file.name)}: 'data' must be uint8 of shape (n, {_PIXELS}). Received: {found}")
    if isinstance(labels, np.ndarray):
        labels = labels.tolist()
    if not isinstance(labels, list) or len(labels) != len(pixels) or not all(type(label) is int for label in labels):
        raise ImageError(f"{one_line(file.name)}: 'labels' must be a list of {len(pixels)} whole numbers")
    return pixels, labels


def _unpickled(file: File) -> dict[str, Any]:
    try:
        # In batches pickled by Python 2, arrays are text.
        found = _Unpickler(io.BytesIO(file.load()), file.name).load()
    except _BROKEN_PICKLE as error:
        raise ImageError(f"{one_line(file.name)} is not a batch, or damaged: {one_line(reason(error))}") from None
    if not isinstance(found, dict):
        raise ImageError(f"{one_line(file.name)} is not a batch: it holds no dictionary")
    return {key.decode(errors="replace") if isinstance(key, bytes) else str(key): found[key] for key in found}


def _latin1(text: str, encoding: str = "latin1") -> bytes:
    if encoding != "latin1":
        raise ValueError(f"the encoding {encoding!r} does not occur in batches")
    return text.encode("latin1")


def _no_bytes() -> bytes:
    return b""


_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    # For bytes, as Python 3 writes them for Python 2.
    ("_codecs", "encode"): _latin1,
    ("__builtin__", "bytes"): _no_bytes,
    **{
        (f"{home}.{module}", name): function
        for home in ("numpy.core", "numpy._core")  # NumPy 1 and NumPy 2
        for module, name, function in (
            ("multiarray", "_reconstruct", np.zeros(0).__reduce__()[0]),
            ("numeric", "_frombuffer", np.zeros(1).__reduce_ex__(5)[0]),
        )
    },
}
"""The only names that a pickle may use: unpickling calls whatever a pickle names."""


class _Unpickler(pickle.Unpickler):
    def __init__(self, stream: io.BytesIO, name: str) -> None:
        super().__init__(stream, encoding="latin1")
        self._name = name

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            named = one_line(f"{module}.{name}")
            raise ImageError(f"{one_line(self._name)} is not read: it calls {named}, which no batch needs")
        return _ALLOWED[module, name]
