"""Sets of pictures, and their split for training.

Pictures are decoded when they are read: uint8 sRGB (H, W, 3), upright, with transparent parts on white.
"""

import hashlib
import unicodedata
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import PurePosixPath

import cv2
import numpy as np

from kpalette.errors import ArgumentError, ImageError, one_line
from kpalette.images.decode import decode_image
from kpalette.images.decoders import Guard
from kpalette.images.files import SUFFIXES, max_pixels
from kpalette.images.picture import flatten
from kpalette.parallel import thread_count
from kpalette.types import ImageArray


@dataclass(frozen=True)
class Item:
    """One picture of a set.

    Attributes:
        name: path inside the source.
        stamp: changes when the picture changes.
        load: returns the bytes of the file, or the picture itself.
        artist: the artist, "" if unknown.
        style: the style, "" if unknown.
        split: "train" or "test", "" if unknown.

    Example:
        >>> Item("a.png", "", lambda: np.zeros((4, 4, 3), np.uint8)).artist
        ''
    """

    name: str
    stamp: str
    load: Callable[[], bytes | ImageArray]
    artist: str = ""
    style: str = ""
    split: str = ""


@dataclass(frozen=True, eq=False)
class ImageSet:
    """An immutable ordered collection of pictures, decoded when they are read.

    Attributes:
        source: the folder, file or name that the pictures come from.
        items: the pictures.
        skipped: lines "name: reason", one for each picture that is incomplete in the source.
        names: paths inside the source.
        artists: the artist of each picture; its file name without suffix if unknown.
        styles: the style of each picture, "" if unknown.
        splits: the part of each picture, "train" or "test"; "" if the source has no parts.
        guard: entered around the decoder, as in `read_image`; one that redirects a stream must not be used by threads.

    Example:
        >>> images = ImageSet("mine", (Item("a.png", "", lambda: np.zeros((4, 6, 3), np.uint8)),))
        >>> images.artists, images.read(0).shape
        (('a',), (4, 6, 3))
    """

    source: str
    items: tuple[Item, ...]
    skipped: tuple[str, ...] = ()
    guard: Guard = field(default=nullcontext, repr=False)
    names: tuple[str, ...] = field(init=False, repr=False)
    artists: tuple[str, ...] = field(init=False, repr=False)
    styles: tuple[str, ...] = field(init=False, repr=False)
    splits: tuple[str, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Collects the attributes of the items."""
        for name, values in (
            ("names", (item.name for item in self.items)),
            ("artists", (item.artist or stem(item.name) for item in self.items)),
            ("styles", (item.style for item in self.items)),
            ("splits", (item.split for item in self.items)),
        ):
            object.__setattr__(self, name, tuple(values))

    @property
    def fingerprint(self) -> str:
        """Sixteen digits that identify the pictures, from the path of the source and the items' names and stamps."""
        lines = [self.source, *(f"{item.name}\0{item.stamp}" for item in self.items)]
        return hashlib.sha256("\n".join(lines).encode(errors="surrogateescape")).hexdigest()[:16]

    def __len__(self) -> int:
        """Number of pictures."""
        return len(self.items)

    def read(self, index: int) -> ImageArray:
        """Decodes a picture, uint8 sRGB (H, W, 3), perhaps read-only; an ImageError names one that cannot be read."""
        item = self.items[index]
        return decode(item.load(), name=item.name, guard=self.guard)

    def subset(self, indices: Iterable[int]) -> "ImageSet":
        """The pictures at these places, in this order."""
        return replace(self, items=tuple(self.items[int(i)] for i in indices))

    def spread(self, count: int) -> "ImageSet":
        """At most `count` of the pictures, spread evenly over all."""
        if count >= len(self):
            return self
        return self.subset(np.linspace(0, len(self) - 1, count).astype(int))

    def held(self, *, short_side: int | None = None) -> "ImageSet":
        """The same pictures, decoded into memory.

        Args:
            short_side: greatest length of the short side, pixels: larger pictures are shrunk. None keeps every pixel.

        Raises:
            ImageError: names the first picture that cannot be read.
        """
        if short_side is not None and short_side < 1:
            raise ArgumentError(f"`short_side` must be at least 1. Received: {short_side}")
        with ThreadPoolExecutor(thread_count()) as pool:
            images = list(pool.map(partial(self._shrunk, short_side=short_side), range(len(self))))
        mark = "" if short_side is None else f"@{short_side}"
        pairs = zip(self.items, images, strict=True)
        return replace(
            self, items=tuple(replace(i, stamp=i.stamp + mark, load=partial(_same, image)) for i, image in pairs)
        )

    def _shrunk(self, index: int, *, short_side: int | None) -> ImageArray:
        image = self.read(index)
        if short_side is not None and min(image.shape[:2]) > short_side:
            image = fit_short_side(image, short_side, least=short_side)
        image.setflags(write=False)
        return image


def fit_short_side(image: ImageArray, side: int, *, least: int) -> ImageArray:
    """Resizes an image (H, W, 3) so that its short side has `side` pixels, or `least` if that is more."""
    side = max(side, least)
    height, width = image.shape[:2]
    scale = side / min(height, width)
    if scale == 1:
        return image
    size = (max(side, round(width * scale)), max(side, round(height * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, size, interpolation=method), dtype=np.uint8)


def decode(data: bytes | ImageArray, *, name: str, guard: Guard = nullcontext) -> ImageArray:
    """Decodes a picture for training.

    Args:
        data: the bytes of a picture file; an image is returned unchanged.
        name: name of the picture in error messages.
        guard: entered around the decoder, as in `read_image`.

    Returns:
        uint8 sRGB (H, W, 3), upright, with transparent parts on white.

    Raises:
        ImageError: if the picture is damaged, of an unknown format, or too large.
    """
    if isinstance(data, np.ndarray):
        return data
    if not data:
        raise ImageError(f"{one_line(name)} is empty (0 bytes)")
    return flatten(decode_image(data, name=one_line(name), limit=max_pixels(), guard=guard), "white").rgb


def stem(name: str) -> str:
    """A picture's file name without folders and suffix, in Unicode NFC, which some file systems change."""
    path = PurePosixPath(name)
    return unicodedata.normalize("NFC", path.stem if path.suffix.lower() in SUFFIXES else path.name)


def split(images: ImageSet, *, share: float = 0.1, seed: str = "kpalette") -> tuple[ImageSet, ImageSet]:
    """Splits a set in two by artist, in the same way on every machine: no artist is in both parts.

    Args:
        images: at least two pictures. The works of a single artist are split by name.
        share: chance of an artist to be in the second part, above 0 and below 1.
        seed: another seed gives another split.

    Returns:
        (pictures for training, pictures for selection), neither empty.

    Raises:
        ArgumentError: if there are fewer than two pictures, or `share` is out of range.
    """
    if not 0 < share < 1:
        raise ArgumentError(f"`share` must be above 0 and below 1. Received: {share}")
    if len(images) < 2:
        raise ArgumentError(f"`images` must hold at least 2 pictures to be split. Received: {len(images)}")
    choices = [[_artist_key(a) for a in images.artists], images.names, [str(i) for i in range(len(images))]]
    keys = next(choice for choice in choices if len(set(choice)) > 1)
    chances = {key: hash_share(f"{seed}/{key}") for key in keys}
    # If chance leaves a part empty, the nearest artist moves there.
    limit = min(max(share, np.nextafter(min(chances.values()), 1)), max(chances.values()))
    chosen = [chances[key] < limit for key in keys]
    return images.subset(np.flatnonzero(~np.array(chosen))), images.subset(np.flatnonzero(chosen))


def hash_share(text: str) -> float:
    """A number from 0 to 1 computed from a text, the same on every machine."""
    digest = hashlib.sha256(text.encode(errors="surrogateescape")).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


def _artist_key(artist: str) -> str:
    """One key for different spellings of an artist, such as "Paul Gauguin" and "paul-gauguin"."""
    words = "".join(c if c.isalnum() else " " for c in unicodedata.normalize("NFKC", artist).casefold()).split()
    return "-".join(words) or artist


def _same(image: ImageArray) -> ImageArray:
    return image
