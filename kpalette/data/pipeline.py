"""The `tf.data` pipeline of training pairs; the only module of this floor that needs TensorFlow."""

from functools import partial
from typing import Any

import tensorflow as tf

from kpalette.data.pairs import hue_rows, make_pair
from kpalette.data.samples import Draw, Sampler
from kpalette.types import MAX_COLORS

_as_it_is = tf.autograph.experimental.do_not_convert
_AHEAD = 2  # batches that wait for the step


def draws(sampler: Sampler, batch_size: int, *, start: int = 0, threads: int = 2) -> Any:
    """The sampler's stream in batches, before any colour is changed: for pairs that the step itself makes.

    Args:
        sampler: draws by position, without state.
        batch_size: samples of a batch.
        start: the batch to start from; a resumed run goes on where it was.
        threads: samples drawn at a time.

    Returns:
        An endless `tf.data.Dataset` of dictionaries as `make_pair` takes them, uint8 and float32.
    """
    shapes = {
        "image": ((sampler.crop, sampler.crop, 3), tf.uint8),
        "source_palette": ((MAX_COLORS, 3), tf.float32),
        "wanted_palette": ((MAX_COLORS, 3), tf.float32),
        "mask": ((MAX_COLORS,), tf.float32),
        "shifts": ((2,), tf.float32),
        "curves": ((2,), tf.float32),
    }  # fmt: skip

    def draw(position: Any) -> list[Any]:
        sample: Draw = sampler.draw(int(position))
        return [sample[name] for name in shapes]

    def load(position: Any) -> dict[str, Any]:
        values = tf.numpy_function(draw, [position], [dtype for _, dtype in shapes.values()], stateful=False)
        named = zip(shapes.items(), values, strict=True)
        return {name: tf.ensure_shape(value, shape) for (name, (shape, _)), value in named}

    positions = tf.data.Dataset.range(start * batch_size, tf.int64.max)
    loaded = positions.map(_as_it_is(load), num_parallel_calls=threads, deterministic=True)
    return loaded.batch(batch_size, drop_remainder=True).prefetch(_AHEAD)


def pairs(dataset: Any, *, hue_rows: int, teach: bool = True, threads: int = 2) -> Any:
    """Maps draws to pairs (inputs, ab, weight); arguments as in `make_pair`."""
    pair = _as_it_is(partial(make_pair, hue_rows=hue_rows, teach=teach))
    return dataset.map(pair, num_parallel_calls=threads, deterministic=True).prefetch(_AHEAD)


def hue_pairs(
    images: Any,
    *,
    batch_size: int = 8,
    crop: int = 96,
    image_size: int | None = None,
    unrelated: float = 0.5,
    palettes: Any = None,
    shuffle: bool = True,
    natural: float = 0.5,
    seed: int = 0,
    start: int = 0,
    threads: int = 2,
) -> Any:
    """Training pairs for Keras' fit: pictures under two turns of hue at their own lightness, and unrelated palettes.

    Args:
        images: a folder, a tar, or ArtBench-10 (`kpalette.data.sources.open_images`); the embedded pictures if None.
        batch_size: rows of a batch.
        crop: side of the squares, pixels.
        image_size: what the pictures' short side is brought to before; a third more than `crop` if None.
        unrelated: share of rows that ask for an unrelated palette, whose answer is the teacher's, soft cluster turn.
        palettes: designed palettes, a JSON file; kpalette's presets if None.
        shuffle: whether every pass over the pictures has an order of its own.
        natural: share of rows that show the picture in its own hues.
        seed: of all randomness: the same seed gives the same stream.
        start: the batch to start from.
        threads: samples prepared at a time.

    Returns:
        An endless `tf.data.Dataset` of (inputs, ab, weight): the inputs of `PaletteNet` by name, its answer
        (B, crop, crop, 2) in network range, and what each pixel counts. Give `fit` its `steps_per_epoch`.

    Raises:
        ImageError: if there are no pictures that can be read.
    """
    sampler = Sampler.of(
        images, crop=crop, image_size=image_size, palettes=palettes, shuffle=shuffle, natural=natural, seed=seed
    )
    rows = hue_rows(batch_size, unrelated)
    return pairs(draws(sampler, batch_size, start=start, threads=threads), hue_rows=rows, threads=threads)
