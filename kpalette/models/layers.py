"""Keras layers of PaletteNet and its discriminator.

Features are (B, H, W, C), channels last; palettes (B, K, 3) in network range (L/50 - 1, a/128, b/128); masks (B, K), 1
for a swatch and 0 for padding. Only `keras.layers` and `keras.ops`: every backend runs them.
"""

from typing import Any

from kpalette.models.backend import keras, ops
from kpalette.models.initializers import PACKAGE, glorot_uniform
from kpalette.models.ranges import AB_SCALE
from kpalette.types import L_MAX

NORM_EPSILON = 1e-3


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
    """Doubles height and width, bilinear with pixels as areas; also where a compiled graph does not know them.

    Keras' own resize asks whether the new size is positive, which a size that is a tensor cannot answer.
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
    """Along one axis, each pixel becomes two, a quarter of the way towards its neighbours."""
    every = [slice(None)] * 4

    def cut(start: int | None, end: int | None) -> Any:
        return x[(*every[:axis], slice(start, end), *every[axis + 1 :])]

    before = ops.concatenate([cut(None, 1), cut(None, -1)], axis=axis)
    after = ops.concatenate([cut(1, None), cut(-1, None)], axis=axis)
    shape = list(ops.shape(x))
    shape[axis] = 2 * shape[axis]
    return ops.reshape(ops.stack([0.25 * before + 0.75 * x, 0.75 * x + 0.25 * after], axis=axis + 1), shape)


@keras.saving.register_keras_serializable(PACKAGE)
class SmoothAlike(keras.layers.Layer):
    """Averages features among neighbours of like colour: anisotropic diffusion (Perona and Malik 1990, equation 7).

    Weights are exp(-dE76^2 / 2 sigma^2) between the colours, one for each of four neighbours, normalised. What a choice
    leaps by in a smooth place becomes a ramp; across an edge of the picture nothing flows.

    Args:
        steps: how far the neighbours of each pass are, in pixels. Pictures must be as large, and twice that.
        sigma: dE76 from which on colours are unlike.
    """

    def __init__(self, *, steps: tuple[int, ...] = (1, 2, 1, 2, 1, 2, 1), sigma: float = 2.2, **kwargs: Any) -> None:
        """See the class."""
        super().__init__(**{"dtype": "float32", **kwargs})
        self.steps, self.sigma = tuple(steps), sigma

    def call(self, x: Any, lab: Any) -> Any:
        """(B, H, W, C) and the picture (B, H, W, 3), network range, to (B, H, W, C)."""
        # Channels first: runtimes multiply rows of pixels by rows of weights several times faster than pixel by pixel.
        scale = ops.convert_to_tensor([L_MAX / 2, AB_SCALE, AB_SCALE], dtype="float32") / (2**0.5 * self.sigma)
        colors = ops.transpose(lab * scale, (0, 3, 1, 2))
        x = ops.transpose(x, (0, 3, 1, 2))
        likeness = {step: [_likeness(colors, axis, step) for axis in (2, 3)] for step in set(self.steps)}
        weights = {step: _passed(ops.ones_like(colors[:, :1]), alike, step) for step, alike in likeness.items()}
        for step in self.steps:
            x = _passed(x, likeness[step], step) / weights[step]
        return ops.transpose(x, (0, 2, 3, 1))

    def compute_output_shape(self, x_shape: Any, lab_shape: Any) -> Any:
        """Shape of `x`."""
        return x_shape

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return {**super().get_config(), "steps": list(self.steps), "sigma": self.sigma}


def _likeness(colors: Any, axis: int, step: int) -> Any:
    """How alike each pixel and the one `step` after it are, (B, 1, H, W) less `step` rows or columns."""
    before, after = _ends(colors, axis, step)
    return ops.exp(-ops.sum(ops.square(after - before), axis=1, keepdims=True))


def _passed(x: Any, likeness: list[Any], step: int) -> Any:
    """(B, C, H, W) plus what its four neighbours hand over, each as much as it is alike."""
    total = x
    for axis, alike in zip((2, 3), likeness, strict=True):
        before, after = _ends(x, axis, step)
        total = total + _beside(after * alike, axis, step, at_start=True)
        total = total + _beside(before * alike, axis, step, at_start=False)
    return total


def _ends(x: Any, axis: int, step: int) -> tuple[Any, Any]:
    """(B, C, H, W) without its last `step` rows or columns, and without its first."""
    return (x[:, :, :-step], x[:, :, step:]) if axis == 2 else (x[..., :-step], x[..., step:])


def _beside(x: Any, axis: int, step: int, *, at_start: bool) -> Any:
    """Puts `step` rows or columns of nothing at the end, or before the start."""
    sides = [(0, 0)] * 4
    sides[axis] = (0, step) if at_start else (step, 0)
    return ops.pad(x, sides)
