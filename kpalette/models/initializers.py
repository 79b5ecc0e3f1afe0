"""Initial weights drawn by NumPy: the same on every backend for one seed, and without waiting for a compiler.

Keras' own initialisers compile a program for each shape of kernel on JAX: half a minute for a PaletteNet.
"""

import math
import random
from typing import Any

import numpy as np

from kpalette.models.backend import keras

PACKAGE = "kpalette"

_CUT = 2.0  # standard deviations at which a normal distribution is cut off, as in Keras
_CUT_DEVIATION = 0.87962566103423978  # the standard deviation that is left of 1


@keras.saving.register_keras_serializable(PACKAGE)
class VarianceScaling(keras.initializers.Initializer):
    """Kernels whose variance fits the number of their inputs and outputs, as `keras.initializers.VarianceScaling`.

    Args:
        scale: variance times fan.
        mode: "fan_in" or "fan_avg".
        distribution: "truncated_normal" or "uniform".
        seed: of the randomness; drawn from Python's `random` if None, which `keras.utils.set_random_seed` sets.
    """

    def __init__(self, *, scale: float, mode: str, distribution: str, seed: int | None = None) -> None:
        """See the class."""
        self.scale, self.mode, self.distribution = scale, mode, distribution
        self.seed = random.randint(1, 10**9) if seed is None else seed

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        """A tensor of this shape; the last two axes are inputs and outputs."""
        area = math.prod(shape[:-2])
        inputs, outputs = shape[-2] * area, shape[-1] * area
        variance = self.scale / (inputs if self.mode == "fan_in" else (inputs + outputs) / 2)
        generator = np.random.default_rng(self.seed)
        if self.distribution == "uniform":
            limit = math.sqrt(3.0 * variance)
            values = generator.uniform(-limit, limit, shape)
        else:
            values = _truncated_normal(generator, shape) * (math.sqrt(variance) / _CUT_DEVIATION)
        return keras.ops.convert_to_tensor(values.astype(np.float32), dtype=dtype)

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return {"scale": self.scale, "mode": self.mode, "distribution": self.distribution, "seed": self.seed}


def _truncated_normal(generator: np.random.Generator, shape: Any) -> Any:
    values = generator.standard_normal(shape)
    while (far := np.abs(values) > _CUT).any():
        values[far] = generator.standard_normal(int(far.sum()))
    return values


def he_normal() -> VarianceScaling:
    """He et al. 2015, for convolutions: truncated normal, variance 2 / inputs."""
    return VarianceScaling(scale=2.0, mode="fan_in", distribution="truncated_normal")


def glorot_uniform(*, scale: float = 1.0) -> VarianceScaling:
    """Glorot and Bengio 2010, for dense layers: uniform, variance 2 / (inputs + outputs), times `scale`."""
    return VarianceScaling(scale=scale, mode="fan_avg", distribution="uniform")
