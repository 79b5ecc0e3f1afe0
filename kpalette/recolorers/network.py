"""Networks as recolorers: a `PaletteNet` recolours a small picture, and its change of colour is carried to full size.

1. The picture is shrunk to the working size and converted to CIELAB. Its lightness moves, by `kpalette.recolorers.tone`
   or along the palettes' curve.
2. The network predicts ab for every pixel.
3. `limit_slopes` brings neighbours together that were alike in the picture and are now far apart.
4. The change is upsampled along the edges of the picture (`upsample.fit_field`) and added to the full-size picture,
   strip by strip: that of ab, and where lightness moves locally that of L, too.

The network runs under Keras (TensorFlow or JAX), or under ONNX Runtime, which needs neither. All else is NumPy and
OpenCV. Colours and networks are float32: bfloat16 is faster only on processors that have it.
"""

import os
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from kpalette.color.gamut import in_gamut, reduce_chroma
from kpalette.color.spaces import lab_to_rgb, linear_to_lab, rgb_to_lab, rgb_to_linear
from kpalette.errors import ArgumentError
from kpalette.images.picture import Picture, image_to_rgb, resize, rgb_to_image
from kpalette.models.ranges import AB_SCALE, pack_palettes, to_network_range
from kpalette.palettes.palette import Palette
from kpalette.parallel import in_parts
from kpalette.recolorers.base import Plan, Recolored
from kpalette.recolorers.correction import PASSES, SIDE, correct_target
from kpalette.recolorers.fitted import FittedRecolorer
from kpalette.recolorers.lattice import ColorMap
from kpalette.recolorers.slopes import REACH, limit_slopes
from kpalette.recolorers.tone import NEVER_ALIKE, hidden_pixels, without_hidden
from kpalette.recolorers.upsample import fit_field
from kpalette.runtimes.network import RUNTIMES, Network, load_network
from kpalette.types import L_MAX, BoolArray, FloatArray, ImageArray

WORKING_SIZE = 512
"""Longer side, in pixels, of the picture that a network gets."""

_MARGIN = 16
"""Mirrored pixels around that picture. Without them, convolutions see black beyond its border, and tint the border."""

_STRIP = 1 << 19  # pixels that one thread works on at a time: few MB for each array
_LIMITS = 8  # of limit_slopes at full size, where most slopes are limited already
_CONTEXT_ROWS = REACH + _LIMITS + 1  # rows above and below that influence limit_slopes
_LEAST_ROWS = 4 * _CONTEXT_ROWS  # of a strip: a third of its rows is computed twice

_CHROMA_STEPS = 12
"""Halvings of the chroma reduction: the error is a thirtieth of a chroma unit, which 8 bits do not show."""


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
        pixels = _Pixels(picture.rgb, hidden_pixels(picture), _image_to_lab, _lab_to_image)
        return Recolored(*self._recolor(pixels, picture, plan))

    def apply_float(self, rgb: FloatArray, picture: Picture, plan: Plan) -> FloatArray:
        """Recolours float rgb (H, W, 3) in 0..1 at full precision; `picture` is its 8-bit form."""
        pixels = _Pixels(rgb, hidden_pixels(picture), rgb_to_lab, _lab_to_float)
        result: FloatArray = self._recolor(pixels, picture, plan)[0]
        return result

    def flat_map(self, picture: Picture, plan: Plan) -> ColorMap:
        """The colour map for flat art, which a network would not keep flat: that of `fitted`."""
        return FittedRecolorer().color_map_for(picture, plan)

    def _recolor(self, pixels: "_Pixels", picture: Picture, plan: Plan) -> tuple[Any, Callable[[], float]]:
        """Returns the recoloured pixels, and a function for the share of predicted colours outside sRGB."""
        network = self.load()
        if plan.changes_nothing:
            return pixels.rgb, lambda: 0.0
        relit = plan.relit(picture, longest=self.working_size)
        if relit is None:
            visible = without_hidden(picture.rgb, pixels.hidden, plan.source)
            before = _image_to_lab(resize(visible, longest=self.working_size))
            small, source = _with_lightness(before, plan), _with_lightness(plan.source.lab, plan)
        else:
            before, small, source = relit.before, relit.lab, relit.source.lab
        seen = Palette(source, plan.source.shares)
        predicted = _predict(
            network, small, seen, _corrected(network, before, small, seen, plan.target, self.corrections)
        )
        limited = limit_slopes(before, predicted, steps=_CHROMA_STEPS)
        if relit is None:
            result = _add_change(pixels, plan, small, limited[..., 1:] - small[..., 1:])
        else:
            result = _add_change(pixels, replace(plan, lightness=0.0), before, limited - before)
        return result, lambda: 1.0 - float(np.mean(in_gamut(predicted)))


class _Pixels(NamedTuple):
    """The pixels of a picture, uint8 or float, and the functions that convert them.

    Attributes:
        rgb: (H, W, 3).
        hidden: bool (H, W), pixels of alpha 0; None if there are none.
        to_lab: rgb to CIELAB.
        from_lab: CIELAB in gamut to rgb.
    """

    rgb: Any
    hidden: BoolArray | None
    to_lab: Callable[[Any], FloatArray]
    from_lab: Callable[[FloatArray], Any]


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


def _corrected(
    network: Network, before: FloatArray, small: FloatArray, source: Palette, target: Palette, corrections: int
) -> Palette:
    """The target swatches by which the answer to a picture, CIELAB (h, w, 3), ends on the target."""
    skip = -(-max(small.shape[:2]) // SIDE)
    before, small = (np.ascontiguousarray(lab[::skip, ::skip]) for lab in (before, small))

    def answer(shown: Palette) -> FloatArray:
        return limit_slopes(before, _predict(network, small, source, shown), steps=_CHROMA_STEPS)

    return correct_target(answer, small, source, target, passes=corrections)


def _add_change(pixels: _Pixels, plan: Plan, small: FloatArray, change: FloatArray) -> Any:
    """Adds a change of ab or Lab, found at working size, to the full-size pixels; in strips, to save memory.

    Slopes are limited here once more: the sum is reduced to the gamut again, and upsampling turns small steps of
    lightness into steps of ab. `limit_slopes` at a row depends on `_CONTEXT_ROWS` rows above and below it, so each
    strip computes these, too.
    """
    height, width = pixels.rgb.shape[:2]
    same_size = change.shape[:2] == (height, width)
    field = None if same_size else fit_field(change, small, height=height, width=width)
    result = np.empty_like(pixels.rgb)

    def recolor_rows(part: slice) -> None:
        wide = slice(max(0, part.start - _CONTEXT_ROWS), min(height, part.stop + _CONTEXT_ROWS))
        before = pixels.to_lab(pixels.rgb[wide])
        lab = np.array(_with_lightness(before, plan))
        lab[..., 3 - change.shape[2] :] += change[wide] if field is None else field.rows(wide, lab)
        if change.shape[2] == 3:
            np.clip(lab[..., 0], 0.0, L_MAX, out=lab[..., 0])
        if pixels.hidden is not None:
            before[pixels.hidden[wide]] = NEVER_ALIKE
        limited = limit_slopes(before, lab, passes=_LIMITS, steps=_CHROMA_STEPS)
        result[part] = pixels.from_lab(limited[part.start - wide.start :][: part.stop - part.start])

    in_parts(recolor_rows, height, max(_LEAST_ROWS, _STRIP // width))
    return result


def _lab_to_image(lab: FloatArray) -> ImageArray:
    return rgb_to_image(lab_to_rgb(lab))


def _lab_to_float(lab: FloatArray) -> FloatArray:
    rgb: FloatArray = np.clip(lab_to_rgb(lab), 0.0, 1.0)
    return rgb


def _with_lightness(lab: FloatArray, plan: Plan) -> FloatArray:
    """Moves the lightness of CIELAB (..., 3) along the palettes' curve, then reduces chroma into gamut."""
    if plan.lightness == 0.0:
        return lab
    L = plan.moved_lightness(lab[..., 0])
    moved: FloatArray = reduce_chroma(np.concatenate([L[..., np.newaxis], lab[..., 1:]], axis=-1))
    return moved


@lru_cache(maxsize=1)
def _linear_of_bytes() -> FloatArray:
    """Linear light of the 256 values of a byte."""
    linear: FloatArray = rgb_to_linear(image_to_rgb(np.arange(256, dtype=np.uint8)))
    return linear


def _image_to_lab(image: ImageArray) -> FloatArray:
    """Same as `rgb_to_lab(image_to_rgb(image))`. A table replaces the powers, which halves the time."""
    lab: FloatArray = linear_to_lab(_linear_of_bytes().take(image))
    return lab
