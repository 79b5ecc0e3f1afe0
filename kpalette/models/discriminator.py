"""`PaletteDiscriminator`: judges whether a picture looks painted in the colours of a palette.

The palette enters by projection (Miyato and Koyama 2018), the inner product of pooled features with the palette's
encoding. So two palettes give two answers for one picture. Published PaletteNets tile the palette beside the picture
before an instance norm, which erases it.
"""

from functools import partial
from typing import Any

from kpalette.errors import ArgumentError
from kpalette.models.backend import keras, ops
from kpalette.models.initializers import PACKAGE, glorot_uniform, he_normal
from kpalette.models.layers import MaskedMean
from kpalette.models.preset import PresetMixin
from kpalette.models.spectral import SpectralConv2D, SpectralDense

_SLOPE = 0.2
_LEVELS = (1, 2, 4, 8)


@keras.saving.register_keras_serializable(PACKAGE)
class PaletteDiscriminator(PresetMixin, keras.Model):
    """Discriminator of pictures and palettes, a functional model.

    Inputs, as a dictionary:
        lab: (B, H, W, 3), any H and W, network range: L / 50 - 1, a / 128, b / 128.
        palette: (B, K, 3), network range, any number of swatches.
        mask: (B, K), 1 for a swatch, 0 for padding.

    Output: logits (B, 1), float32, above 0 for real. The order of the swatches does not matter.

    Args:
        filters: channels of the first of four convolutions; each next one has twice as many.
        spectral: whether kernels are divided by their largest singular value.

    Example:
        >>> judge = PaletteDiscriminator(filters=2)
        >>> lab, palette = np.zeros((1, 16, 16, 3), np.float32), np.zeros((1, 8, 3), np.float32)
        >>> tuple(judge({"lab": lab, "palette": palette, "mask": np.ones((1, 8), np.float32)}).shape)
        (1, 1)
    """

    def __init__(self, *, filters: int = 64, spectral: bool = True, **kwargs: Any) -> None:
        """See the class."""
        if not isinstance(filters, int) or filters < 1:
            raise ArgumentError(f"`filters` must be a positive whole number. Received: {filters!r}")
        # Layers
        conv = SpectralConv2D if spectral else keras.layers.Conv2D
        dense_layer = SpectralDense if spectral else keras.layers.Dense
        dense = partial(_dense, dense_layer)
        # Functional model
        inputs = {
            "lab": keras.Input((None, None, 3), name="lab", dtype="float32"),
            "palette": keras.Input((None, 3), name="palette", dtype="float32"),
            "mask": keras.Input((None,), name="mask", dtype="float32"),
        }
        x = inputs["lab"]
        for i, times in enumerate(_LEVELS, start=1):
            x = conv(
                filters * times, 4, strides=2, padding="same", kernel_initializer=he_normal(), name=f"down{i}_conv"
            )(x)
            x = keras.layers.LeakyReLU(_SLOPE, name=f"down{i}_act")(x)
        # The mean describes the whole picture, the maximum what occurs anywhere in it.
        pooled = keras.layers.Concatenate(name="pool")(
            [keras.layers.GlobalAveragePooling2D(name="mean")(x), keras.layers.GlobalMaxPooling2D(name="maximum")(x)]
        )
        features = keras.layers.LeakyReLU(_SLOPE, name="features_act")(
            dense(filters * _LEVELS[-1], name="features")(pooled)
        )
        swatch = keras.layers.LeakyReLU(_SLOPE, name="swatch_act1")(
            dense(filters * 2, name="swatch1")(inputs["palette"])
        )
        swatch = keras.layers.LeakyReLU(_SLOPE, name="swatch_act2")(dense(filters * 2, name="swatch2")(swatch))
        code = dense(filters * _LEVELS[-1], name="palette_code")(
            MaskedMean(name="palette_mean")(swatch, inputs["mask"])
        )
        alone = ops.cast(dense(1, name="alone")(features), "float32")
        together = ops.sum(ops.cast(features, "float32") * ops.cast(code, "float32"), axis=-1, keepdims=True)
        super().__init__(inputs=inputs, outputs=alone + together, **kwargs)
        # Config
        self.filters = filters
        self.spectral = spectral

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return {"name": self.name, "trainable": self.trainable, "filters": self.filters, "spectral": self.spectral}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> "PaletteDiscriminator":
        """The model of a config."""
        return cls(**config)


def _dense(layer: Any, units: int, *, name: str) -> Any:
    return layer(units, kernel_initializer=glorot_uniform(), name=name)
