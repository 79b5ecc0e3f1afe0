"""Initial weights drawn by NumPy: a seed gives the same weights on every backend, and nothing is compiled.

On JAX, Keras' own initialisers compile a program for each shape of kernel, which takes half a minute for a PaletteNet.
"""

import math
import random
from typing import Any

import numpy as np

from kpalette.models.backend import keras

PACKAGE = "kpalette"

_CUT = 2.0  # standard deviations at which the normal distribution is truncated, as in Keras
_CUT_DEVIATION = 0.87962566103423978  # standard deviation of the truncated distribution


@keras.saving.register_keras_serializable(PACKAGE)
class VarianceScaling(keras.initializers.Initializer):
    """Random kernels with a variance of scale / fan, like `keras.initializers.VarianceScaling`.

    Args:
        scale: the variance times the fan.
        mode: "fan_in" (inputs) or "fan_avg" (the mean of inputs and outputs).
        distribution: "truncated_normal" or "uniform".
        seed: seed of the weights; if None, drawn from Python's `random`, which `keras.utils.set_random_seed` seeds.

    Example:
        >>> tuple(he_normal()((3, 3, 16, 32)).shape)
        (3, 3, 16, 32)
    """

    def __init__(self, *, scale: float, mode: str, distribution: str, seed: int | None = None) -> None:
        """See the class."""
        self.scale, self.mode, self.distribution = scale, mode, distribution
        self.seed = random.randint(1, 10**9) if seed is None else seed

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        """Draws a tensor of this shape; its last two axes are inputs and outputs."""
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
    """Initial weights for convolutions (He et al. 2015): truncated normal, variance 2 / inputs."""
    return VarianceScaling(scale=2.0, mode="fan_in", distribution="truncated_normal")


def glorot_uniform(*, scale: float = 1.0) -> VarianceScaling:
    """Initial weights for dense layers (Glorot and Bengio 2010): uniform, variance 2 `scale` / (inputs + outputs)."""
    return VarianceScaling(scale=scale, mode="fan_avg", distribution="uniform")
