"""`recolor()`: an image and a palette in, the image in those colours out."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kpalette.color.difference import delta_e
from kpalette.errors import ArgumentError
from kpalette.images.decode import picture_from_pil
from kpalette.images.picture import Picture, as_picture, image_to_rgb, rgb_to_image
from kpalette.palettes.extract import METHODS, extract_palette
from kpalette.palettes.palette import Palette
from kpalette.palettes.presets import find_palette
from kpalette.recolorers.base import Recolored, Recolorer
from kpalette.recolorers.lightness import check_strength
from kpalette.recolorers.registry import DEFAULT_MODEL, get_recolorer
from kpalette.types import MIN_COLORS

_SAME_COLOR = 1.0
"""CIEDE2000 up to which a target swatch is the picture's own: writing it as 8 bits moves it by half of that at most."""


def recolor(
    image: Any,
    target: Palette | str,
    *,
    model: str | Recolorer = DEFAULT_MODEL,
    source: Palette | str | None = None,
    match: str = "lightness",
    lightness: float | None = None,
    seed: int = 0,
) -> Any:
    """Puts an image into the colours of a palette, its structure kept.

    Args:
        image: a `Picture`, a PIL image, or an array: uint8 (H, W), (H, W, 3) or (H, W, 4), or floats in 0..1 of these
            shapes. Alpha is kept to the bit.
        target: the palette of 2 to 8 colours, or a string: colours, a preset or a palette file (`find_palette`).
        model: a name of `list_recolorers()`, or a recolourer.
        source: the picture's own palette; extracted if None, as many swatches as `target` has.
        match: which source swatch becomes which target swatch: "lightness", "order" (an extracted source is ordered
            darkest first) or "nearest"; see `Palette.matched`. Where the target is the picture's own palette, by any
            method of extraction, nothing changes.
        lightness: 0 keeps the picture's lightness, 1 moves it wholly to the palette's; the model's default if None.
        seed: for the extraction of the source palette.

    Returns:
        The recoloured image, of the type, dtype and size that was given; a grey image comes back in colour (H, W, 3).

    Raises:
        ArgumentError: if an argument has a wrong type, shape, range or name.
        PaletteError: if a palette string cannot be read.
        ImageError: if the image is wholly transparent.
    """
    picture = _as_picture(image)
    plan = make_plan(picture, target, model=model, source=source, match=match, lightness=lightness, seed=seed)
    if isinstance(image, Picture):
        return picture.with_rgb(plan.apply(picture).image)
    if isinstance(image, Image.Image):
        return Image.fromarray(np.asarray(picture.with_rgb(plan.apply(picture).image)))
    array = np.asarray(image)
    if array.dtype == np.uint8:
        return np.asarray(picture.with_rgb(plan.apply(picture).image))
    return _recolor_float(np.dstack([array] * 3) if array.ndim == 2 else array, picture, plan)


@dataclass(frozen=True)
class Plan:
    """A recolouring that is fully decided: what remains is to apply it.

    Attributes:
        recolorer: who does it.
        source: the palette it starts from.
        target: what each swatch of `source` becomes, in its order.
        lightness: strength, 0..1.
    """

    recolorer: Recolorer
    source: Palette
    target: Palette
    lightness: float

    def apply(self, picture: Picture) -> Recolored:
        """Recolours the rgb of a picture of any size."""
        return self.recolorer.apply(picture, self.source, self.target, lightness=self.lightness)


def make_plan(
    picture: Picture,
    target: Palette | str,
    *,
    model: str | Recolorer = DEFAULT_MODEL,
    source: Palette | str | None = None,
    match: str = "lightness",
    lightness: float | None = None,
    seed: int = 0,
) -> Plan:
    """Decides a recolouring of a `Picture`; arguments and errors as in `recolor`.

    Returns:
        The plan, its source palette extracted where none was given, its target in the order of the source.
    """
    recolorer = get_recolorer(model) if isinstance(model, str) else model
    if not callable(getattr(recolorer, "apply", None)):
        raise ArgumentError(f"`model` must be a name of list_recolorers() or a recolourer. Received: {model!r}")
    target = _palette(target, "target")
    if len(target) < MIN_COLORS:
        raise ArgumentError(f"`target` must have at least {MIN_COLORS} colours. Received: {len(target)}")
    strength = check_strength(recolorer.default_lightness if lightness is None else lightness)
    if source is not None:
        source = _palette(source, "source")
        return Plan(recolorer, source, source.matched(target, match=match), strength)
    own = extract_palette(picture, size=len(target), method=recolorer.extraction, seed=seed)
    for found in _extractions(picture, own, len(target), recolorer.extraction, seed):
        if _same_colors(found, target, in_order=match == "order"):
            return Plan(recolorer, found, found, strength)
    return Plan(recolorer, own, own.matched(target, match=match), strength)


def _extractions(picture: Picture, own: Palette, size: int, method: str, seed: int) -> Iterator[Palette]:
    """What a user may take for the picture's palette: as extracted here, and as `kpalette palette` prints it."""
    yield own
    for other in METHODS:
        if other != method or seed != 0:
            yield extract_palette(picture, size=size, method=other)


def _same_colors(found: Palette, target: Palette, *, in_order: bool) -> bool:
    """Whether each swatch found is one of the target, no two the same one; `Palette.matched` would import SciPy."""
    difference = delta_e(found.lab[:, np.newaxis], target.lab[np.newaxis])
    nearest = np.arange(len(found)) if in_order else np.argmin(difference, axis=1)
    same = difference[np.arange(len(found)), nearest].max() <= _SAME_COLOR
    return bool(same) and len(np.unique(nearest)) == len(found)


def _palette(value: Palette | str, name: str) -> Palette:
    if isinstance(value, str):
        return find_palette(value)
    if not isinstance(value, Palette):
        raise ArgumentError(f"`{name}` must be a Palette or a string of colours. Received: {value!r}")
    return value


def _as_picture(image: Any) -> Picture:
    if isinstance(image, Picture):
        return image
    if isinstance(image, Image.Image):
        return picture_from_pil(image)
    array = np.asarray(image)
    if array.dtype != np.uint8 and array.dtype.kind != "f":
        raise ArgumentError(f"`image` must be uint8, or floats in 0..1. Received: {array.dtype}")
    if array.ndim not in (2, 3) or 0 in array.shape or (array.ndim == 3 and array.shape[2] not in (3, 4)):
        raise ArgumentError(
            f"`image` must be of shape (H, W), (H, W, 3) or (H, W, 4), no side 0. Received: shape {array.shape}"
        )
    if array.dtype.kind == "f":
        if not (np.isfinite(array).all() and array.min() >= 0 and array.max() <= 1):
            raise ArgumentError(
                "`image` of floats must lie in 0..1, without NaN. "
                f"Received: values from {array.min():g} to {array.max():g}; convert 0..255 to uint8"
            )
        array = rgb_to_image(array)
    return as_picture(np.dstack([array] * 3) if array.ndim == 2 else array)


def _recolor_float(array: NDArray[Any], picture: Picture, plan: Plan) -> NDArray[Any]:
    """Floats keep their precision where the recolourer has a way for them: float32 instead of 8 bits."""
    result = array.copy()
    in_floats = getattr(plan.recolorer, "apply_float", None)
    if in_floats is not None:
        result[..., :3] = in_floats(array[..., :3], picture, plan.source, plan.target, lightness=plan.lightness)
    else:
        result[..., :3] = image_to_rgb(plan.apply(picture).image)
    return result
