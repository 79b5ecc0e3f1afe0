"""Networks as recolorers: a `PaletteNet` recolours a small picture, and its change of colour is carried to full size.

1. The picture is shrunk to the working size and converted to CIELAB. Its lightness moves, by `kpalette.recolorers.tone`
   or along the palettes' curve.
2. The network predicts ab for every pixel.
3. `limit_slopes` brings neighbours together that were alike in the picture and are now far apart.
4. The change is upsampled along the edges of the picture (`upsample.fit_field`) and added to the full-size picture,
   strip by strip (`kpalette.recolorers.strips`): that of ab, and where lightness moves locally that of L, too.

The network runs under Keras (TensorFlow or JAX), or under ONNX Runtime, which needs neither. Colours and networks are
float32: bfloat16 is faster only on processors that have it.
"""

import os
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from kpalette.color.gamut import in_gamut
from kpalette.errors import ArgumentError
from kpalette.images.picture import Picture, image_to_lab, resize
from kpalette.kernels.loader import kernels_for
from kpalette.models.ranges import AB_SCALE, pack_palettes, to_network_range
from kpalette.palettes.palette import Palette
from kpalette.recolorers.base import Plan, Recolored
from kpalette.recolorers.correction import PASSES, SIDE, correct_target
from kpalette.recolorers.fitted import FittedRecolorer
from kpalette.recolorers.lattice import ColorMap
from kpalette.recolorers.slopes import limit_slopes
from kpalette.recolorers.strips import CHROMA_STEPS, Pixels, add_change, byte_pixels, float_pixels, with_lightness
from kpalette.recolorers.tone import hidden_pixels, without_hidden
from kpalette.runtimes.network import RUNTIMES, Network, load_network
from kpalette.types import FloatArray

WORKING_SIZE = 512
"""Longer side, in pixels, of the picture that a network gets."""

_MARGIN = 16
"""Mirrored pixels around that picture. Without them, convolutions see black beyond its border, and tint the border."""


class NetworkRecolorer:
    """A recolorer that is a `PaletteNet`; see the head of this module. It loads its weights with the first picture.

    Args:
        checkpoint: a preset's name, a checkpoint folder, or a `PaletteNet` (which needs Keras).
        runtime: one of `RUNTIMES`.
        corrections: how often the target swatches are corrected by what the network made of them, at most
            (`kpalette.recolorers.correction`); 0 shows the target itself.
        working_size: pixels of the longer side at which the network works. Smaller pictures are not enlarged.
        name: its name in tables and messages; the checkpoint's name if None.

    Raises:
        ArgumentError: if `runtime` is unknown or needs a checkpoint, or a number is out of range.

    Example:
        >>> NetworkRecolorer("checkpoints/mine", working_size=256).name
        'mine'
    """

    extraction = "kmeans"
    relights = True

    def __init__(
        self,
        checkpoint: Any,
        *,
        runtime: str = "auto",
        corrections: int = PASSES,
        working_size: int = WORKING_SIZE,
        name: str | None = None,
    ) -> None:
        """See the class."""
        by_name = isinstance(checkpoint, str | os.PathLike)
        if runtime not in RUNTIMES:
            raise ArgumentError(f"`runtime` must be one of {', '.join(RUNTIMES)}. Received: {runtime!r}")
        if runtime == "onnx" and not by_name:
            raise ArgumentError("`runtime` onnx needs a checkpoint's name or folder, not a model")
        if not isinstance(working_size, int) or working_size < 1:
            raise ArgumentError(f"`working_size` must be a positive whole number. Received: {working_size!r}")
        self.name = name or (os.path.basename(os.path.normpath(checkpoint)) if by_name else str(checkpoint.name))
        self.runtime = runtime
        if not isinstance(corrections, int) or corrections < 0:
            raise ArgumentError(f"`corrections` must be a whole number, not negative. Received: {corrections!r}")
        self.working_size, self.corrections = working_size, corrections
        self._checkpoint = checkpoint
        self._network: Network | None = None
        self._lock = threading.Lock()

    def load(self) -> Network:
        """Loads the network, at the first call.

        Returns:
            A function that runs the network. Threads may call it at the same time.

        Raises:
            KPaletteError: if the weights are missing or damaged, or a package is not installed.
        """
        with self._lock:
            if self._network is None:
                self._network = load_network(self._checkpoint, self.runtime)
        return self._network

    def apply(self, picture: Picture, plan: Plan) -> Recolored:
        """Recolours a picture's rgb: the i-th swatch of `plan.source` becomes the i-th of `plan.target`."""
        return Recolored(*self._recolor(byte_pixels(picture.rgb, hidden_pixels(picture)), picture, plan))

    def apply_float(self, rgb: FloatArray, picture: Picture, plan: Plan) -> FloatArray:
        """Recolours float rgb (H, W, 3) in 0..1 at full precision; `picture` is its 8-bit form."""
        result: FloatArray = self._recolor(float_pixels(rgb, hidden_pixels(picture)), picture, plan)[0]
        return result

    def flat_map(self, picture: Picture, plan: Plan) -> ColorMap:
        """The colour map for flat art, which a network would not keep flat: that of `fitted`."""
        return FittedRecolorer().color_map_for(picture, plan)

    def _recolor(self, pixels: Pixels, picture: Picture, plan: Plan) -> tuple[Any, Callable[[], float]]:
        """Returns the recoloured pixels, and a function for the share of predicted colours outside sRGB."""
        network = self.load()
        if plan.changes_nothing:
            return pixels.rgb, lambda: 0.0
        relit = plan.relit(picture, longest=self.working_size)
        curve = plan.moved_lightness if relit is None and plan.lightness > 0.0 else None
        if relit is None:
            visible = without_hidden(picture.rgb, pixels.hidden, plan.source)
            before = image_to_lab(resize(visible, longest=self.working_size))
            small, source = with_lightness(before, curve), with_lightness(plan.source.lab, curve)
        else:
            before, small, source = relit.before, relit.lab, relit.source.lab
        answer = _Answer(
            network, before, small, Palette(source, plan.source.shares), kernels_for(picture.rgb.size // 3)
        )
        predicted = answer.predicted(answer.corrected(plan.target, self.corrections))
        limited = answer.limited(predicted)
        if relit is None:
            result = add_change(pixels, small, limited[..., 1:] - small[..., 1:], curve)
        else:
            result = add_change(pixels, before, limited - before, None)
        return result, lambda: 1.0 - float(np.mean(in_gamut(predicted)))


class _Answer(NamedTuple):
    """What a network makes of a picture at working size.

    Attributes:
        network: runs the network.
        before: CIELAB of the picture, (h, w, 3).
        small: the same with the lightness that the network sees.
        source: the palette of `small`.
        kernels: those of a large picture.
    """

    network: Network
    before: FloatArray
    small: FloatArray
    source: Palette
    kernels: ModuleType | None

    def predicted(self, target: Palette) -> FloatArray:
        """CIELAB (h, w, 3) of the answer; may lie outside sRGB."""
        return _predict(self.network, self.small, self.source, target)

    def limited(self, predicted: FloatArray) -> FloatArray:
        """An answer in gamut, its slopes limited."""
        return limit_slopes(self.before, predicted, steps=CHROMA_STEPS, kernels=self.kernels)

    def corrected(self, target: Palette, corrections: int) -> Palette:
        """The target swatches by which the answer ends on the target."""
        skip = -(-max(self.small.shape[:2]) // SIDE)
        before, small = (np.ascontiguousarray(lab[::skip, ::skip]) for lab in (self.before, self.small))
        thin = self._replace(before=before, small=small)
        return correct_target(
            lambda shown: thin.limited(thin.predicted(shown)), small, self.source, target, passes=corrections
        )


def _predict(network: Network, small: FloatArray, source: Palette, target: Palette) -> FloatArray:
    """Runs the network on a picture, CIELAB (h, w, 3); returns CIELAB that may lie outside sRGB."""
    height, width = small.shape[:2]
    seen = np.pad(small, ((_MARGIN, _MARGIN), (_MARGIN, _MARGIN), (0, 0)), mode="symmetric")
    swatches, mask = pack_palettes([source, target])
    ab = network(
        {
            "lab": to_network_range(seen)[np.newaxis],
            "source_palette": swatches[:1],
            "target_palette": swatches[1:],
            "mask": mask[:1],
        }
    )
    inner = np.asarray(ab, dtype=np.float32)[0, _MARGIN : _MARGIN + height, _MARGIN : _MARGIN + width]
    return np.concatenate([small[..., :1], inner * np.float32(AB_SCALE)], axis=-1)
