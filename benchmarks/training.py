"""Time of a training step and of what feeds it, and whether memory stays flat; prints a table.

    python benchmarks/training.py step [--filters 64] [--size 128] [--batch 8] [--repeats 10]
    python benchmarks/training.py memory [--steps 2000] [--images PICTURES]

`step`: PaletteNet's step of phase 1 and its forward pass at 256x256, each beside a plain U-Net of the same widths
without palette layers, in turns in one process; and the images a second of the pipeline alone. `memory`: a run of tiny
crops, its resident memory every 200 steps (Linux).
"""

import argparse
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kpalette.data.pipeline import draws, pairs
from kpalette.data.samples import Sampler
from kpalette.data.sources import open_images
from kpalette.models.layers import instance_norm
from kpalette.training.config import TrainConfig
from kpalette.training.networks import build_trainer, resolve_precision
from kpalette.training.tensorflow_step import TensorflowBackend, make_stepper


def plain_u_net(filters: int) -> keras.Model:
    """PaletteNet's widths, blocks and head, without FiLM, attention and swatches."""
    conv = partial(keras.layers.Conv2D, padding="same", kernel_initializer="he_normal")
    number = iter(range(100))

    def norm_act(x: Any, *, affine: bool = True) -> Any:
        return keras.layers.ReLU()(instance_norm(name=f"norm{next(number)}", affine=affine)(x))

    def down(x: Any, channels: int) -> Any:
        y = norm_act(conv(channels, 3, strides=2, use_bias=False)(x))
        y = instance_norm(name=f"norm{next(number)}", affine=True)(conv(channels, 3, use_bias=False)(y))
        return keras.layers.ReLU()(keras.layers.Add()([y, conv(channels, 1, strides=2)(x)]))

    def up(parts: list[Any], channels: int) -> Any:
        x = keras.layers.Concatenate()(parts) if len(parts) > 1 else parts[0]
        x = keras.layers.UpSampling2D(2, interpolation="bilinear")(conv(channels, 3, use_bias=False)(x))
        return norm_act(x)

    lab = keras.Input((None, None, 3), name="lab")
    c4 = keras.layers.MaxPooling2D(2)(norm_act(conv(filters, 3, use_bias=False)(lab)))
    c3 = down(c4, 2 * filters)
    c2 = down(c3, 4 * filters)
    d1 = up([down(c2, 8 * filters)], 4 * filters)
    d2 = up([c2, d1], 2 * filters)
    d3 = up([c3, d2], filters)
    d4 = up([c4, d3], filters)
    head = keras.layers.Concatenate()([lab[..., :1], d4])
    return keras.Model(lab, keras.layers.Conv2D(2, 3, padding="same", activation="tanh", dtype="float32")(head))


def batch(size: int, side: int) -> tuple[Any, Any, Any]:
    """Random inputs, answer and weight."""
    generator = np.random.default_rng(0)
    palettes = generator.uniform(-0.5, 0.5, (2, size, 8, 3)).astype(np.float32)
    inputs = {
        "lab": generator.uniform(-0.5, 0.5, (size, side, side, 3)).astype(np.float32),
        "source_palette": palettes[0], "target_palette": palettes[1],
        "mask": np.tile(np.arange(8) < 4, (size, 1)).astype(np.float32),
    }  # fmt: skip
    wanted = np.zeros((size, side, side, 2), np.float32)
    return tf.nest.map_structure(tf.constant, (inputs, wanted, np.ones((size, side, side), np.float32)))


def in_turns(functions: dict[str, Callable[[], Any]], repeats: int) -> dict[str, float]:
    """Median seconds of each function, called in turns so that all meet the same machine."""
    for function in functions.values():
        function()
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(repeats):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def measure_step(options: argparse.Namespace) -> None:
    """Prints steps and forward passes beside the plain U-Net's, and the pipeline's speed."""
    precision = resolve_precision("auto") if options.precision == "auto" else options.precision
    config = TrainConfig(filters=options.filters, precision=precision)
    trainer = build_trainer(config, steps_per_epoch=100)
    keras.config.set_dtype_policy(precision)
    plain, optimizer = plain_u_net(options.filters), keras.optimizers.Adam(1e-4, global_clipnorm=1.0)
    keras.config.set_dtype_policy("float32")
    optimizer.build(plain.trainable_variables)
    data = batch(options.batch, options.size)
    step = make_stepper(trainer, hue_rows=options.batch // 2, teach=True)

    @tf.function(autograph=False)
    def plain_step() -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((plain(data[0]["lab"], training=True) - data[1]) ** 2)
        optimizer.apply(tape.gradient(loss, plain.trainable_variables), plain.trainable_variables)
        return loss

    picture = batch(1, 256)[0]
    forward = tf.function(lambda: trainer.generator({n: picture[n] for n in trainer.generator.input}), autograph=False)
    plain_forward = tf.function(lambda: plain(picture["lab"]), autograph=False)
    for what, ours, theirs in (
        (f"step, batch {options.batch}, {options.size}x{options.size}", lambda: step(data), plain_step),
        ("forward 256x256", forward, plain_forward),
    ):
        found = in_turns({"ours": ours, "plain": theirs}, options.repeats)
        ratio = found["ours"] / found["plain"]
        seconds = f"{found['ours']:.3f} s, plain U-Net {found['plain']:.3f} s, ratio {ratio:.2f}"
        print(f"{what}, filters {options.filters}, {precision}: {seconds}")
        if what.startswith("step"):
            consumed = options.batch / found["ours"]
    fed = pipeline_speed(options)
    print(f"pipeline {fed:.0f} images/s, step {consumed:.1f} images/s, ratio {fed / consumed:.1f}")


def pipeline_speed(options: argparse.Namespace) -> float:
    """Images a second of the tf.data pipeline, pairs included, with nothing else to do."""
    sampler = Sampler.of(open_images(options.images), crop=options.size)
    dataset = pairs(draws(sampler, options.batch), hue_rows=options.batch // 2)
    stream: Iterator[Any] = iter(dataset)
    for _ in range(5):
        next(stream)
    start = time.perf_counter()
    for _ in range(40):
        next(stream)
    return 40 * options.batch / (time.perf_counter() - start)


def measure_memory(options: argparse.Namespace) -> None:
    """Prints resident memory of a run, every 200 steps."""
    with tempfile.TemporaryDirectory() as folder:
        config = TrainConfig(images=options.images, run=folder, filters=8, crop=32, batch_size=8)
        sampler = Sampler.of(options.images, crop=config.crop)
        backend = TensorflowBackend(config, sampler, partial(build_trainer, config, steps_per_epoch=options.steps))
        stream = backend.batches(0)
        resident = {}
        for step in range(1, options.steps + 1):
            backend.step(next(stream))
            if step % 200 == 0:
                pages = int(open("/proc/self/statm").read().split()[1])
                resident[step] = pages * resource.getpagesize() / 1e6
                print(f"step {step}: {resident[step]:.0f} MB", flush=True)
    values = list(resident.values())
    print(f"after step 200 memory grew by at most {100 * (max(values) / values[0] - 1):.1f} %")


def main() -> None:
    """Runs what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("step", "memory"))
    parser.add_argument("--filters", type=int, default=64)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--images")
    options = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    (measure_step if options.what == "step" else measure_memory)(options)


if __name__ == "__main__":
    sys.exit(main())
