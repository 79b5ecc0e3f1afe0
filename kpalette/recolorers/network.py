"""Networks as recolorers: a `PaletteNet` sees a small picture, and its change of colour is carried to full size.

1. The picture is shrunk to the working size, taken to CIELAB, and given the lightness that is asked for.
2. The network answers with ab for every pixel.
3. Where neighbours were alike and are now far apart, `limit_slopes` brings them together again.
4. The change of ab is upsampled, edge-aware, and added to the full-size picture, strip by strip (`upsample.fit_field`).

The network runs under Keras (TensorFlow or JAX) or under ONNX Runtime, which needs neither; all else is NumPy and
OpenCV. Colours are float32 throughout, and so are networks: bfloat16 is faster only where the processor has it.
"""

import os
import threading
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from kpalette.color.gamut import in_gamut, reduce_chroma
from kpalette.color.spaces import lab_to_rgb, linear_to_lab, rgb_to_lab, rgb_to_linear
from kpalette.errors import ArgumentError
from kpalette.images.picture import Picture, image_to_rgb, lab_to_image, resize, rgb_to_image
from kpalette.models.ranges import AB_SCALE, pack_palettes, to_network_range
from kpalette.palettes.palette import Palette
from kpalette.parallel import in_parts
from kpalette.recolorers.base import Plan, Recolored
from kpalette.recolorers.lightness import transfer_lightness
from kpalette.recolorers.slopes import REACH, limit_slopes
from kpalette.recolorers.upsample import fit_field
from kpalette.runtimes.network import RUNTIMES, Network, load_network
from kpalette.types import BoolArray, FloatArray, ImageArray

WORKING_SIZE = 512

_MARGIN = 16
"""Mirrored pixels around what a network sees. Convolutions take what lies beyond the border for black, and tint it."""

_STRIP = 1 << 19  # pixels of a strip, which one thread works on: few MB for each array
_PASSES = 8  # of limit_slopes at full size, where most slopes are limited already
_CONTEXT_ROWS = REACH + _PASSES + 1  # how far, in rows, a pixel influences limit_slopes
_LEAST_ROWS = 4 * _CONTEXT_ROWS  # of a strip; a third of them is computed twice
_NEVER_ALIKE = 1e6  # L, a and b of hidden pixels: no neighbour is alike

_CHROMA_STEPS = 12
"""Halvings of the chroma reduction: 12 leave a thirtieth of a chroma unit, which 8 bits do not show."""


class NetworkRecolorer:
    """A recolorer that is a `PaletteNet`; see `Recolorer`. Its weights are loaded with the first picture.

    Args:
        checkpoint: a preset's name, a checkpoint folder, or a `PaletteNet` (which needs Keras).
        runtime: one of `RUNTIMES`.
        working_size: pixels of the longer side at which the network sees pictures, which are never enlarged.
        name: what tables and messages call it; the checkpoint's name if None.

    Raises:
        ArgumentError: if `runtime` or `working_size` is out of range.
    """

    extraction = "kmeans"
    default_lightness = 0.0

    def __init__(
        self,
        checkpoint: Any,
        *,
        runtime: str = "auto",
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
        self.working_size = working_size
        self._checkpoint = checkpoint
        self._network: Network | None = None
        self._lock = threading.Lock()

    def load(self) -> Network:
        """Loads the network, once.

        Returns:
            The function that runs it, safe in threads.

        Raises:
            KPaletteError: if the weights are missing or damaged, or a package is not installed.
        """
        with self._lock:
            if self._network is None:
                self._network = load_network(self._checkpoint, self.runtime)
        return self._network

    def apply(self, picture: Picture, plan: Plan) -> Recolored:
        """Recolours a picture's rgb: the i-th swatch of `plan.source` becomes the i-th of `plan.target`."""
        pixels = _Pixels(picture.rgb, _hidden(picture), _image_to_lab, _lab_to_image)
        return Recolored(*self._recolor(pixels, picture, plan))

    def apply_float(self, rgb: FloatArray, picture: Picture, plan: Plan) -> FloatArray:
        """The same for float rgb (H, W, 3) in 0..1, which keeps its precision; `picture` is its 8-bit form."""
        pixels = _Pixels(rgb, _hidden(picture), rgb_to_lab, _lab_to_float)
        result: FloatArray = self._recolor(pixels, picture, plan)[0]
        return result

    def _recolor(self, pixels: "_Pixels", picture: Picture, plan: Plan) -> tuple[Any, Callable[[], float]]:
        """The recoloured pixels, and a function that gives the share of the answer that lay outside sRGB."""
        network = self.load()
        if np.array_equal(plan.source.lab, plan.target.lab):
            return pixels.rgb, lambda: 0.0
        visible = _without_hidden(picture.rgb, pixels.hidden, plan.source)
        before = _image_to_lab(resize(visible, longest=self.working_size))
        small = _with_lightness(before, plan)
        answer = _answer(network, small, plan)
        change = limit_slopes(before, answer, steps=_CHROMA_STEPS)[..., 1:] - small[..., 1:]
        return _carry_over(pixels, plan, small, change), lambda: 1.0 - float(np.mean(in_gamut(answer)))


class _Pixels(NamedTuple):
    """A picture's pixels as bytes or floats, and how these become CIELAB and back."""

    rgb: Any
    """(H, W, 3)."""
    hidden: BoolArray | None
    """(H, W), pixels of alpha 0; None if there are none."""
    to_lab: Callable[[Any], FloatArray]
    from_lab: Callable[[FloatArray], Any]
    """From CIELAB that is in gamut."""


def _answer(network: Network, small: FloatArray, plan: Plan) -> FloatArray:
    """Runs the network on a picture (h, w, 3), CIELAB; returns CIELAB that may lie outside sRGB."""
    height, width = small.shape[:2]
    seen = np.pad(small, ((_MARGIN, _MARGIN), (_MARGIN, _MARGIN), (0, 0)), mode="symmetric")
    source = Palette(_with_lightness(plan.source.lab, plan), plan.source.weights)
    swatches, mask = pack_palettes([source, plan.target])
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


def _hidden(picture: Picture) -> BoolArray | None:
    return None if picture.alpha is None or picture.alpha.all() else picture.alpha == 0


def _without_hidden(rgb: ImageArray, hidden: BoolArray | None, source: Palette) -> ImageArray:
    """Paints hidden pixels in the picture's main colour: their own must not influence their neighbours."""
    if hidden is None:
        return rgb
    main = int(np.argmax(source.weights))
    plain = lab_to_image(source.lab[main][np.newaxis, np.newaxis])[0, 0]
    return np.where(hidden[..., np.newaxis], plain, rgb)


def _carry_over(pixels: _Pixels, plan: Plan, small: FloatArray, change: FloatArray) -> Any:
    """Adds a change of ab at working size to rgb (H, W, 3), in strips, so that memory stays small.

    The sum is cut to the gamut once more, and upsampling turns small steps of lightness into steps of ab: slopes are
    limited here as well. `limit_slopes` at a row depends on `_CONTEXT_ROWS` rows around it, which each strip computes
    too.
    """
    height, width = pixels.rgb.shape[:2]
    same_size = change.shape[:2] == (height, width)
    field = None if same_size else fit_field(change, small, height=height, width=width)
    result = np.empty_like(pixels.rgb)

    def recolor_rows(part: slice) -> None:
        wide = slice(max(0, part.start - _CONTEXT_ROWS), min(height, part.stop + _CONTEXT_ROWS))
        before = pixels.to_lab(pixels.rgb[wide])
        lab = np.array(_with_lightness(before, plan))
        lab[..., 1:] += change[wide] if field is None else field.rows(wide, lab)
        if pixels.hidden is not None:
            before[pixels.hidden[wide]] = _NEVER_ALIKE
        limited = limit_slopes(before, lab, passes=_PASSES, steps=_CHROMA_STEPS)
        result[part] = pixels.from_lab(limited[part.start - wide.start :][: part.stop - part.start])

    in_parts(recolor_rows, height, max(_LEAST_ROWS, _STRIP // width))
    return result


def _lab_to_image(lab: FloatArray) -> ImageArray:
    return rgb_to_image(lab_to_rgb(lab))


def _lab_to_float(lab: FloatArray) -> FloatArray:
    rgb: FloatArray = np.clip(lab_to_rgb(lab), 0.0, 1.0)
    return rgb


def _with_lightness(lab: FloatArray, plan: Plan) -> FloatArray:
    """Moves the lightness of CIELAB (..., 3) along the palettes' curve, and reduces chroma to what fits there."""
    if plan.lightness == 0.0:
        return lab
    L = transfer_lightness(lab[..., 0], plan.source, plan.target, strength=plan.lightness)
    moved: FloatArray = reduce_chroma(np.concatenate([L[..., np.newaxis], lab[..., 1:]], axis=-1))
    return moved


@lru_cache(maxsize=1)
def _linear_of_bytes() -> FloatArray:
    linear: FloatArray = rgb_to_linear(image_to_rgb(np.arange(256, dtype=np.uint8)))
    return linear


def _image_to_lab(image: ImageArray) -> FloatArray:
    """As `rgb_to_lab(image_to_rgb(image))`, its powers looked up: half the time."""
    lab: FloatArray = linear_to_lab(_linear_of_bytes().take(image))
    return lab
