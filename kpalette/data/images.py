"""Sets of pictures, how they are parted for training, and a small set that needs no files at all.

A picture is decoded when it is asked for: uint8 sRGB (H, W, 3), turned upright, transparency put on white.
"""

import hashlib
import importlib.resources
import unicodedata
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import PurePosixPath

import cv2
import numpy as np

from kpalette.color.gamut import reduce_chroma
from kpalette.color.spaces import lab_to_rgb, lch_to_lab
from kpalette.errors import ArgumentError, ImageError, one_line
from kpalette.images.decode import decode_image
from kpalette.images.files import SUFFIXES, max_pixels
from kpalette.images.picture import flatten, rgb_to_image
from kpalette.parallel import thread_count
from kpalette.types import FloatArray, ImageArray

GENERATED = 60
"""Painted pictures of the built-in set."""

_SHIPPED = ("astronaut.png", "chelsea.png", "coffee.png", "hubble_deep_field.jpg", "ihc.png", "motorcycle_left.png",
            "retina.jpg", "rocket.jpg")  # fmt: skip
_SIDE = 256
_PAINTER = "1"  # to be raised when `paint` changes


@dataclass(frozen=True)
class Item:
    """One picture of a set; `artist`, `style` and `split` are "" where unknown."""

    name: str
    stamp: str
    load: Callable[[], bytes | ImageArray]
    artist: str = ""
    style: str = ""
    split: str = ""


@dataclass(frozen=True, eq=False)
class ImageSet:
    """An immutable ordered collection of pictures, decoded when asked for.

    Attributes:
        source: where they come from.
        items: the pictures.
        skipped: lines "name: reason", one for each that the source does not hold whole.
        names: paths inside the source.
        artists: who painted each; where that is not known, its file name without suffix.
        styles: the style of each, "" where unknown.
        splits: the part that each belongs to, "train" or "test"; "" where the source has no parts.
    """

    source: str
    items: tuple[Item, ...]
    skipped: tuple[str, ...] = ()
    names: tuple[str, ...] = field(init=False, repr=False)
    artists: tuple[str, ...] = field(init=False, repr=False)
    styles: tuple[str, ...] = field(init=False, repr=False)
    splits: tuple[str, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Gathers what the items say."""
        for name, values in (
            ("names", (item.name for item in self.items)),
            ("artists", (item.artist or stem(item.name) for item in self.items)),
            ("styles", (item.style for item in self.items)),
            ("splits", (item.split for item in self.items)),
        ):
            object.__setattr__(self, name, tuple(values))

    @property
    def fingerprint(self) -> str:
        """Sixteen digits that stand for the pictures: the source's path, and names, sizes and times of change."""
        lines = [self.source, *(f"{item.name}\0{item.stamp}" for item in self.items)]
        return hashlib.sha256("\n".join(lines).encode(errors="surrogateescape")).hexdigest()[:16]

    def __len__(self) -> int:
        """Number of pictures."""
        return len(self.items)

    def read(self, index: int) -> ImageArray:
        """Decodes a picture: uint8 sRGB (H, W, 3), perhaps read-only; ImageError names one that cannot be read."""
        item = self.items[index]
        return decode(item.load(), name=item.name)

    def subset(self, indices: Iterable[int]) -> "ImageSet":
        """The pictures at these places, in this order."""
        return replace(self, items=tuple(self.items[int(i)] for i in indices))

    def spread(self, count: int) -> "ImageSet":
        """So many of the pictures, evenly over all; every picture where there are no more."""
        if count >= len(self):
            return self
        return self.subset(np.linspace(0, len(self) - 1, count).astype(int))

    def held(self, *, short_side: int | None = None) -> "ImageSet":
        """The same pictures decoded into memory, so that reading costs nothing.

        Args:
            short_side: what the shorter side is shrunk to where it is longer, pixels; None keeps every pixel.

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
    """Brings the short side of an image (H, W, 3) to `side` pixels, and in any case to `least`."""
    side = max(side, least)
    height, width = image.shape[:2]
    scale = side / min(height, width)
    if scale == 1:
        return image
    size = (max(side, round(width * scale)), max(side, round(height * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, size, interpolation=method), dtype=np.uint8)


def decode(data: bytes | ImageArray, *, name: str) -> ImageArray:
    """Decodes a picture for training.

    Args:
        data: the bytes of a picture file; an image is given back as it is.
        name: what errors call it.

    Returns:
        uint8 sRGB (H, W, 3), upright, transparency put on white.

    Raises:
        ImageError: if it is damaged, of no known format, or too large.
    """
    if isinstance(data, np.ndarray):
        return data
    if not data:
        raise ImageError(f"{one_line(name)} is empty (0 bytes)")
    return flatten(decode_image(data, name=one_line(name), limit=max_pixels()), "white").rgb


def stem(name: str) -> str:
    """A picture's file name without folders and suffix, composed (Unicode NFC) as file systems may not keep it."""
    path = PurePosixPath(name)
    return unicodedata.normalize("NFC", path.stem if path.suffix.lower() in SUFFIXES else path.name)


def split(images: ImageSet, *, share: float = 0.1, seed: str = "kpalette") -> tuple[ImageSet, ImageSet]:
    """Parts a set in two by artist, the same way on every machine: no artist is in both parts.

    Args:
        images: at least two pictures. Works of a single artist are parted by name.
        share: chance of an artist to go into the second part, above 0 and below 1.
        seed: another one parts differently.

    Returns:
        (for training, for choosing), neither empty.

    Raises:
        ArgumentError: if there are fewer than two pictures, or `share` is out of range.
    """
    if not 0 < share < 1:
        raise ArgumentError(f"`share` must be above 0 and below 1. Received: {share}")
    if len(images) < 2:
        raise ArgumentError(f"`images` must hold at least 2 pictures to be split. Received: {len(images)}")
    choices = [[_plain(a) for a in images.artists], images.names, [str(i) for i in range(len(images))]]
    keys = next(choice for choice in choices if len(set(choice)) > 1)
    chances = {key: hash_share(f"{seed}/{key}") for key in keys}
    # Where chance leaves a part empty, the nearest artist changes sides.
    limit = min(max(share, np.nextafter(min(chances.values()), 1)), max(chances.values()))
    chosen = [chances[key] < limit for key in keys]
    return images.subset(np.flatnonzero(~np.array(chosen))), images.subset(np.flatnonzero(chosen))


def hash_share(text: str) -> float:
    """A number from 0 to 1 that stands for a text, the same on every machine."""
    digest = hashlib.sha256(text.encode(errors="surrogateescape")).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


def _plain(artist: str) -> str:
    """One form for "Paul Gauguin" and "paul-gauguin"."""
    words = "".join(c if c.isalnum() else " " for c in unicodedata.normalize("NFKC", artist).casefold()).split()
    return "-".join(words) or artist


def _same(image: ImageArray) -> ImageArray:
    return image


def embedded() -> ImageSet:
    """A set that is there on every machine, to try training with: scikit-image's photographs and painted pictures.

    Returns:
        Up to 8 photographs, those that lie inside scikit-image's wheel, and `GENERATED` pictures of 256x256 pixels.
    """
    folder = importlib.resources.files("skimage") / "data"
    shipped = [(name, folder / name) for name in _SHIPPED if (folder / name).is_file()]
    photos = tuple(Item(name, "", path.read_bytes) for name, path in shipped)
    painted = tuple(Item(f"painted-{i:02d}", _PAINTER, partial(paint, i)) for i in range(GENERATED))
    return ImageSet("the built-in pictures", photos + painted)


def paint(number: int) -> ImageArray:
    """Paints a picture: colour clouds, discs and brush strokes under a texture.

    Args:
        number: which; the same number always gives the same picture.

    Returns:
        uint8 sRGB (256, 256, 3).
    """
    generator = np.random.default_rng([20, number])
    colors = _colors(generator)
    sharpness = generator.choice([0.5, 2.0, 8.0])
    clouds = np.stack([_noise(generator, int(generator.integers(2, 7))) for _ in colors], axis=-1)
    shares = np.exp(sharpness * clouds)
    canvas = (shares / shares.sum(axis=-1, keepdims=True)) @ colors
    for _ in range(generator.integers(4, 25)):
        mask = _mark(generator)[..., None] * generator.uniform(0.4, 1.0)
        canvas += mask * (colors[generator.integers(len(colors))] + generator.normal(0, 0.04, 3) - canvas)
    grain = _noise(generator, int(generator.integers(12, 40))) + _noise(generator, int(generator.integers(60, 160)))
    canvas *= 1 + generator.choice([0.01, 0.04, 0.1]) * grain[..., None]
    return rgb_to_image(canvas)


def _colors(generator: np.random.Generator) -> FloatArray:
    """Rgb (n, 3) of a scheme of colours: one or two families of hues, from dark to light, muted or vivid."""
    count = int(generator.integers(4, 9))
    families = generator.uniform(0, 360) + generator.choice([0.0, 120.0, 150.0, 180.0]) * (np.arange(count) % 2)
    hue = families + generator.normal(0, generator.choice([10.0, 30.0, 80.0]), count)
    lightness = np.linspace(generator.uniform(5, 35), generator.uniform(65, 97), count) + generator.normal(0, 5, count)
    chroma = generator.uniform(0.2, 1.2, count) * generator.choice([15.0, 40.0, 70.0])
    lch = np.stack([np.clip(lightness, 2, 98), chroma, hue], axis=-1)
    rgb: FloatArray = np.clip(lab_to_rgb(reduce_chroma(lch_to_lab(lch))), 0.0, 1.0)
    return rgb


def _noise(generator: np.random.Generator, cells: int) -> FloatArray:
    """Smooth noise (256, 256), `cells` bumps a side."""
    noise = generator.normal(size=(cells, cells))
    return np.asarray(cv2.resize(noise, (_SIDE, _SIDE), interpolation=cv2.INTER_CUBIC), dtype=np.float64)


def _mark(generator: np.random.Generator) -> FloatArray:
    """The coverage (256, 256), 0..1, of a soft disc or of a brush stroke."""
    mask = np.zeros((_SIDE, _SIDE), dtype=np.float32)
    start = generator.uniform(0, _SIDE, 2)
    if generator.random() < 0.5:
        cv2.circle(mask, start.astype(int).tolist(), int(generator.integers(6, 60)), 1.0, -1)
    else:
        turns = np.cumsum(np.append(generator.uniform(0, 6.3), generator.normal(0, 0.3, 12)))
        path = start + np.cumsum(12 * np.stack([np.cos(turns), np.sin(turns)], axis=-1), axis=0)
        cv2.polylines(mask, [path.astype(np.int32)], False, 1.0, int(generator.integers(3, 28)))
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), generator.choice([0.7, 1.5, 6.0])), dtype=np.float32)
