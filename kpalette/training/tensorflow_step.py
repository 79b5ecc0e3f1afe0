"""The training step on TensorFlow: two networks, two optimizers, one batch."""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from functools import cache, partial
from typing import Any

import tensorflow as tf

from kpalette.data.pairs import hue_rows, make_pair
from kpalette.data.pipeline import draws, pairs
from kpalette.data.samples import Sampler
from kpalette.errors import ArgumentError
from kpalette.training.config import TrainConfig

Stepper = Callable[[Any], dict[str, Any]]
"""A function of a batch (a `Pair` or samples) that makes one step and returns the terms of both losses."""


def train_step(trainer: Any, data: Any) -> dict[str, Any]:
    """Makes one step of an `AdversarialTrainer`; both networks' gradients come from the weights before the step.

    Args:
        trainer: a compiled `AdversarialTrainer`.
        data: (inputs, ab, weight), see `kpalette.data.pairs.Pair`.

    Returns:
        The terms of both losses by name, scalars.
    """
    inputs, wanted, weight = data
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(_values(trainer.generator))
        total, logs, ab = trainer.generator_objective(inputs, wanted, weight)
        # Gradients of replicas are summed.
        share = total / replicas
    steps = [(trainer.optimizer, trainer.generator, tape.gradient(share, _values(trainer.generator)))]
    if trainer.discriminator is not None:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(_values(trainer.discriminator))
            loss, more = trainer.discriminator_objective(inputs, ab)
            share = loss / replicas
        logs = {**logs, **more}
        gradients = tape.gradient(share, _values(trainer.discriminator))
        steps.append((trainer.discriminator_optimizer, trainer.discriminator, gradients))
    if replicas > 1:
        steps = _clipped(steps, replicas)
    for optimizer, network, gradients in steps:
        optimizer.apply(gradients, network.trainable_variables)
    return dict(logs)


def _values(network: Any) -> list[Any]:
    return [variable.value for variable in network.trainable_variables]


def _clipped(steps: list[Any], replicas: int) -> list[Any]:
    """Sums the gradients of all replicas and clips the sum; an optimizer would clip first and then sum."""
    flat = [gradient for _, _, gradients in steps for gradient in gradients]
    summed = iter(tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, flat))
    result = []
    for optimizer, network, gradients in steps:
        own = [next(summed) for _ in gradients]
        if optimizer.global_clipnorm:
            own, _ = tf.clip_by_global_norm(own, optimizer.global_clipnorm)
        # The optimizer sums once more.
        result.append((optimizer, network, [gradient / replicas for gradient in own]))
    return result


def make_stepper(trainer: Any, *, hue_rows: int, teach: bool, strategy: Any = None) -> Stepper:
    """Compiles the step.

    Args:
        trainer: a compiled `AdversarialTrainer`, built under `strategy` if there is one.
        hue_rows: as in `make_pair`, for the rows of one replica.
        teach: as in `make_pair`.
        strategy: a strategy of `tf.distribute`, or None.

    Returns:
        A function of a batch: a `Pair`, or samples, of which the step makes the training pairs.
    """
    pair = partial(make_pair, hue_rows=hue_rows, teach=teach)

    def step(batch: Any) -> dict[str, Any]:
        return train_step(trainer, pair(batch) if isinstance(batch, dict) else batch)

    if strategy is None:
        compiled: Stepper = tf.function(step, autograph=False)
        return compiled

    def shared(batch: Any) -> dict[str, Any]:
        logs = strategy.run(step, args=(batch,))
        return {name: strategy.reduce("MEAN", value, axis=None) for name, value in logs.items()}

    compiled = tf.function(shared, autograph=False)
    return compiled


class TensorflowBackend:
    """Training on TensorFlow. Training pairs are made by the step on GPUs, and by the data pipeline on CPUs.

    Args:
        config: options of the run.
        sampler: of the training split.
        build: builds the trainer; called under a strategy if there are several devices.

    Example:
        >>> backend = TensorflowBackend(config, sampler, build)  # doctest: +SKIP
        >>> losses = backend.step(next(backend.batches(0)))  # doctest: +SKIP
    """

    def __init__(self, config: TrainConfig, sampler: Sampler, build: Callable[[], Any]) -> None:
        """See the class."""
        self.config, self.sampler = config, sampler
        self.on_gpu = bool(tf.config.list_physical_devices("GPU"))
        if self.on_gpu:
            # Pictures are decoded once, since a GPU is faster than any decoder.
            self.sampler = replace(sampler, images=sampler.images.held(short_side=sampler.held_size))
        self.strategy = _strategy(config.devices) if config.devices > 1 else None
        with self.strategy.scope() if self.strategy else nullcontext():
            self.trainer = build()
        self._answer = tf.function(self.trainer.generator, autograph=False, reduce_retracing=True)
        self.rows = config.batch_size // config.devices
        self.hue_rows = hue_rows(self.rows, config.unrelated)
        self.step = make_stepper(self.trainer, hue_rows=self.hue_rows, teach=config.teach, strategy=self.strategy)

    def batches(self, start: int) -> Iterator[Any]:
        """The endless stream of batches from batch `start` on."""
        if self.strategy is None:
            return iter(self._dataset(start))
        first = start * self.config.devices
        return iter(self.strategy.distribute_datasets_from_function(lambda _: self._dataset(first)))

    def _dataset(self, start: int) -> Any:
        dataset = draws(self.sampler, self.rows, start=start, threads=self.config.threads)
        if self.on_gpu:
            return dataset
        return pairs(dataset, hue_rows=self.hue_rows, teach=self.config.teach, threads=self.config.threads)

    def predict(self, inputs: dict[str, Any]) -> Any:
        """The generator's ab (B, H, W, 2) as NumPy float32, computed with Keras' variables."""
        # Keras' own predict would give the whole batch to each replica, and join the answers.
        return self._answer({name: tf.constant(inputs[name]) for name in self.trainer.generator.input}).numpy()

    def store(self) -> None:
        """Does nothing: Keras' variables are the state."""

    def reload(self) -> None:
        """Does nothing; see `store`."""


@cache
def _strategy(devices: int) -> Any:
    # One per process: TensorFlow confuses the collective operations of a second strategy with those of the first.
    found = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    if len(found) < devices:
        raise ArgumentError(f"`devices` is {devices}, but TensorFlow finds {len(found)}: {[d.name for d in found]}")
    return tf.distribute.MirroredStrategy([device.name for device in found[:devices]])
