"""Keras layers between pixels and swatches: which swatch a pixel belongs to, and how it moves with that swatch.

Shapes and ranges are those of `kpalette.models.layers`.
"""

from typing import Any

from kpalette.models.backend import keras, ops
from kpalette.models.initializers import PACKAGE, glorot_uniform
from kpalette.models.ranges import AB_SCALE
from kpalette.palettes.clusters import swatch_turns
from kpalette.types import L_MAX

_FAR = -1e9  # added to the logits of padding before the softmax, in float32
_SHARPEST = 2.0  # natural logarithm of the largest factor of known logits: a reach of 10 becomes 3.7 to 27
_AGREEMENT = 6  # features of `SwatchMoves`


@keras.saving.register_keras_serializable(PACKAGE)
class SwatchAttention(keras.layers.Layer):
    """Attention from pixels to swatches: each pixel takes a mean of the swatches' values, weighted by similarity.

    Args:
        key_size: channels of queries and keys.
        query_scale: initial variance of the queries' kernel, as a multiple of Glorot's.

    Example:
        >>> pixels, keys, values = (np.ones(s, np.float32) for s in ((1, 2, 2, 4), (1, 8, 16), (1, 8, 3)))
        >>> tuple(SwatchAttention()(pixels, keys, values, np.ones((1, 8))).shape)
        (1, 2, 2, 3)
    """

    def __init__(self, *, key_size: int = 32, query_scale: float = 1.0, **kwargs: Any) -> None:
        """See the class."""
        super().__init__(**kwargs)
        self.key_size = key_size
        self.query_scale = query_scale

    def build(
        self, x_shape: Any, keys_shape: Any, values_shape: Any, present_shape: Any, nearness_shape: Any = None
    ) -> None:
        """Creates the projections of pixels and swatches."""
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
        """Mixes the values of the swatches.

        Args:
            x: (B, H, W, C), pixels.
            keys: (B, K, E), which queries are compared with.
            values: (B, K, V), which are mixed.
            present: (B, K), the mask (Keras treats an argument called "mask" as its own).
            nearness: (B, H, W, K), float32, logits known beforehand, or None. Each pixel multiplies them by a factor
                that it computes, at first 1: large where the picture has edges of its own.

        Returns:
            (B, H, W, V), dtype of `values`.
        """
        # (x Q + q) k = x (Q k) + q k: products for each pixel are as many as swatches, not as channels of a query.
        query, key = self.query, self.key(keys)
        factors = ops.einsum("cd,bkd->bck", ops.cast(query.kernel, key.dtype), key)
        offset = ops.einsum("d,bkd->bk", ops.cast(query.bias, key.dtype), key)
        logits = ops.einsum("bhwc,bck->bhwk", ops.cast(x, key.dtype), factors) + offset[:, None, None, :]
        logits = ops.cast(logits, "float32") / self.key_size**0.5
        if nearness is not None:
            logits = logits + self.weight(self.sharpness(x)) * ops.cast(nearness, "float32")
        share = ops.softmax(logits + self.hidden(present)[:, None, None, :], axis=-1)
        return ops.einsum("bhwk,bkv->bhwv", ops.cast(share, values.dtype), values)

    def weight(self, sharpness: Any) -> Any:
        """The factor of the nearness, from the output of the layer `sharpness`."""
        return ops.exp(ops.tanh(ops.cast(sharpness, "float32") / _SHARPEST) * _SHARPEST)

    def hidden(self, present: Any) -> Any:
        """The mask (B, K) as logits, which are so low for padding that it gets no share."""
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
    """Nearness of colours to swatches as logits: -|x - C|^2 / 2 tau^2 in CIELAB, without terms that do not depend on C.

    Their softmax gives the shares of `kpalette.recolorers.soft`.

    Args:
        tau: reach of a swatch in Lab units.

    Example:
        >>> swatches = np.array([[[0, 0, 0], [0, 0.5, 0.5]]], np.float32)
        >>> logits = SwatchNearness(tau=10.0)(np.zeros((1, 4, 4, 3), np.float32), swatches)
        >>> np.round(logits[0, 0, 0], 2).tolist()
        [0.0, -40.959999...]
    """

    def __init__(self, *, tau: float, **kwargs: Any) -> None:
        """See the class."""
        super().__init__(**{"dtype": "float32", **kwargs})
        self.tau = tau

    def call(self, lab: Any, swatches: Any) -> Any:
        """Network range (B, H, W, 3) and (B, K, 3) to (B, H, W, K)."""
        x, centre = lab * self.scale, swatches * self.scale
        return ops.einsum("bhwc,bkc->bhwk", x, centre) - ops.sum(centre * centre, axis=-1)[:, None, None, :] / 2

    @property
    def scale(self) -> Any:
        """What turns network range into units of tau, (3,)."""
        return ops.convert_to_tensor([L_MAX / 2, AB_SCALE, AB_SCALE], dtype="float32") / self.tau

    def compute_output_shape(self, lab_shape: Any, swatches_shape: Any) -> Any:
        """Shape (B, H, W, K)."""
        return (*lab_shape[:3], swatches_shape[1])

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return {**super().get_config(), "tau": self.tau}


@keras.saving.register_keras_serializable(PACKAGE)
class SwatchMoves(keras.layers.Layer):
    """Moves of colours with each swatch: a shift by T - C, or a turn about C (`palettes.clusters.swatch_turns`).

    A gate g for each pair chooses between both, from the encodings of the palettes and from how well the pairs agree on
    one turn: ab' = ab + (T - C) + g (r - 1) (ab - C), a complex product. The layer returns the coefficients of ab.

    Args:
        slack: squared chroma, in CIELAB, below which swatches turn less.
        most: largest |r|.
        units: units of the gate's hidden layer.

    Example:
        >>> palette, code = np.zeros((1, 8, 3), np.float32), np.zeros((1, 8, 64), np.float32)
        >>> tuple(SwatchMoves()(palette, palette, code, code[:, 0], np.ones((1, 8))).shape)
        (1, 8, 4)
    """

    def __init__(self, *, slack: float = 10.0, most: float = 2.0, units: int = 32, **kwargs: Any) -> None:
        """See the class."""
        super().__init__(**{"dtype": "float32", **kwargs})
        self.slack, self.most, self.units = slack, most, units

    def build(self, source_shape: Any, target_shape: Any, keys_shape: Any, code_shape: Any, present_shape: Any) -> None:
        """Creates the gate."""
        self.hidden = _projection(self.units, 1.0, dtype=self.dtype_policy, name="hidden")
        self.gate = _projection(1, 1.0, dtype=self.dtype_policy, name="gate")
        self.hidden.build((*keys_shape[:2], keys_shape[2] + code_shape[1] + _AGREEMENT))
        self.gate.build((*keys_shape[:2], self.units))
        self.built = True

    def call(self, source: Any, target: Any, keys: Any, code: Any, present: Any) -> Any:
        """Computes offsets and factors.

        Args:
            source: source swatches (B, K, 3), network range.
            target: target swatches (B, K, 3).
            keys: encodings of the pairs (B, K, E).
            code: encoding of all pairs together (B, F).
            present: the mask (B, K).

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
        """Features (B, K, 6): each pair's turn of hue as a point on the unit circle, the mean turn, both chromas."""
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
