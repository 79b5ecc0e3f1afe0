"""What chance decides for each sample, without state: the same seed and position always give the same draw.

A training run is one endless stream of samples: position p is the (p mod n)-th picture of pass p // n over n pictures,
in an order of that pass. A resumed run goes on at its position, whatever happened before.
"""

import hashlib
import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
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
_noted: set[str] = set()

Draw = dict[str, NDArray[np.generic]]
"""One sample or a batch of them; see `kpalette.data.pairs.make_pair` for names, shapes and ranges."""

_FOUR = 0.5  # how often a sample has as many colours as by default, else any number
_CURVED, _CURVES = 0.3, (0.6, 0.35)  # how often lightness is bent, and by how much at most
_REORDERED = 0.15  # how often swatches are assigned at random: users do not always match by lightness
_SAME = 0.05  # how often a hue pair asks for what is there already
_MARGIN = 4 / 3  # how much more of a picture there is than a square shows
_LONGEST = 4  # what a strip is cut to, in short sides: enlarged whole, it would fill the memory
_AHEAD = 3  # batches that wait for the step


@dataclass(frozen=True, eq=False)
class Sampler:
    """Draws samples by position.

    Attributes:
        images: the pictures.
        swatches: their palettes, row by row.
        designed: palettes, CIELAB (k, 3) each, of which half of the unrelated ones are taken.
        crop: side of the square that a sample shows, pixels.
        image_size: what the short side of every picture is brought to before, pixels.
        shuffle: whether every pass has an order of its own.
        natural: share of samples that show the picture in its own hues.
        seed: of all randomness.
    """

    images: ImageSet
    swatches: SwatchTable
    designed: Sequence[NDArray[np.float64]]
    crop: int
    image_size: int
    shuffle: bool = True
    natural: float = 0.5
    seed: int = 0

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
        """A sampler of a source of pictures, all of it; arguments as in `kpalette.hue_pairs`."""
        found = images if isinstance(images, ImageSet) else open_images(images)
        usable, swatches, _ = extract_swatches(found)
        return cls(
            usable, swatches, designed_palettes(palettes, part="train"), crop, image_size or default_size(crop),
            shuffle, natural, seed,
        )  # fmt: skip

    @property
    def held_size(self) -> int:
        """Short side, in pixels, that pictures held in memory need."""
        return max(self.image_size, self.crop)

    @property
    def digest(self) -> str:
        """Sixteen digits that stand for the pictures by name and colours, wherever they lie."""
        found = hashlib.sha256("\n".join(self.images.names).encode(errors="surrogateescape"))
        found.update(np.ascontiguousarray(self.swatches.lab).tobytes())
        return found.hexdigest()[:16]

    def read(self, index: int) -> tuple[int, ImageArray]:
        """A picture and its place; one that can be read no more gives way to the next that can, with a note."""
        for place in (*range(index, len(self.images)), *range(index)):
            try:
                return place, self.images.read(place)
            except ImageError as error:
                if self.images.names[place] not in _noted:
                    _noted.add(self.images.names[place])
                    _log.warning("left out from now on: %s", error)
        raise ImageError("none of the training pictures can be read any more")

    def index(self, position: int) -> int:
        """Which picture stands at a position of the stream."""
        passed, offset = divmod(position, len(self.images))
        if not self.shuffle:
            return offset
        return int(_order(self.seed, passed, len(self.images))[offset])

    def draw(self, position: int) -> Draw:
        """The sample at a position of the stream, without batch dimension; float32 but for the image."""
        index, image = self.read(self.index(position))
        generator = np.random.default_rng([self.seed, *divmod(position, len(self.images)), 1])
        asked = DEFAULT_COLORS if generator.random() < _FOUR else int(generator.integers(MIN_COLORS, MAX_COLORS + 1))
        palettes = self.palettes(index, asked, generator)
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

    def _crop(self, image: ImageArray, generator: np.random.Generator) -> ImageArray:
        image = fit_short_side(segment(image, at=generator.random()), self.image_size, least=self.crop)
        top, left = (int(generator.integers(side - self.crop + 1)) for side in image.shape[:2])
        cut = image[top : top + self.crop, left : left + self.crop]
        return np.ascontiguousarray(cut[:, ::-1] if generator.random() < 0.5 else cut)

    def palettes(
        self, index: int, asked: int, generator: np.random.Generator, *, reordered: float = _REORDERED
    ) -> Draw:
        """A picture's palette and an unrelated one.

        Args:
            index: of the picture.
            asked: swatches, of which a picture of few colours has fewer.
            generator: of the randomness.
            reordered: as in `unrelated`.

        Returns:
            "source_palette" and "wanted_palette" (8, 3) and "mask" (8,), as `make_pair` takes them.
        """
        source = self.swatches.lab[index, asked - MIN_COLORS].astype(np.float32)
        count = int(self.swatches.count[index, asked - MIN_COLORS])
        wanted = np.zeros_like(source)
        wanted[:count] = self.unrelated(count, generator, reordered=reordered)
        mask = (np.arange(MAX_COLORS) < count).astype(np.float32)
        return {"source_palette": source, "wanted_palette": wanted, "mask": mask}

    def unrelated(self, size: int, generator: np.random.Generator, *, reordered: float = _REORDERED) -> FloatArray:
        """A palette that another picture or a designer chose.

        Args:
            size: swatches.
            generator: of the randomness.
            reordered: how often the swatches come in any order instead of darkest first.

        Returns:
            CIELAB (size, 3).
        """
        row, column = int(generator.integers(len(self.images))), max(size, MIN_COLORS) - MIN_COLORS
        # Of a picture with fewer colours, some are asked for twice.
        found: FloatArray = np.resize(self.swatches.lab[row, column, : self.swatches.count[row, column]], (size, 3))
        if len(self.designed) and (generator.random() < 0.5 or self.swatches.count[row, column] < size):
            chosen = choose(self.designed[int(generator.integers(len(self.designed)))], size, generator)
            found = found if chosen is None else chosen
        found = found[np.argsort(found[:, 0], kind="stable")]
        return generator.permutation(found) if generator.random() < reordered else found


@lru_cache(maxsize=4)
def _order(seed: int, passed: int, size: int) -> NDArray[np.int64]:
    """The order of a pass: asked for by every sample, and as long as the set."""
    return np.random.default_rng([seed, passed]).permutation(size)


def default_size(crop: int) -> int:
    """What pictures' short side is brought to unless told: a third more than a square shows."""
    return round(crop * _MARGIN)


def segment(image: ImageArray, *, at: float) -> ImageArray:
    """Cuts very long pictures (H, W, 3) to four times their short side, from the share `at` of what is left over."""
    longest = _LONGEST * min(image.shape[:2])
    top, left = (int(at * max(0, side - longest)) for side in image.shape[:2])
    return image[top : top + longest, left : left + longest]


def stack(draws: Sequence[Draw]) -> Draw:
    """Draws to a batch."""
    return {name: np.stack([draw[name] for draw in draws]) for name in draws[0]}


def batches(sampler: Sampler, batch_size: int, *, start: int = 0, threads: int = 2) -> Iterator[Draw]:
    """The stream in batches, from batch `start` on, endless; drawn ahead by threads, and without any framework."""
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
