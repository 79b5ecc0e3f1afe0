"""The training step on JAX: the losses of `AdversarialTrainer`, with all variables as one explicit state.

Keras' own `fit` on JAX supports one optimizer, but two networks need two. Nothing here needs TensorFlow.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import keras
import numpy as np

from kpalette.data.pairs import hue_rows, make_pair
from kpalette.data.samples import Sampler, batches
from kpalette.errors import ArgumentError
from kpalette.training.config import TrainConfig

State = dict[str, list[Any]]


class _Held:
    """The variables of a trainer in groups, with conversions to a state and back."""

    def __init__(self, trainer: Any) -> None:
        networks = {"g": trainer.generator, "d": trainer.discriminator}
        optimizers = {"g": trainer.optimizer, "d": trainer.discriminator_optimizer}
        self.groups: dict[str, list[Any]] = {}
        for key, network in networks.items():
            if network is not None:
                self.groups[f"{key}_trained"] = list(network.trainable_variables)
                self.groups[f"{key}_others"] = list(network.non_trainable_variables)
                self.groups[f"{key}_optimizer"] = list(optimizers[key].variables)

    def state(self) -> State:
        # Copies, since the step donates the memory of its arguments.
        return {name: [jax.numpy.array(v.value, copy=True) for v in group] for name, group in self.groups.items()}

    def store(self, state: State) -> None:
        for name, group in self.groups.items():
            for variable, value in zip(group, state[name], strict=True):
                variable.assign(value)

    def scope(self, state: State, **replaced: list[Any]) -> keras.StatelessScope:
        values = {**state, **replaced}
        names = [name for name in self.groups if not name.endswith("optimizer")]
        pairs = [pair for name in names for pair in zip(self.groups[name], values[name], strict=True)]
        return keras.StatelessScope(state_mapping=pairs)

    def current(self, scope: keras.StatelessScope, name: str) -> list[Any]:
        return [scope.get_current_value(variable) for variable in self.groups[name]]


class Stepper:
    """The compiled step of a trainer. It keeps the state until `store` copies it into Keras' variables.

    Args:
        trainer: a compiled `AdversarialTrainer`.
        hue_rows: as in `make_pair`.
        teach: as in `make_pair`.
        place: puts a batch on its devices; the default device if None.

    Example:
        >>> step = Stepper(trainer, hue_rows=4, teach=True)  # doctest: +SKIP
        >>> losses = step(batch)  # doctest: +SKIP
    """

    def __init__(self, trainer: Any, *, hue_rows: int, teach: bool, place: Callable[[Any], Any] | None = None) -> None:
        """See the class."""
        self.trainer, self.place = trainer, place or jax.device_put
        self.held = _Held(trainer)
        self.state = self.held.state()
        self._pair = partial(make_pair, hue_rows=hue_rows, teach=teach)
        self._step = jax.jit(self._run, donate_argnums=0)

    def __call__(self, batch: Any) -> dict[str, Any]:
        """Makes one step on a `Pair` or on samples; returns the terms of both losses by name."""
        self.state, logs = self._step(self.state, self.place(batch))
        return dict(logs)

    def reload(self) -> None:
        """Copies Keras' variables into the state, after they were restored."""
        self.state = self.held.state()

    def store(self) -> None:
        """Copies the state into Keras' variables."""
        self.held.store(self.state)
        self.reload()

    def _run(self, state: State, batch: Any) -> tuple[State, dict[str, Any]]:
        inputs, wanted, weight = self._pair(batch) if isinstance(batch, dict) else batch
        trainer, held = self.trainer, self.held

        def generator_loss(trained: list[Any]) -> Any:
            with held.scope(state, g_trained=trained) as scope:
                total, logs, ab = trainer.generator_objective(inputs, wanted, weight)
                return total, (logs, ab, held.current(scope, "g_others"))

        (_, (logs, ab, others)), gradients = jax.value_and_grad(generator_loss, has_aux=True)(state["g_trained"])
        new = {**state, "g_others": others}
        if trainer.discriminator is not None:

            def discriminator_loss(trained: list[Any]) -> Any:
                with held.scope(state, d_trained=trained) as scope:
                    loss, logs = trainer.discriminator_objective(inputs, ab)
                    return loss, (logs, held.current(scope, "d_others"))

            (_, (more, others)), d_gradients = jax.value_and_grad(discriminator_loss, has_aux=True)(state["d_trained"])
            new["d_others"], logs = others, {**logs, **more}
            new["d_trained"], new["d_optimizer"] = trainer.discriminator_optimizer.stateless_apply(
                state["d_optimizer"], d_gradients, state["d_trained"]
            )
        new["g_trained"], new["g_optimizer"] = trainer.optimizer.stateless_apply(
            state["g_optimizer"], gradients, state["g_trained"]
        )
        return new, logs


class JaxBackend:
    """Training on JAX, without TensorFlow: threads draw the samples, and the step makes the training pairs.

    Args:
        config: options of the run.
        sampler: of the training split.
        build: builds the trainer.

    Example:
        >>> backend = JaxBackend(config, sampler, build)  # doctest: +SKIP
        >>> losses = backend.step(next(backend.batches(0)))  # doctest: +SKIP
    """

    def __init__(self, config: TrainConfig, sampler: Sampler, build: Callable[[], Any]) -> None:
        """See the class."""
        self.config = config
        # Pictures are decoded once, since a GPU is faster than any decoder.
        self.sampler = replace(sampler, images=sampler.images.held(short_side=sampler.held_size))
        distribution = _distribution(config.devices) if config.devices > 1 else None
        if distribution is not None:
            keras.distribution.set_distribution(distribution)
        self.trainer = build()
        # Keras' own predict donates the memory of the weights, which the averages share.
        self._answer = jax.jit(lambda *state: self.trainer.generator.stateless_call(*state, training=False)[0])
        self.step = Stepper(
            self.trainer, hue_rows=hue_rows(config.batch_size, config.unrelated), teach=config.teach,
            place=None if distribution is None else partial(_shared, distribution),
        )  # fmt: skip

    def batches(self, start: int) -> Iterator[Any]:
        """The endless stream of batches from batch `start` on."""
        return batches(self.sampler, self.config.batch_size, start=start, threads=self.config.threads)

    def predict(self, inputs: dict[str, Any]) -> Any:
        """The generator's ab (B, H, W, 2) as NumPy float32, computed with Keras' variables."""
        generator = self.trainer.generator
        groups = (generator.trainable_variables, generator.non_trainable_variables)
        states = [[variable.value for variable in group] for group in groups]
        return np.asarray(self._answer(*states, {name: inputs[name] for name in generator.input}))

    def store(self) -> None:
        """Copies the step's state into Keras' variables."""
        self.step.store()

    def reload(self) -> None:
        """Copies Keras' variables into the step's state."""
        self.step.reload()


def _distribution(devices: int) -> Any:
    found = keras.distribution.list_devices()
    if len(found) < devices:
        raise ArgumentError(f"`devices` is {devices}, but JAX finds {len(found)}: {', '.join(found)}")
    return keras.distribution.DataParallel(devices=found[:devices])


def _shared(distribution: Any, batch: Any) -> Any:
    """Spreads the rows of a batch over all devices."""
    return jax.tree.map(lambda x: jax.device_put(x, distribution.get_data_layout(x.shape).backend_layout), batch)
