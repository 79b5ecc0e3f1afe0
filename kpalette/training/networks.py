"""The networks and optimizers of a run, and its averaged weights."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kpalette.data.pairs import Pair
from kpalette.models.discriminator import PaletteDiscriminator
from kpalette.models.generator import PaletteNet
from kpalette.models.preset import dtype_policy
from kpalette.models.variables import assign_tensors
from kpalette.training.adversarial import AdversarialTrainer
from kpalette.training.config import TrainConfig
from kpalette.training.losses import LossWeights
from kpalette.weights.folder import read_checkpoint

_AVERAGED_SHARE = 10
_CPU_INFO = Path("/proc/cpuinfo")
_BETA1 = {"pretrain": 0.9, "adversarial": 0.5}


def resolve_precision(precision: str) -> str:
    """The dtype policy for an option. "auto" is bfloat16 on hardware with it; elsewhere that is ten times slower.

    Args:
        precision: "auto", or a policy, which is returned unchanged.

    Returns:
        "float32" or "mixed_bfloat16".
    """
    if precision != "auto":
        return precision
    if any(not device.startswith("cpu") for device in keras.distribution.list_devices()):
        return "mixed_bfloat16"
    flags = _CPU_INFO.read_text() if _CPU_INFO.is_file() else ""
    known = keras.backend.backend() == "tensorflow" and any(flag in flags for flag in ("avx512_bf16", "amx_bf16"))
    return "mixed_bfloat16" if known else "float32"


def build_trainer(config: TrainConfig, *, steps_per_epoch: int) -> AdversarialTrainer:
    """Builds networks and optimizers.

    Args:
        config: options of the run.
        steps_per_epoch: needed for the schedule of the learning rate.

    Returns:
        The compiled trainer with initial weights.
    """
    keras.utils.set_random_seed(config.seed)
    with dtype_policy(resolve_precision(config.precision)):
        generator = PaletteNet(
            filters=config.filters, conditioning=config.conditioning, dropout=config.dropout, l2=config.l2,
            smooth=config.smooth,
        )  # fmt: skip
        discriminator = PaletteDiscriminator(filters=config.filters) if config.adversarial else None
    weights = LossWeights(**{name: float(getattr(config, f"{name}_weight")) for name in LossWeights._fields})
    trainer = AdversarialTrainer(
        generator, discriminator=discriminator, loss_weights=weights, freeze_encoder=config.phase == "adversarial"
    )
    steps = steps_per_epoch * int(config.epochs or 0)
    # In a short run, a long average would be dominated by the first weights: it spans at most a tenth of the run.
    momentum = min(config.ema, 1 - _AVERAGED_SHARE / max(steps, 2 * _AVERAGED_SHARE))
    averaged = {"use_ema": True, "ema_momentum": momentum} if config.ema else {}
    trainer.compile(
        _adam(config, float(config.learning_rate or 0), steps, averaged),
        _adam(config, config.discriminator_rate, steps, {}) if discriminator is not None else None,
    )
    return trainer


def load_start(trainer: AdversarialTrainer, config: TrainConfig) -> None:
    """Loads the weights of `config.start_from` into the generator, if there are any."""
    if config.start_from:
        assign_tensors(trainer.generator, read_checkpoint(config.start_from))


def sharpen_choice(generator: keras.Model, by: float) -> None:
    """Sharpens a `PaletteNet`'s choice among the swatches; `by` is `TrainConfig.sharpen`."""
    if by:
        bias = generator.get_layer("head_choice").sharpness.bias
        bias.assign(np.asarray(bias.value) + by)


def _adam(config: TrainConfig, rate: float, steps: int, more: dict[str, Any]) -> keras.optimizers.Optimizer:
    schedule: Any = rate
    if config.schedule == "cosine":
        schedule = keras.optimizers.schedules.CosineDecay(rate, max(steps, 1))
    elif config.schedule == "step":
        schedule = keras.optimizers.schedules.ExponentialDecay(rate, max(steps // 3, 1), 0.1, staircase=True)
    clip = {"global_clipnorm": config.clip} if config.clip else {}
    return keras.optimizers.Adam(schedule, beta_1=_BETA1[config.phase], **clip, **more)


@contextmanager
def averaged_weights(trainer: AdversarialTrainer) -> Iterator[None]:
    """Gives the generator its averaged weights within a block, if the optimizer keeps any."""
    variables = trainer.generator.trainable_variables
    # Keras' averages are zero until the first step.
    if not trainer.optimizer.use_ema or int(np.asarray(trainer.optimizer.iterations.value)) == 0:
        yield
        return
    own = [np.array(variable.value) for variable in variables]
    trainer.optimizer.finalize_variable_values(variables)
    try:
        yield
    finally:
        for variable, value in zip(variables, own, strict=True):
            variable.assign(value)


def judge(trainer: AdversarialTrainer, pair: Pair, ab: Any) -> dict[str, float]:
    """The discriminator's accuracy on a batch, for each kind of pair."""
    _, logs = trainer.discriminator_objective(pair.inputs, ab, training=False)
    return {name: float(value) for name, value in logs.items() if name != "d_loss"}
