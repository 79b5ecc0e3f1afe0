"""The `tf.data` pipeline of training pairs; the only module of this room that needs TensorFlow."""

from functools import partial
from typing import Any

import tensorflow as tf

from kpalette.data.pairs import hue_rows, make_pair
from kpalette.data.samples import Draw, Sampler
from kpalette.types import MAX_COLORS

_unconverted = tf.autograph.experimental.do_not_convert
_AHEAD = 2  # batches prepared ahead of the step


def draws(sampler: Sampler, batch_size: int, *, start: int = 0, threads: int = 2) -> Any:
    """Batches of samples, for a step that makes the training pairs itself.

    Args:
        sampler: draws the samples.
        batch_size: samples of a batch.
        start: number of the first batch; a resumed run continues where it was.
        threads: threads that draw samples.

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
    loaded = positions.map(_unconverted(load), num_parallel_calls=threads, deterministic=True)
    return loaded.batch(batch_size, drop_remainder=True).prefetch(_AHEAD)


def pairs(dataset: Any, *, hue_rows: int, teach: bool = True, threads: int = 2) -> Any:
    """Maps batches of samples to training pairs (inputs, ab, weight).

    Args:
        dataset: of `draws`.
        hue_rows: as in `make_pair`.
        teach: as in `make_pair`.
        threads: threads that make pairs.

    Returns:
        A `tf.data.Dataset` of `Pair`.
    """
    pair = _unconverted(partial(make_pair, hue_rows=hue_rows, teach=teach))
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
    """Training pairs for Keras' fit: hue pairs, which show a picture under two turns of hue, and unrelated palettes.

    Args:
        images: a folder, a tar, or ArtBench-10 (`kpalette.data.sources.open_images`); the embedded pictures if None.
        batch_size: rows of a batch.
        crop: side of the training squares, pixels.
        image_size: length that the short side of each picture is resized to before cropping; a third more than `crop`
            if None.
        unrelated: share of rows with an unrelated palette, answered by the teacher, soft cluster turn.
        palettes: designed palettes, a JSON file; kpalette's presets if None.
        shuffle: whether each pass over the pictures has a new random order.
        natural: share of rows that keep the picture's own hues.
        seed: seed of all randomness; a seed always gives the same stream.
        start: number of the first batch.
        threads: threads that prepare samples.

    Returns:
        An endless `tf.data.Dataset` of (inputs, ab, weight): the inputs of `PaletteNet` by name, its answer
        (B, crop, crop, 2) in network range, and the weight of each pixel. `fit` needs `steps_per_epoch` with it.

    Raises:
        ImageError: if no picture can be read.

    Example:
        >>> pairs = kpalette.hue_pairs(None, batch_size=2, crop=16)
        >>> inputs, ab, weight = next(iter(pairs))
        >>> tuple(ab.shape), sorted(inputs)
        ((2, 16, 16, 2), ['lab', 'mask', 'source_palette', 'target_palette'])
    """
    sampler = Sampler.of(
        images, crop=crop, image_size=image_size, palettes=palettes, shuffle=shuffle, natural=natural, seed=seed
    )
    rows = hue_rows(batch_size, unrelated)
    return pairs(draws(sampler, batch_size, start=start, threads=threads), hue_rows=rows, threads=threads)
