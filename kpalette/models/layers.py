"""Keras layers of PaletteNet and its discriminator.

Features are (B, H, W, C), channels last; palettes (B, K, 3) in network range (L/50 - 1, a/128, b/128); masks (B, K), 1
for a swatch and 0 for padding. Only `keras.layers` and `keras.ops`: every backend runs them.
"""

from typing import Any

import keras
from keras import ops

PACKAGE = "kpalette"
NORM_EPSILON = 1e-3
_FIRST_ITERATIONS = 4  # so that an untrained layer is divided by nearly the right number
_FAR = -1e9  # added to the logits of padding before the softmax, in float32


def instance_norm(*, name: str, affine: bool = False) -> keras.layers.Layer:
    """Instance normalisation (Ulyanov et al. 2016): each channel of each sample to mean 0 and variance 1.

    Equal to tensorflow-addons' `InstanceNormalization(epsilon=1e-3)`, which cannot be imported beside Keras 3.

    Args:
        name: of the layer.
        affine: whether scale and offset are learned.

    Returns:
        The layer.
    """
    return keras.layers.GroupNormalization(groups=-1, epsilon=NORM_EPSILON, center=affine, scale=affine, name=name)


@keras.saving.register_keras_serializable(PACKAGE)
class PadToMultiple(keras.layers.Layer):
    """Pads height and width at the end to a multiple, by reflection; pictures of any size, down to one pixel.

    Args:
        multiple: of what both sides become multiples.
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
            # Reflection of reflection: an index that bounces between the borders, whatever the size.
            period = ops.maximum(2 * (size - 1), 1)
            index = ops.mod(ops.arange(padded), period)
            x = ops.take(x, ops.minimum(index, period - index), axis=axis)
        return x

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Shape (B, H', W', C), None where it is not known."""
        batch, *sides, channels = input_shape
        padded = [None if side is None else -(-side // self.multiple) * self.multiple for side in sides]
        return (batch, *padded, channels)

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return {**super().get_config(), "multiple": self.multiple}


@keras.saving.register_keras_serializable(PACKAGE)
class CropLike(keras.layers.Layer):
    """Crops (B, H', W', C) at the end to the height and width of another tensor: undoes `PadToMultiple`."""

    def call(self, x: Any, like: Any) -> Any:
        """(B, H', W', C) and (B, H, W, D) to (B, H, W, C)."""
        shape = ops.shape(like)
        return x[:, : shape[1], : shape[2], :]

    def compute_output_shape(self, x_shape: Any, like_shape: Any) -> Any:
        """Shape (B, H, W, C)."""
        return (x_shape[0], like_shape[1], like_shape[2], x_shape[3])


@keras.saving.register_keras_serializable(PACKAGE)
class MaskedMean(keras.layers.Layer):
    """Mean over a palette's swatches, padding left out: the order of the swatches does not matter."""

    def call(self, x: Any, present: Any) -> Any:
        """(B, K, E) and (B, K) to (B, E)."""
        weight = ops.expand_dims(ops.cast(present, x.dtype), -1)
        return ops.sum(x * weight, axis=1) / ops.maximum(ops.sum(weight, axis=1), 1.0)

    def compute_output_shape(self, x_shape: Any, present_shape: Any) -> Any:
        """Shape (B, E)."""
        return (x_shape[0], x_shape[2])


@keras.saving.register_keras_serializable(PACKAGE)
class FiLM(keras.layers.Layer):
    """Feature-wise scale and shift from a palette's encoding (Perez et al. 2018): x * (1 + scale) + shift.

    It stands behind an affine-free instance norm: a palette that is tiled in front of one is erased by it.

    Args:
        regularizer: of the kernel of the dense layer that makes scale and shift.
    """

    def __init__(self, *, regularizer: Any = None, **kwargs: Any) -> None:
        """See the class."""
        super().__init__(**kwargs)
        self.regularizer = keras.regularizers.get(regularizer)

    def build(self, x_shape: Any, code_shape: Any) -> None:
        """Makes the dense layer for C channels."""
        self.dense = keras.layers.Dense(
            2 * x_shape[-1], kernel_initializer="glorot_uniform", kernel_regularizer=self.regularizer,
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
class SwatchAttention(keras.layers.Layer):
    """Attention from pixels to swatches: every pixel takes what the swatches near to it say.

    Args:
        key_size: channels in which queries meet keys.
    """

    def __init__(self, *, key_size: int = 32, **kwargs: Any) -> None:
        """See the class."""
        super().__init__(**kwargs)
        self.key_size = key_size

    def build(self, x_shape: Any, keys_shape: Any, values_shape: Any, present_shape: Any) -> None:
        """Makes the projections of pixels and swatches."""
        self.query = keras.layers.Dense(self.key_size, dtype=self.dtype_policy, name="query")
        self.key = keras.layers.Dense(self.key_size, dtype=self.dtype_policy, name="key")
        self.query.build(x_shape)
        self.key.build(keys_shape)
        self.built = True

    def call(self, x: Any, keys: Any, values: Any, present: Any) -> Any:
        """Mixes values.

        Args:
            x: (B, H, W, C), pixels.
            keys: (B, K, E), what swatches are found by.
            values: (B, K, V), what they say.
            present: (B, K), the mask (which Keras would take for its own by that name).

        Returns:
            (B, H, W, V), dtype of `values`.
        """
        logits = ops.einsum("bhwd,bkd->bhwk", self.query(x), self.key(keys))
        logits = ops.cast(logits, "float32") / self.key_size**0.5
        hidden = ops.cast(1.0 - ops.cast(present, "float32"), "float32") * _FAR
        share = ops.softmax(logits + ops.expand_dims(ops.expand_dims(hidden, 1), 1), axis=-1)
        return ops.einsum("bhwk,bkv->bhwv", ops.cast(share, values.dtype), values)

    def compute_output_shape(self, x_shape: Any, keys_shape: Any, values_shape: Any, present_shape: Any) -> Any:
        """Shape (B, H, W, V)."""
        return (*x_shape[:3], values_shape[2])

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return {**super().get_config(), "key_size": self.key_size}


class _Spectral(keras.layers.Layer):
    """What spectrally normalised layers share: the kernel, (..., outputs), divided by its largest singular value."""

    power_iterations = 1

    def build(self, input_shape: Any) -> None:
        """Makes kernel, bias and the two singular vectors."""
        super().build(input_shape)
        kernel = ops.reshape(ops.cast(self.kernel, "float32"), (-1, self.kernel.shape[-1]))
        self.u = self.add_weight(
            shape=(1, kernel.shape[1]), initializer=keras.initializers.TruncatedNormal(stddev=0.02), trainable=False,
            dtype="float32", name="u",
        )  # fmt: skip
        self.v = self.add_weight(
            shape=(1, kernel.shape[0]), initializer="zeros", trainable=False, dtype="float32", name="v"
        )
        u, v = _power_iteration(kernel, ops.convert_to_tensor(self.u), steps=_FIRST_ITERATIONS)
        self.u.assign(u)
        self.v.assign(v)

    def save_own_variables(self, store: Any) -> None:
        """All variables: Keras' own convolutions and dense layers would leave out `u` and `v`."""
        keras.layers.Layer.save_own_variables(self, store)

    def load_own_variables(self, store: Any) -> None:
        """See `save_own_variables`."""
        keras.layers.Layer.load_own_variables(self, store)

    def _divided_kernel(self, training: bool) -> Any:
        kernel = ops.cast(self.kernel, "float32")
        matrix = ops.reshape(kernel, (-1, kernel.shape[-1]))
        u, v = ops.convert_to_tensor(self.u), ops.convert_to_tensor(self.v)
        if training:
            u, v = _power_iteration(ops.stop_gradient(matrix), u, steps=self.power_iterations)
            self.u.assign(u)
            self.v.assign(v)
        sigma = ops.sum(ops.matmul(v, matrix) * u)
        return ops.cast(kernel / sigma, self.compute_dtype)

    def _finished(self, outputs: Any) -> Any:
        if self.use_bias:
            outputs = outputs + self.bias
        return outputs if self.activation is None else self.activation(outputs)


def _power_iteration(matrix: Any, u: Any, *, steps: int) -> tuple[Any, Any]:
    """Brings u (1, outputs) and v (1, inputs) nearer to the matrix's first pair of singular vectors."""
    for _ in range(steps):
        v = _unit(ops.matmul(u, ops.transpose(matrix)))
        u = _unit(ops.matmul(v, matrix))
    return u, v


def _unit(vector: Any) -> Any:
    return vector / ops.sqrt(ops.maximum(ops.sum(vector**2), 1e-12))


@keras.saving.register_keras_serializable(PACKAGE)
class SpectralConv2D(_Spectral, keras.layers.Conv2D):
    """Convolution whose kernel is divided by its largest singular value (Miyato et al. 2018), in call.

    Keras' own wrapper assigns the divided kernel, which the JAX backend drops from a training step, so that gradients
    differ between backends. Here the kernel stays as it is; outputs equal tensorflow-addons' `SpectralNormalization`.
    """

    def call(self, inputs: Any, training: bool = False) -> Any:
        """(B, H, W, C) to (B, H', W', filters); training moves the singular vectors by one power iteration."""
        return self._finished(self.convolution_op(inputs, self._divided_kernel(training)))


@keras.saving.register_keras_serializable(PACKAGE)
class SpectralDense(_Spectral, keras.layers.Dense):
    """Dense layer whose kernel is divided by its largest singular value; see `SpectralConv2D`."""

    def call(self, inputs: Any, training: bool = False) -> Any:
        """(..., C) to (..., units); training moves the singular vectors by one power iteration."""
        return self._finished(ops.matmul(inputs, self._divided_kernel(training)))
