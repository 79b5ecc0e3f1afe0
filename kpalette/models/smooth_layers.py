"""The Keras layer that smooths features where the picture is smooth; shapes and ranges as in `models.layers`."""

from typing import Any

from kpalette.models.backend import keras, ops
from kpalette.models.initializers import PACKAGE
from kpalette.models.ranges import AB_SCALE
from kpalette.types import L_MAX


@keras.saving.register_keras_serializable(PACKAGE)
class SmoothAlike(keras.layers.Layer):
    """Averages features over neighbours of similar colour: anisotropic diffusion (Perona and Malik 1990, equation 7).

    Each of the four neighbours has the weight exp(-dE76^2 / 2 sigma^2) of the colours, and the weights are normalised.
    So a jump of the features in a smooth place becomes a ramp, and nothing flows across an edge of the picture.
    Gradients flow to the features, not to the picture.

    Args:
        steps: distance of the neighbours in each pass, pixels. Pictures must be at least twice as large.
        sigma: dE76 from which colours count as different.

    Example:
        >>> features, lab = np.eye(8, dtype=np.float32)[None, ..., None], np.zeros((1, 8, 8, 3), np.float32)
        >>> smoothed = SmoothAlike()(features, lab)
        >>> bool(np.max(smoothed) < 0.3)
        True
    """

    def __init__(self, *, steps: tuple[int, ...] = (1, 2, 1, 2, 1, 2, 1), sigma: float = 2.2, **kwargs: Any) -> None:
        """See the class."""
        super().__init__(**{"dtype": "float32", **kwargs})
        self.steps, self.sigma = tuple(steps), sigma

    def call(self, x: Any, lab: Any) -> Any:
        """(B, H, W, C) and the picture (B, H, W, 3), network range, to (B, H, W, C)."""
        lab = ops.stop_gradient(lab)
        likeness = {step: likeness_of(self, lab, step) for step in set(self.steps)}
        ones = ops.ones_like(lab[..., :1])
        weights = {step: _passed(_channels_first(ones), alike, step) for step, alike in likeness.items()}

        def backward(*arguments: Any, upstream: Any = None) -> Any:
            g = _channels_first(arguments[0] if upstream is None else upstream)
            for step in reversed(self.steps):
                g = _passed(g / weights[step], likeness[step], step)
            return _channels_last(g)

        # Likeness is mutual: the gradient of a pass is a pass. Frameworks would sum up the gradients of every slice,
        # which takes ten times as long.
        @ops.custom_gradient  # type: ignore[untyped-decorator]
        def smooth(x: Any) -> Any:
            x = _channels_first(x)
            for step in self.steps:
                x = _passed(x, likeness[step], step) / weights[step]
            return _channels_last(x), backward

        return smooth(x)

    def compute_output_shape(self, x_shape: Any, lab_shape: Any) -> Any:
        """Shape of `x`."""
        return x_shape

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return {**super().get_config(), "steps": list(self.steps), "sigma": self.sigma}


def _channels_first(x: Any) -> Any:
    """(B, H, W, C) to (B, C, H, W): runtimes multiply whole rows of pixels several times faster than single pixels."""
    return ops.transpose(x, (0, 3, 1, 2))


def _channels_last(x: Any) -> Any:
    return ops.transpose(x, (0, 2, 3, 1))


def likeness_of(layer: SmoothAlike, lab: Any, step: int) -> list[Any]:
    """The likeness of each pixel to another one, by which a `SmoothAlike` weights it.

    Args:
        layer: the layer.
        lab: the picture (B, H, W, 3), network range.
        step: the other one lies so many pixels below, or behind.

    Returns:
        That to the one below, (B, 1, H - step, W), and that to the one behind, (B, 1, H, W - step).
    """
    scale = ops.convert_to_tensor([L_MAX / 2, AB_SCALE, AB_SCALE], dtype="float32") / (2**0.5 * layer.sigma)
    colors = _channels_first(lab) * scale[:, None, None]
    ends = [_ends(colors, axis, step) for axis in (2, 3)]
    return [ops.exp(-ops.sum(ops.square(after - before), axis=1, keepdims=True)) for before, after in ends]


def _passed(x: Any, likeness: list[Any], step: int) -> Any:
    """(B, C, H, W) plus the values of the four neighbours, weighted by their likeness."""
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
    """Adds `step` rows or columns of zeros at the end, or before the start."""
    sides = [(0, 0)] * 4
    sides[axis] = (0, step) if at_start else (step, 0)
    return ops.pad(x, sides)
