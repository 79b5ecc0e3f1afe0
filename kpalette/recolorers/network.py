"""Networks as recolourers: image, Lab, network at working size, slopes limited, change of ab at full size, Lab, image.

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
from kpalette.recolorers.base import Recolored
from kpalette.recolorers.lightness import transfer_lightness
from kpalette.recolorers.slopes import REACH, limit_slopes
from kpalette.recolorers.upsample import fit_field
from kpalette.runtimes.network import RUNTIMES, Network, load_network
from kpalette.types import BoolArray, FloatArray, ImageArray

WORKING_SIZE = 512

_MARGIN = 16  # mirrored pixels around what a network sees: what its convolutions take for black shifts hues at borders
_STRIP = 1 << 19  # pixels that a thread works on at a time: few MB for each array
_PASSES = 8  # for slopes at full size, where most of them are limited already
_HEARD = REACH + _PASSES + 1  # rows that slopes hear of on either side of a strip
_LEAST_ROWS = 4 * _HEARD  # of a strip, of which a third is worked out twice
_UNLIKE = 1e6  # a lightness and an ab that no neighbour is like

_CHROMA_STEPS = 12
"""Halvings of the chroma reduction: 12 leave a thirtieth of a chroma unit, which 8 bits do not show."""


class NetworkRecolorer:
    """A recolourer that is a `PaletteNet`; see `Recolorer`. Nothing is loaded before the first picture.

    Args:
        checkpoint: a preset's name, a checkpoint folder, or a `PaletteNet` (which needs Keras).
        runtime: one of `RUNTIMES`.
        working_size: pixels of the longer side at which the network sees pictures, which are never enlarged.
        name: by which it is called; the checkpoint's unless told.
        title: one line that says what it does.

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
        title: str = "PaletteNet: a network that recolours by pairs of source and target colours",
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
        self.title = title
        self.runtime = runtime
        self.working_size = working_size
        self._checkpoint = checkpoint
        self._network: Network | None = None
        self._lock = threading.Lock()

    def load(self) -> Network:
        """Loads the network unless it is there.

        Returns:
            The function that runs it, safe in threads.

        Raises:
            KPaletteError: if the weights are missing or damaged, or a package is not installed.
        """
        with self._lock:
            if self._network is None:
                self._network = load_network(self._checkpoint, self.runtime)
        return self._network

    def apply(self, picture: Picture, source: Palette, target: Palette, *, lightness: float) -> Recolored:
        """Recolours a picture's rgb: the i-th swatch of `source` becomes the i-th of `target`."""
        form = _Form(picture.rgb, _hidden(picture), _image_to_lab, _lab_to_image)
        return Recolored(*self._moved(form, picture, source, target, lightness))

    def apply_float(
        self, rgb: FloatArray, picture: Picture, source: Palette, target: Palette, *, lightness: float
    ) -> FloatArray:
        """The same for float rgb (H, W, 3) in 0..1, which keeps its precision; `picture` is its 8-bit form."""
        form = _Form(rgb, _hidden(picture), rgb_to_lab, _lab_to_float)
        result: FloatArray = self._moved(form, picture, source, target, lightness)[0]
        return result

    def _moved(
        self, form: "_Form", picture: Picture, source: Palette, target: Palette, lightness: float
    ) -> tuple[Any, Callable[[], float]]:
        """The result, and what tells the share of colours asked for that were outside sRGB."""
        network = self.load()
        if np.array_equal(source.lab, target.lab):
            return form.rgb, lambda: 0.0

        def shown(lab: FloatArray) -> FloatArray:
            return _with_lightness(lab, source, target, lightness)

        own = _image_to_lab(resize(_without_hidden(picture.rgb, form.hidden, source), longest=self.working_size))
        small = shown(own)
        answer = _answer(network, small, source, target, shown)
        change = limit_slopes(own, answer, steps=_CHROMA_STEPS)[..., 1:] - small[..., 1:]
        return _carry_over(form, shown, small, change), lambda: 1.0 - float(np.mean(in_gamut(answer)))


class _Form(NamedTuple):
    """A picture's rgb in one of its forms, and how that is read and written."""

    rgb: Any
    """(H, W, 3)."""
    hidden: BoolArray | None
    """(H, W), the pixels that nobody sees; None if there are none."""
    to_lab: Callable[[Any], FloatArray]
    from_lab: Callable[[FloatArray], Any]
    """From Lab in gamut."""


_Shown = Callable[[FloatArray], FloatArray]
"""From Lab to Lab at the lightness that is asked for."""


def _answer(network: Network, small: FloatArray, source: Palette, target: Palette, shown: _Shown) -> FloatArray:
    """What a network makes of a picture (h, w, 3): Lab, in gamut or not."""
    height, width = small.shape[:2]
    seen = np.pad(small, ((_MARGIN, _MARGIN), (_MARGIN, _MARGIN), (0, 0)), mode="symmetric")
    swatches, mask = pack_palettes([Palette(shown(source.lab), source.weights), target])
    ab = network(
        {
            "lab": to_network_range(seen)[np.newaxis],
            "source_palette": swatches[:1],
            "target_palette": swatches[1:],
            "mask": mask[:1],
        }
    )
    inner = np.asarray(ab, dtype=np.float32)[0, _MARGIN : _MARGIN + height, _MARGIN : _MARGIN + width]
    scaled = inner * np.float32(AB_SCALE)
    return np.concatenate([small[..., :1], scaled], axis=-1)


def _hidden(picture: Picture) -> BoolArray | None:
    return None if picture.alpha is None or picture.alpha.all() else picture.alpha == 0


def _without_hidden(rgb: ImageArray, hidden: BoolArray | None, source: Palette) -> ImageArray:
    """The rgb that a network sees: a colour that nobody sees, under alpha 0, must not tell on its neighbours."""
    if hidden is None:
        return rgb
    most = 0 if source.weights is None else int(np.argmax(source.weights))
    plain = lab_to_image(source.lab[most][np.newaxis, np.newaxis])[0, 0]
    return np.where(hidden[..., np.newaxis], plain, rgb)


def _carry_over(form: _Form, shown: _Shown, small: FloatArray, change: FloatArray) -> Any:
    """Adds a change of ab at working size to rgb (H, W, 3), in strips, so that memory stays small.

    Full-size colours are cut to the gamut anew, and maps of colour turn small steps of lightness into steps of ab, so
    that slopes are limited here as well. Strips are worked out with as many rows more as that hears of.
    """
    height, width = form.rgb.shape[:2]
    same_size = change.shape[:2] == (height, width)
    field = None if same_size else fit_field(change, small, height=height, width=width)
    result = np.empty_like(form.rgb)

    def recolor_rows(part: slice) -> None:
        wide = slice(max(0, part.start - _HEARD), min(height, part.stop + _HEARD))
        own = form.to_lab(form.rgb[wide])
        lab = np.array(shown(own))
        lab[..., 1:] += change[wide] if field is None else field.rows(wide, lab)
        if form.hidden is not None:
            own[form.hidden[wide]] = _UNLIKE
        limited = limit_slopes(own, lab, passes=_PASSES, steps=_CHROMA_STEPS)
        result[part] = form.from_lab(limited[part.start - wide.start :][: part.stop - part.start])

    in_parts(recolor_rows, height, max(_LEAST_ROWS, _STRIP // width))
    return result


def _lab_to_image(lab: FloatArray) -> ImageArray:
    return rgb_to_image(lab_to_rgb(lab))


def _lab_to_float(lab: FloatArray) -> FloatArray:
    rgb: FloatArray = np.clip(lab_to_rgb(lab), 0.0, 1.0)
    return rgb


def _with_lightness(lab: FloatArray, source: Palette, target: Palette, strength: float) -> FloatArray:
    """Lab (..., 3) with its lightness moved along the palettes' curve, and the chroma that there is room for there."""
    if strength == 0.0:
        return lab
    L = transfer_lightness(lab[..., 0], source, target, strength=strength)
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
