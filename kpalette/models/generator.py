"""`PaletteNet`: a U-Net that changes a picture's ab towards a palette and keeps its lightness.

[P] is J. Cho, S. Yun, K. Lee, J. Y. Choi, "PaletteNet: Image Recolorization with Given Color Palette", CVPR Workshops
2017. Differences from [P]:

- The palette enters after instance normalisation, as FiLM and as attention from pixels to swatches; an instance norm
  after it would erase it.
- Pairs of source and target swatches say which colour becomes which.
- Resize and convolution replace transposed convolution.
- The output starts from the cluster shares of `palettes.clusters`, which depend on colours alone, with each cluster
  shifted or turned (`SwatchMoves`). The network adds what depends on the picture.
"""

from typing import Any, NamedTuple

from kpalette.errors import ArgumentError
from kpalette.models.backend import keras, ops
from kpalette.models.initializers import PACKAGE, glorot_uniform, he_normal
from kpalette.models.layers import CropLike, Double, FiLM, MaskedMean, PadToMultiple, instance_norm
from kpalette.models.preset import PresetMixin
from kpalette.models.smooth_layers import SmoothAlike
from kpalette.models.swatch_layers import SwatchAttention, SwatchMoves, SwatchNearness
from kpalette.palettes.clusters import DEFAULT_TAU

CONDITIONINGS = ("pairs", "target")
MULTIPLE = 16
"""Sides are padded to multiples of this, since the encoder halves a picture four times."""

CODE_SIZE = 64
_FAINT = 1e-4
"""Initial variance of the head's kernels, as a multiple of Glorot's: so small that training starts from nearness."""
_KEEP_AB = 0.98  # largest |ab| before arctanh


@keras.saving.register_keras_serializable(PACKAGE)
class PaletteNet(PresetMixin, keras.Model):
    """Network that predicts the new ab of a picture from its palette and a target palette, a functional model.

    Inputs, as a dictionary; K is any number of swatches, palettes of a batch are padded to one:
        lab: (B, H, W, 3), any H and W, network range: L / 50 - 1, a / 128, b / 128.
        source_palette: (B, K, 3), network range; the picture's own colours (with "pairs" only).
        target_palette: (B, K, 3), network range; the new colour for each source colour.
        mask: (B, K), 1 for a swatch, 0 for padding.

    Output: ab (B, H, W, 2), network range, float32. The order of the pairs does not matter.

    Args:
        filters: channels of the first level, doubled three times; 64 is the size of [P] (12 M weights).
        conditioning: "pairs" of source and target swatches, or "target" alone, as in [P].
        dropout: share of features dropped in the decoder.
        l2: weight of the L2 penalty on kernels.
        smooth: whether the head smooths its output where the picture is smooth; only with "pairs", and without weights.

    Example:
        >>> net = PaletteNet(filters=2)
        >>> lab, palette = np.zeros((1, 16, 16, 3), np.float32), np.zeros((1, 8, 3), np.float32)
        >>> inputs = {"lab": lab, "source_palette": palette, "target_palette": palette, "mask": np.ones((1, 8))}
        >>> tuple(net(inputs).shape)
        (1, 16, 16, 2)
    """

    def __init__(
        self,
        *,
        filters: int = 64,
        conditioning: str = "pairs",
        dropout: float = 0.0,
        l2: float = 0.0,
        smooth: bool = True,
        **kwargs: Any,
    ) -> None:
        """See the class."""
        if conditioning not in CONDITIONINGS:
            raise ArgumentError(f"`conditioning` must be one of {', '.join(CONDITIONINGS)}. Received: {conditioning!r}")
        if not isinstance(filters, int) or filters < 1:
            raise ArgumentError(f"`filters` must be a positive whole number. Received: {filters!r}")
        # Layers
        block = _Blocks(dropout, l2)
        # Functional model
        inputs = _inputs(conditioning)
        output = _graph(inputs, block, filters, smooth)
        super().__init__(inputs=inputs, outputs=output, **kwargs)
        # Config
        self.filters = filters
        self.conditioning = conditioning
        self.dropout = dropout
        self.l2 = l2
        self.smooth = smooth

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        names = ("filters", "conditioning", "dropout", "l2", "smooth")
        return {"name": self.name, "trainable": self.trainable, **{name: getattr(self, name) for name in names}}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> "PaletteNet":
        """The model of a config."""
        return cls(**config)


def _inputs(conditioning: str) -> dict[str, Any]:
    inputs = {"lab": keras.Input((None, None, 3), name="lab", dtype="float32")}
    palettes = ("source_palette", "target_palette") if conditioning == "pairs" else ("target_palette",)
    for name in palettes:
        inputs[name] = keras.Input((None, 3), name=name, dtype="float32")
    inputs["mask"] = keras.Input((None,), name="mask", dtype="float32")
    return inputs


class _Blocks:
    """The repeated blocks of the graph, with the options of their kernels."""

    def __init__(self, dropout: float, l2: float) -> None:
        self.dropout = dropout
        self.regularizer = keras.regularizers.L2(l2) if l2 else None

    def conv(self, x: Any, filters: int, size: int, name: str, **options: Any) -> Any:
        """A convolution with He's initial weights."""
        return keras.layers.Conv2D(
            filters, size, padding="same", kernel_initializer=he_normal(), kernel_regularizer=self.regularizer,
            name=name, **options,
        )(x)  # fmt: skip

    def down(self, x: Any, filters: int, name: str) -> Any:
        """A residual block of stride 2: conv, norm, act, conv, norm; with a 1x1 shortcut."""
        y = self.conv(x, filters, 3, f"{name}_conv1", strides=2, use_bias=False)
        y = keras.layers.Activation("relu", name=f"{name}_act1")(instance_norm(name=f"{name}_norm1", affine=True)(y))
        y = self.conv(y, filters, 3, f"{name}_conv2", use_bias=False)
        y = instance_norm(name=f"{name}_norm2", affine=True)(y)
        shortcut = self.conv(x, filters, 1, f"{name}_shortcut", strides=2)
        return keras.layers.Activation("relu", name=f"{name}_act2")(keras.layers.Add(name=f"{name}_add")([y, shortcut]))

    def up(self, parts: list[Any], filters: int, code: Any, name: str) -> Any:
        """Joins the parts, convolves, doubles the size, normalises, and then applies the palette."""
        x = parts[0] if len(parts) == 1 else keras.layers.Concatenate(name=f"{name}_join")(parts)
        # Convolution before the resize takes a quarter of the work.
        x = self.conv(x, filters, 3, f"{name}_conv1", use_bias=False)
        x = Double(name=f"{name}_up")(x)
        x = instance_norm(name=f"{name}_norm")(x)
        x = FiLM(regularizer=self.regularizer, name=f"{name}_film")(x, code)
        x = keras.layers.Activation("relu", name=f"{name}_act")(x)
        return keras.layers.Dropout(self.dropout, name=f"{name}_dropout")(x) if self.dropout else x

    def attend(self, x: Any, pair: Any, mask: Any, name: str) -> Any:
        """Adds attention from each pixel to the pairs."""
        values = self.dense(pair, x.shape[-1], f"{name}_values")
        return keras.layers.Add(name=f"{name}_add")([x, SwatchAttention(name=name)(x, pair, values, mask)])

    def dense(self, x: Any, units: int, name: str, **options: Any) -> Any:
        """A dense layer with Glorot's initial weights."""
        return keras.layers.Dense(
            units, kernel_initializer=glorot_uniform(), kernel_regularizer=self.regularizer, name=name, **options
        )(x)


class _Palettes(NamedTuple):
    """The palettes of a graph and their encodings."""

    source: Any
    """(B, K, 3), network range; the same tensor as `target` if the network gets no source palette."""
    target: Any
    """(B, K, 3), network range."""
    pair: Any
    """Encoding of each pair, (B, K, 64)."""
    code: Any
    """Encoding of all pairs together, (B, 64)."""
    mask: Any
    """(B, K)."""


def _graph(inputs: dict[str, Any], block: _Blocks, filters: int, smooth: bool) -> Any:
    palettes = _encode(inputs, block)
    lab = PadToMultiple(multiple=MULTIPLE, name="pad")(inputs["lab"])
    mixed = _head(lab, _u_net(lab, palettes, block, filters), palettes, smooth)
    return CropLike(dtype="float32", name="ab")(mixed, inputs["lab"])


def _encode(inputs: dict[str, Any], block: _Blocks) -> _Palettes:
    mask, target = inputs["mask"], inputs["target_palette"]
    source = inputs.get("source_palette", target)
    pairs = keras.layers.Concatenate(name="pairs")([source, target]) if source is not target else target
    pair = block.dense(pairs, CODE_SIZE, "pair_code1", activation="relu")
    pair = block.dense(pair, CODE_SIZE, "pair_code2", activation="relu")
    # Normalised, so that the palette has an effect from the first step on.
    code = keras.layers.LayerNormalization(name="palette_code")(MaskedMean(name="palette_mean")(pair, mask))
    return _Palettes(source, target, pair, code, mask)


def _u_net(lab: Any, palettes: _Palettes, block: _Blocks, filters: int) -> Any:
    """The features (B, H, W, filters) of a picture whose sides are multiples of 16."""
    pair, code, mask = palettes.pair, palettes.code, palettes.mask
    x = block.conv(lab, filters, 3, "stem_conv", use_bias=False)
    x = keras.layers.Activation("relu", name="stem_act")(instance_norm(name="stem_norm", affine=True)(x))
    c4 = keras.layers.MaxPooling2D(2, name="stem_pool")(x)
    c3 = block.down(c4, 2 * filters, "down3")
    c2 = block.down(c3, 4 * filters, "down2")
    c1 = block.down(c2, 8 * filters, "down1")

    d1 = block.up([block.attend(c1, pair, mask, "attend1")], 4 * filters, code, "up1")
    d2 = block.up([c2, d1], 2 * filters, code, "up2")
    d3 = block.up([c3, block.attend(d2, pair, mask, "attend3")], filters, code, "up3")
    return block.up([c4, block.attend(d3, pair, mask, "attend4")], filters, code, "up4")


def _head(lab: Any, d4: Any, palettes: _Palettes, smooth: bool) -> Any:
    """The output: the picture's ab, moved by a soft choice among the swatches, plus an addition of the network.

    With pairs the choice starts as in `palettes.clusters`, by nearness in Lab; the network learns where to change it.
    """
    source, target, pair, code, mask = palettes
    lightness = keras.layers.Identity(name="lightness")(lab[..., :1])
    features = keras.layers.Concatenate(name="head_join")([lightness, d4])
    choice = SwatchAttention(query_scale=_FAINT, name="head_choice")
    small = glorot_uniform(scale=_FAINT)
    own = keras.layers.Conv2D(2, 3, padding="same", kernel_initializer=small, name="head_conv")(features)
    own = ops.cast(own, "float32")
    if source is target:
        base = ops.cast(choice(features, pair, target[..., 1:], mask), "float32")
    else:
        moves = SwatchMoves(name="moves")(source, target, pair, code, mask)
        chosen = ops.cast(choice(features, pair, moves, mask, SwatchNearness(tau=DEFAULT_TAU)(lab, source)), "float32")
        if smooth:
            joined = SmoothAlike(name="smooth")(ops.concatenate([chosen, own], axis=-1), lab)
            chosen, own = joined[..., :4], joined[..., 4:]
        a, b, real, imaginary = lab[..., 1:2], lab[..., 2:], chosen[..., 2:3], chosen[..., 3:]
        turned = ops.concatenate([real * a - imaginary * b, real * b + imaginary * a], axis=-1)
        base = lab[..., 1:] + chosen[..., :2] + turned
    base, own = ops.clip(base, -_KEEP_AB, _KEEP_AB), ops.tanh(own)
    return (base + own) / (1.0 + base * own)  # tanh(artanh(base) + own), without an artanh
