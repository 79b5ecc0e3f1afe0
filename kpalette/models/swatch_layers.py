"""Keras layers between pixels and swatches: which swatch a pixel belongs to, and how it moves with it.

Shapes and ranges as in `kpalette.models.layers`.
"""

from typing import Any

from kpalette.models.backend import keras, ops
from kpalette.models.initializers import PACKAGE, glorot_uniform
from kpalette.models.ranges import AB_SCALE
from kpalette.palettes.clusters import swatch_turns
from kpalette.types import L_MAX

_FAR = -1e9  # added to the logits of padding before the softmax, in float32
_SHARPEST = 2.0  # the natural logarithm of what known logits are multiplied by at most: reaches of 3.7 to 27 for 10
_AGREEMENT = 6  # features of `SwatchMoves`


@keras.saving.register_keras_serializable(PACKAGE)
class SwatchAttention(keras.layers.Layer):
    """Attention from pixels to swatches: every pixel takes what the swatches near to it say.

    Args:
        key_size: channels in which queries meet keys.
        query_scale: variance of the queries' first kernel, times Glorot's.
    """

    def __init__(self, *, key_size: int = 32, query_scale: float = 1.0, **kwargs: Any) -> None:
        """See the class."""
        super().__init__(**kwargs)
        self.key_size = key_size
        self.query_scale = query_scale

    def build(
        self, x_shape: Any, keys_shape: Any, values_shape: Any, present_shape: Any, nearness_shape: Any = None
    ) -> None:
        """Makes the projections of pixels and swatches."""
        self.query = _projection(self.key_size, self.query_scale, dtype=self.dtype_policy, name="query")
        self.key = _projection(self.key_size, 1.0, dtype=self.dtype_policy, name="key")
        self.query.build(x_shape)
        self.key.build(keys_shape)
        if nearness_shape is not None:
            self.sharpness = keras.layers.Dense(
                1, kernel_initializer="zeros", dtype=self.dtype_policy, name="sharpness"
            )
            self.sharpness.build(x_shape)
        self.built = True

    def call(self, x: Any, keys: Any, values: Any, present: Any, nearness: Any = None) -> Any:
        """Mixes values.

        Args:
            x: (B, H, W, C), pixels.
            keys: (B, K, E), what swatches are found by.
            values: (B, K, V), what they say.
            present: (B, K), the mask (which Keras would take for its own by that name).
            nearness: (B, H, W, K), float32, logits that are known beforehand, or None. Every pixel tells how much
                they count, at first as much as they say: sharply where the picture has edges of its own.

        Returns:
            (B, H, W, V), dtype of `values`.
        """
        logits = ops.einsum("bhwd,bkd->bhwk", self.query(x), self.key(keys))
        logits = ops.cast(logits, "float32") / self.key_size**0.5
        if nearness is not None:
            logits = logits + self.weight(self.sharpness(x)) * ops.cast(nearness, "float32")
        share = ops.softmax(logits + self.hidden(present)[:, None, None, :], axis=-1)
        return ops.einsum("bhwk,bkv->bhwv", ops.cast(share, values.dtype), values)

    def weight(self, sharpness: Any) -> Any:
        """Of the nearness, from what the pixels say."""
        return ops.exp(ops.tanh(ops.cast(sharpness, "float32") / _SHARPEST) * _SHARPEST)

    def hidden(self, present: Any) -> Any:
        """(B, K), the mask, to logits that nothing of the padding outweighs."""
        return (1.0 - ops.cast(present, "float32")) * _FAR

    def compute_output_shape(
        self, x_shape: Any, keys_shape: Any, values_shape: Any, present_shape: Any, nearness_shape: Any = None
    ) -> Any:
        """Shape (B, H, W, V)."""
        return (*x_shape[:3], values_shape[2])

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return {**super().get_config(), "key_size": self.key_size, "query_scale": self.query_scale}


@keras.saving.register_keras_serializable(PACKAGE)
class SwatchNearness(keras.layers.Layer):
    """How near colours are to swatches, as logits: -|x - C|^2 / 2 tau^2 in CIELAB, but for what all swatches share.

    A softmax of them gives the shares of `kpalette.recolorers.soft`.

    Args:
        tau: reach of a swatch in Lab units.
    """

    def __init__(self, *, tau: float, **kwargs: Any) -> None:
        """See the class."""
        super().__init__(**{"dtype": "float32", **kwargs})
        self.tau = tau

    def call(self, lab: Any, swatches: Any) -> Any:
        """Network range (B, H, W, 3) and (B, K, 3) to (B, H, W, K)."""
        scale = ops.convert_to_tensor([L_MAX / 2, AB_SCALE, AB_SCALE], dtype="float32") / self.tau
        x, centre = lab * scale, swatches * scale
        return ops.einsum("bhwc,bkc->bhwk", x, centre) - ops.sum(centre * centre, axis=-1)[:, None, None, :] / 2

    def compute_output_shape(self, lab_shape: Any, swatches_shape: Any) -> Any:
        """Shape (B, H, W, K)."""
        return (*lab_shape[:3], swatches_shape[1])

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return {**super().get_config(), "tau": self.tau}


@keras.saving.register_keras_serializable(PACKAGE)
class SwatchMoves(keras.layers.Layer):
    """How colours move with each swatch: shifted by T - C, or turned about it (`palettes.clusters.swatch_turns`).

    A gate g for each pair, from both palettes' encodings and from how well the pairs agree on a turn, tells which:
    ab' = ab + (T - C) + g (r - 1) (ab - C), a complex product, of which this layer gives the parts.

    Args:
        slack: square of the chroma, in CIELAB, below which swatches turn less.
        most: what |r| is cut down to.
        units: of the gate's hidden layer.
    """

    def __init__(self, *, slack: float = 10.0, most: float = 2.0, units: int = 32, **kwargs: Any) -> None:
        """See the class."""
        super().__init__(**{"dtype": "float32", **kwargs})
        self.slack, self.most, self.units = slack, most, units

    def build(self, source_shape: Any, target_shape: Any, keys_shape: Any, code_shape: Any, present_shape: Any) -> None:
        """Makes the gate."""
        self.hidden = _projection(self.units, 1.0, dtype=self.dtype_policy, name="hidden")
        self.gate = _projection(1, 1.0, dtype=self.dtype_policy, name="gate")
        self.hidden.build((*keys_shape[:2], keys_shape[2] + code_shape[1] + _AGREEMENT))
        self.gate.build((*keys_shape[:2], self.units))
        self.built = True

    def call(self, source: Any, target: Any, keys: Any, code: Any, present: Any) -> Any:
        """Offsets and factors.

        Args:
            source: (B, K, 3), network range.
            target: (B, K, 3).
            keys: (B, K, E), encodings of the pairs.
            code: (B, F), encoding of all of them.
            present: (B, K), the mask.

        Returns:
            (B, K, 4): ab' = ab + [0:2] + [2:4] * ab, the last a complex product; network range.
        """
        turn = swatch_turns(source, target, slack=self.slack / AB_SCALE**2, most=self.most)
        agreement = self._agreement(source, target, ops.expand_dims(present, -1))
        code = ops.broadcast_to(ops.expand_dims(code, 1), (*ops.shape(keys)[:2], code.shape[-1]))
        features = ops.concatenate([keys, code, agreement], axis=-1)
        gate = ops.sigmoid(self.gate(ops.relu(self.hidden(features))))
        real, imaginary = gate[..., 0] * (turn[..., 0] - 1.0), gate[..., 0] * turn[..., 1]
        a, b = source[..., 1], source[..., 2]
        return ops.stack(
            [
                target[..., 1] - a - (real * a - imaginary * b),
                target[..., 2] - b - (real * b + imaginary * a),
                real,
                imaginary,
            ],
            axis=-1,
        )

    def _agreement(self, source: Any, target: Any, present: Any) -> Any:
        """(B, K, 6): each pair's turn of hue as a point on the circle, the mean of all, and both chromas."""
        ca, cb, ta, tb = source[..., 1], source[..., 2], target[..., 1], target[..., 2]
        both = ops.stack([ta * ca + tb * cb, tb * ca - ta * cb], axis=-1)
        chromas = ops.sqrt(ops.stack([ca * ca + cb * cb, ta * ta + tb * tb], axis=-1) + self.slack / AB_SCALE**2)
        size = ops.prod(chromas, axis=-1, keepdims=True)
        total = ops.sum(both * present, axis=1, keepdims=True) / ops.sum(size * present, axis=1, keepdims=True)
        return ops.concatenate([both / size, ops.broadcast_to(total, ops.shape(both)), chromas], axis=-1)

    def compute_output_shape(
        self, source_shape: Any, target_shape: Any, keys_shape: Any, code_shape: Any, present_shape: Any
    ) -> Any:
        """Shape (B, K, 4)."""
        return (*source_shape[:2], 4)

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return {**super().get_config(), "slack": self.slack, "most": self.most, "units": self.units}


def _projection(units: int, scale: float, *, dtype: Any, name: str) -> keras.layers.Dense:
    return keras.layers.Dense(units, kernel_initializer=glorot_uniform(scale=scale), dtype=dtype, name=name)
