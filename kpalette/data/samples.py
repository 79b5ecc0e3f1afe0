"""Random samples without state: the same seed and position always give the same sample.

A training run reads one endless stream of samples. Position p of the stream is the (p mod n)-th picture of pass p // n
over n pictures, in the order of that pass. So a resumed run continues exactly at its position.
"""

import hashlib
import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kpalette.data.designed import choose, designed_palettes
from kpalette.data.image_set import ImageSet, fit_short_side
from kpalette.data.sources import open_images
from kpalette.data.swatches import SwatchTable, extract_swatches
from kpalette.errors import ImageError
from kpalette.types import DEFAULT_COLORS, MAX_COLORS, MIN_COLORS, FloatArray, ImageArray

_log = logging.getLogger(__name__)

Draw = dict[str, NDArray[np.generic]]
"""One sample or a batch of them; see `kpalette.data.pairs.make_pair` for names, shapes and ranges."""

_FOUR = 0.5  # share of samples with the default number of colours; the others have any number
_CURVED, _CURVES = 0.3, (0.6, 0.35)  # share of samples with a curve of lightness, and the largest p and q
_REORDERED = 0.15  # share of samples whose swatches are assigned at random: users do not always match by lightness
_SAME = 0.05  # share of hue pairs whose target is the picture's own palette
_MARGIN = 4 / 3  # short side of a picture, in sides of a square
_LONGEST = 4  # length of the longest strip, in short sides: enlarging a longer one would fill the memory
_AHEAD = 3  # batches prepared ahead of the step

HELD_BYTES = 256_000_000
"""Bytes of resized pictures that a sampler keeps, about: 2,900 pictures for squares of 128 pixels."""


@dataclass(frozen=True, eq=False)
class Sampler:
    """Draws the samples of a stream by their position.

    Attributes:
        images: the pictures.
        swatches: the pictures' palettes.
        designed: designed palettes, CIELAB (k, 3) each; half of the unrelated palettes are taken from them.
        crop: side of the square of a sample, pixels.
        image_size: length that the short side of each picture is resized to before cropping, pixels.
        shuffle: whether each pass has a new random order.
        natural: share of samples that keep the picture's own hues.
        seed: seed of all randomness.

    Example:
        >>> from kpalette.data.builtin import embedded
        >>> sampler = Sampler.of(embedded().subset([8, 9]), crop=16)
        >>> sampler.draw(0)["image"].shape, sampler.index(5)
        ((16, 16, 3), 1)
    """

    images: ImageSet
    swatches: SwatchTable
    designed: Sequence[NDArray[np.float64]]
    crop: int
    image_size: int
    shuffle: bool = True
    natural: float = 0.5
    seed: int = 0
    _unreadable: set[str] = field(default_factory=set, init=False, repr=False)
    _resized: dict[int, ImageArray] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def of(
        cls,
        images: str | Path | ImageSet | None,
        *,
        crop: int,
        image_size: int | None = None,
        palettes: str | Path | None = None,
        shuffle: bool = True,
        natural: float = 0.5,
        seed: int = 0,
    ) -> "Sampler":
        """A sampler of all pictures of a source; arguments as in `kpalette.hue_pairs`."""
        found = images if isinstance(images, ImageSet) else open_images(images)
        usable, swatches, _ = extract_swatches(found)
        return cls(
            usable, swatches, designed_palettes(palettes, part="train"), crop, image_size or default_size(crop),
            shuffle, natural, seed,
        )  # fmt: skip

    @property
    def held_size(self) -> int:
        """The short side that pictures need when they are held in memory, pixels."""
        return max(self.image_size, self.crop)

    @property
    def digest(self) -> str:
        """Sixteen digits that identify the pictures by names and colours; they do not depend on the folder."""
        found = hashlib.sha256("\n".join(self.images.names).encode(errors="surrogateescape"))
        found.update(np.ascontiguousarray(self.swatches.lab).tobytes())
        return found.hexdigest()[:16]

    def read(self, index: int) -> tuple[int, ImageArray]:
        """Reads a picture, or the next one that can be read, with a warning.

        Args:
            index: of the picture.

        Returns:
            The index of the picture that was read, and the picture.

        Raises:
            ImageError: if no picture can be read any more.
        """
        for place in (*range(index, len(self.images)), *range(index)):
            try:
                return place, self.images.read(place)
            except ImageError as error:
                if self.images.names[place] not in self._unreadable:
                    self._unreadable.add(self.images.names[place])
                    _log.warning("left out from now on: %s", error)
        raise ImageError("none of the training pictures can be read any more")

    def index(self, position: int) -> int:
        """The index of the picture at a position of the stream."""
        passed, offset = divmod(position, len(self.images))
        if not self.shuffle:
            return offset
        return int(_order(self.seed, passed, len(self.images))[offset])

    def draw(self, position: int) -> Draw:
        """Draws the sample at a position of the stream; float32 except the image, without batch dimension."""
        index, image = self._resized_picture(self.index(position))
        generator = np.random.default_rng([self.seed, *divmod(position, len(self.images)), 1])
        size = DEFAULT_COLORS if generator.random() < _FOUR else int(generator.integers(MIN_COLORS, MAX_COLORS + 1))
        palettes = self.palettes(index, size, generator)
        shifts = generator.random(2)
        if generator.random() < self.natural:
            shifts[0] = 0.0
        if generator.random() < _SAME:
            shifts[1] = shifts[0]
        curves = generator.uniform(-1.0, 1.0, 2) * _CURVES * (generator.random() < _CURVED)
        return {
            "image": self._crop(image, generator),
            **palettes,
            "shifts": shifts.astype(np.float32),
            "curves": curves.astype(np.float32),
        }

    def _resized_picture(self, index: int) -> tuple[int, ImageArray]:
        """`read`, and the picture at the size that squares are cut from; kept in memory as long as there is room.

        Very long pictures stay as they are: of these, a part is resized.
        """
        held = self._resized.get(index)
        if held is not None:
            return index, held
        place, image = self.read(index)
        if max(image.shape[:2]) > _LONGEST * min(image.shape[:2]):
            return place, image
        image = fit_short_side(image, self.image_size, least=self.crop)
        if place == index and (len(self._resized) + 1) * image.nbytes <= HELD_BYTES:
            self._resized[index] = image
        return place, image

    def _crop(self, image: ImageArray, generator: np.random.Generator) -> ImageArray:
        image = fit_short_side(segment(image, at=generator.random()), self.image_size, least=self.crop)
        top, left = (int(generator.integers(side - self.crop + 1)) for side in image.shape[:2])
        cut = image[top : top + self.crop, left : left + self.crop]
        return np.ascontiguousarray(cut[:, ::-1] if generator.random() < 0.5 else cut)

    def palettes(self, index: int, size: int, generator: np.random.Generator, *, reordered: float = _REORDERED) -> Draw:
        """Draws a picture's palette and an unrelated one.

        Args:
            index: of the picture.
            size: number of swatches; a picture with fewer colours has fewer.
            generator: source of randomness.
            reordered: as in `unrelated`.

        Returns:
            "source_palette" and "wanted_palette" (8, 3) and "mask" (8,), as `make_pair` takes them.
        """
        source = self.swatches.lab[index, size - MIN_COLORS].astype(np.float32)
        count = int(self.swatches.count[index, size - MIN_COLORS])
        wanted = np.zeros_like(source)
        wanted[:count] = self.unrelated(count, generator, reordered=reordered)
        mask = (np.arange(MAX_COLORS) < count).astype(np.float32)
        return {"source_palette": source, "wanted_palette": wanted, "mask": mask}

    def unrelated(self, size: int, generator: np.random.Generator, *, reordered: float = _REORDERED) -> FloatArray:
        """Draws the palette of another picture or a designed one.

        Args:
            size: number of swatches.
            generator: source of randomness.
            reordered: chance that the swatches are in random order instead of darkest first.

        Returns:
            CIELAB (size, 3).
        """
        row, column = int(generator.integers(len(self.images))), max(size, MIN_COLORS) - MIN_COLORS
        # If a picture has fewer colours, some occur twice.
        found: FloatArray = np.resize(self.swatches.lab[row, column, : self.swatches.count[row, column]], (size, 3))
        if len(self.designed) and (generator.random() < 0.5 or self.swatches.count[row, column] < size):
            chosen = choose(self.designed[int(generator.integers(len(self.designed)))], size, generator)
            found = found if chosen is None else chosen
        found = found[np.argsort(found[:, 0], kind="stable")]
        return generator.permutation(found) if generator.random() < reordered else found


@lru_cache(maxsize=4)
def _order(seed: int, passed: int, size: int) -> NDArray[np.int64]:
    """The order of a pass; cached, since every sample needs it."""
    return np.random.default_rng([seed, passed]).permutation(size)


def default_size(crop: int) -> int:
    """The default length of the pictures' short side: a third more than the square."""
    return round(crop * _MARGIN)


def segment(image: ImageArray, *, at: float) -> ImageArray:
    """Cuts very long pictures (H, W, 3) to four times their short side; `at` is 0 at one end and 1 at the other."""
    longest = _LONGEST * min(image.shape[:2])
    top, left = (int(at * max(0, side - longest)) for side in image.shape[:2])
    return image[top : top + longest, left : left + longest]


def stack(draws: Sequence[Draw]) -> Draw:
    """Stacks samples to a batch."""
    return {name: np.stack([draw[name] for draw in draws]) for name in draws[0]}


def batches(sampler: Sampler, batch_size: int, *, start: int = 0, threads: int = 2) -> Iterator[Draw]:
    """The stream of samples in batches, drawn ahead by threads; needs no framework.

    Args:
        sampler: draws the samples.
        batch_size: samples of a batch.
        start: number of the first batch.
        threads: threads that draw samples.

    Yields:
        Batches without end.
    """
    with ThreadPoolExecutor(threads) as pool:

        def begin(number: int) -> list[Future[Draw]]:
            return [pool.submit(sampler.draw, number * batch_size + i) for i in range(batch_size)]

        waiting = [begin(start + i) for i in range(_AHEAD)]
        number = start + _AHEAD
        try:
            while True:
                yield stack([future.result() for future in waiting.pop(0)])
                waiting.append(begin(number))
                number += 1
        finally:
            for future in (future for part in waiting for future in part):
                future.cancel()
