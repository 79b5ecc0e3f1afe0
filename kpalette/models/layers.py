"""Keras layers of PaletteNet and its discriminator.

Features have the shape (B, H, W, C), channels last. Palettes are (B, K, 3) in network range (L/50 - 1, a/128, b/128),
and masks (B, K), 1 for a swatch and 0 for padding. The layers use only `keras.layers` and `keras.ops`, so every backend
runs them.
"""

from typing import Any

from kpalette.models.backend import keras, ops
from kpalette.models.initializers import PACKAGE, glorot_uniform

NORM_EPSILON = 1e-3


def instance_norm(*, name: str, affine: bool = False) -> keras.layers.Layer:
    """Instance normalisation (Ulyanov et al. 2016): scales each channel of each sample to mean 0 and variance 1.

    Equal to `InstanceNormalization(epsilon=1e-3)` of tensorflow-addons, which cannot be imported beside Keras 3.

    Args:
        name: name of the layer.
        affine: whether the layer learns a scale and an offset.

    Returns:
        The layer.
    """
    return InstanceNorm(epsilon=NORM_EPSILON, center=affine, scale=affine, name=name)


@keras.saving.register_keras_serializable(PACKAGE)
class InstanceNorm(keras.layers.GroupNormalization):
    """Keras' `GroupNormalization(groups=-1)`, with the gradient in closed form, which takes half the time.

    Example:
        >>> x = np.array([1.0, 3.0], np.float32).reshape(1, 2, 1, 1)
        >>> np.round(InstanceNorm(epsilon=1e-3, name="norm")(x), 2).ravel().tolist()
        [-1.0, 1.0]
    """

    def __init__(self, **kwargs: Any) -> None:
        """See the class."""
        super().__init__(**{**kwargs, "groups": -1})

    def call(self, x: Any) -> Any:
        """(B, H, W, C) to (B, H, W, C)."""
        shape = ops.shape(x)
        matrix = ops.cast(ops.reshape(x, (shape[0], shape[1] * shape[2], shape[3])), "float32")
        y = ops.cast(ops.reshape(_normalized(matrix, self.epsilon), shape), x.dtype)
        if self.scale:
            y = y * ops.cast(self.gamma, x.dtype)
        return y + ops.cast(self.beta, x.dtype) if self.center else y


def _normalized(matrix: Any, epsilon: float) -> Any:
    """Scales each channel of (B, N, C) to mean 0 and variance 1 over N."""

    @ops.custom_gradient  # type: ignore[untyped-decorator]
    def normalize(matrix: Any) -> Any:
        centred = matrix - ops.mean(matrix, axis=1, keepdims=True)
        factor = ops.rsqrt(ops.mean(centred * centred, axis=1, keepdims=True) + epsilon)
        y = centred * factor

        def backward(*arguments: Any, upstream: Any = None) -> Any:
            g = arguments[0] if upstream is None else upstream
            common = ops.mean(g, axis=1, keepdims=True) + y * ops.mean(g * y, axis=1, keepdims=True)
            return factor * (g - common)

        return y, backward

    return normalize(matrix)


@keras.saving.register_keras_serializable(PACKAGE)
class PadToMultiple(keras.layers.Layer):
    """Pads the end of height and width to a multiple, by reflection. Works for pictures down to one pixel.

    Args:
        multiple: the number that both sides become multiples of.

    Example:
        >>> tuple(PadToMultiple(multiple=16)(np.zeros((1, 17, 5, 3), np.float32)).shape)
        (1, 32, 16, 3)
    """

    def __init__(self, *, multiple: int, **kwargs: Any) -> None:
        """See the class."""
        super().__init__(**kwargs)
        self.multiple = multiple

    def call(self, x: Any) -> Any:
        """(B, H, W, C) to (B, H', W', C)."""
        for axis in (1, 2):
            size = ops.shape(x)[axis]
            if isinstance(size, int) and size % self.multiple == 0:
                continue
            padded = (size + self.multiple - 1) // self.multiple * self.multiple
            # Repeated reflection: the index bounces between the borders, whatever the size.
            period = ops.maximum(2 * (size - 1), 1)
            index = ops.mod(ops.arange(padded), period)
            x = ops.take(x, ops.minimum(index, period - index), axis=axis)
        return x

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Shape (B, H', W', C); None for a side that is not known."""
        batch, *sides, channels = input_shape
        padded = [None if side is None else -(-side // self.multiple) * self.multiple for side in sides]
        return (batch, *padded, channels)

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return {**super().get_config(), "multiple": self.multiple}


@keras.saving.register_keras_serializable(PACKAGE)
class CropLike(keras.layers.Layer):
    """Crops the end of (B, H', W', C) to the height and width of another tensor; the inverse of `PadToMultiple`.

    Example:
        >>> tuple(CropLike()(np.zeros((1, 32, 16, 2), np.float32), np.zeros((1, 17, 5, 3), np.float32)).shape)
        (1, 17, 5, 2)
    """

    def call(self, x: Any, like: Any) -> Any:
        """(B, H', W', C) and (B, H, W, D) to (B, H, W, C)."""
        shape = ops.shape(like)
        return x[:, : shape[1], : shape[2], :]

    def compute_output_shape(self, x_shape: Any, like_shape: Any) -> Any:
        """Shape (B, H, W, C)."""
        return (x_shape[0], like_shape[1], like_shape[2], x_shape[3])


@keras.saving.register_keras_serializable(PACKAGE)
class MaskedMean(keras.layers.Layer):
    """Mean over the swatches of a palette, without padding. The order of the swatches does not matter.

    Example:
        >>> codes = np.array([[[1.0], [3.0], [9.0]]], np.float32)
        >>> float(MaskedMean()(codes, np.array([[1.0, 1.0, 0.0]]))[0, 0])
        2.0
    """

    def call(self, x: Any, present: Any) -> Any:
        """(B, K, E) and (B, K) to (B, E)."""
        weight = ops.expand_dims(ops.cast(present, x.dtype), -1)
        return ops.sum(x * weight, axis=1) / ops.maximum(ops.sum(weight, axis=1), 1.0)

    def compute_output_shape(self, x_shape: Any, present_shape: Any) -> Any:
        """Shape (B, E)."""
        return (x_shape[0], x_shape[2])


@keras.saving.register_keras_serializable(PACKAGE)
class FiLM(keras.layers.Layer):
    """Feature-wise scale and shift computed from a palette's encoding (Perez et al. 2018): x * (1 + scale) + shift.

    It must come after an instance norm without scale and offset: the norm would erase a palette that comes before it.

    Args:
        regularizer: regularizer of the kernel of the dense layer that computes scale and shift.

    Example:
        >>> tuple(FiLM()(np.zeros((1, 4, 4, 6), np.float32), np.zeros((1, 64), np.float32)).shape)
        (1, 4, 4, 6)
    """

    def __init__(self, *, regularizer: Any = None, **kwargs: Any) -> None:
        """See the class."""
        super().__init__(**kwargs)
        self.regularizer = keras.regularizers.get(regularizer)

    def build(self, x_shape: Any, code_shape: Any) -> None:
        """Creates the dense layer for C channels."""
        self.dense = keras.layers.Dense(
            2 * x_shape[-1], kernel_initializer=glorot_uniform(), kernel_regularizer=self.regularizer,
            dtype=self.dtype_policy, name="dense",
        )  # fmt: skip
        self.dense.build(code_shape)
        self.built = True

    def call(self, x: Any, code: Any) -> Any:
        """(B, H, W, C) and (B, E) to (B, H, W, C)."""
        scale, shift = ops.split(ops.expand_dims(ops.expand_dims(self.dense(code), 1), 1), 2, axis=-1)
        return x * (1 + scale) + shift

    def compute_output_shape(self, x_shape: Any, code_shape: Any) -> Any:
        """Shape of `x`."""
        return x_shape

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return {**super().get_config(), "regularizer": keras.regularizers.serialize(self.regularizer)}


@keras.saving.register_keras_serializable(PACKAGE)
class Double(keras.layers.UpSampling2D):
    """Doubles height and width by bilinear interpolation, with pixels as areas.

    Unlike Keras' own resize it works in a compiled graph that does not know the size: Keras checks that the new size is
    positive, which fails for a tensor.

    Example:
        >>> tuple(Double()(np.zeros((1, 3, 5, 2), np.float32)).shape)
        (1, 6, 10, 2)
    """

    def __init__(self, **kwargs: Any) -> None:
        """See the class."""
        super().__init__(2, interpolation="bilinear", **kwargs)

    def call(self, x: Any) -> Any:
        """(B, H, W, C) to (B, 2 H, 2 W, C)."""
        if all(isinstance(side, int) for side in ops.shape(x)[1:3]):
            return super().call(x)
        return _doubled(_doubled(x, 1), 2)

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return {"name": self.name, "trainable": self.trainable, "dtype": super().get_config()["dtype"]}


def _doubled(x: Any, axis: int) -> Any:
    """Turns each pixel along an axis into two, each a quarter of the way towards a neighbour."""
    every = [slice(None)] * 4

    def cut(start: int | None, end: int | None) -> Any:
        return x[(*every[:axis], slice(start, end), *every[axis + 1 :])]

    before = ops.concatenate([cut(None, 1), cut(None, -1)], axis=axis)
    after = ops.concatenate([cut(1, None), cut(-1, None)], axis=axis)
    shape = list(ops.shape(x))
    shape[axis] = 2 * shape[axis]
    return ops.reshape(ops.stack([0.25 * before + 0.75 * x, 0.75 * x + 0.25 * after], axis=axis + 1), shape)
