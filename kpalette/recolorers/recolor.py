"""`recolor()`: an image and a palette in, the image in those colours out."""

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kpalette.errors import ArgumentError
from kpalette.images.decode import picture_from_pil
from kpalette.images.picture import Picture, as_picture, rgb_to_image
from kpalette.recolorers.base import Plan, Recolorer
from kpalette.recolorers.recipe import make_recipe
from kpalette.recolorers.registry import DEFAULT_MODEL
from kpalette.types import AUTO, TONES


def recolor(
    image: Any,
    target: Any,
    *,
    model: str | Recolorer = DEFAULT_MODEL,
    source: Any = None,
    match: str = AUTO,
    lightness: float | str | None = AUTO,
    tone: str = TONES[0],
    seed: int = 0,
) -> Any:
    """Puts an image into the colours of a palette, its structure kept.

    Args:
        image: a `Picture`, a PIL image, or an array: uint8 (H, W), (H, W, 3) or (H, W, 4), or floats in 0..1 of these
            shapes. Alpha is kept to the bit.
        target: the palette of 2 to 8 colours: a `Palette`; a string (colours, a preset or a palette file, see
            `find_palette`); a list of hex codes, CSS names or (r, g, b) tuples; or an array (k, 3).
        model: a name of `list_recolorers()`, or a recolorer.
        source: the picture's own palette, in any of these forms; if None it is extracted, with as many swatches as
            `target` has.
        match: which source swatch becomes which target swatch: "auto", which keeps objects whole, "lightness", "order"
            (an extracted source is ordered darkest first) or "nearest"; see `Palette.matched`. Where the target is the
            picture's own palette, by whichever extraction, nothing changes.
        lightness: 0 keeps the picture's lightness, 1 moves it wholly to the palette's; "auto", or None: as much as
            leaves it the same picture (`kpalette.recolorers.strength`).
        tone: how lightness moves: "local" moves regions as wholes and keeps the detail in them, "curve" and "smooth"
            are one curve for the whole picture.
        seed: of the extraction of the source palette.

    Returns:
        The recoloured image, of the same type, dtype and size. A grey image becomes one in colour, (H, W, 3).

    Raises:
        ArgumentError: if an argument has a wrong type, shape, range or name.
        PaletteError: if a palette cannot be read.
        ImageError: if the image is wholly transparent.

    Example:
        >>> import numpy as np
        >>> from kpalette import recolor
        >>> image = np.array([[[200, 30, 30], [30, 30, 200]]], np.uint8)
        >>> recolor(image, ["orange", "purple"], model="soft", lightness=1.0).tolist()
        [[[255, 165, 0], [128, 0, 128]]]
    """
    picture = _as_picture(image)
    recipe = make_recipe(target, model=model, source=source, match=match, lightness=lightness, seed=seed, tone=tone)
    plan = recipe.plan(picture)
    if isinstance(image, Picture):
        return picture.with_rgb(plan.apply(picture).image)
    if isinstance(image, Image.Image):
        return Image.fromarray(np.asarray(picture.with_rgb(plan.apply(picture).image)))
    array = np.asarray(image)
    if array.dtype == np.uint8:
        return np.asarray(picture.with_rgb(plan.apply(picture).image))
    return _recolor_float(np.dstack([array] * 3) if array.ndim == 2 else array, picture, plan)


def _as_picture(image: Any) -> Picture:
    """The image as an 8-bit picture."""
    if isinstance(image, Picture):
        return image
    if isinstance(image, Image.Image):
        return picture_from_pil(image)
    if isinstance(image, str | os.PathLike):
        raise ArgumentError(f"`image` must be a picture, not its path: read it first, read_image({os.fspath(image)!r})")
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
    """Recolours the colours of floats (H, W, 3) or (H, W, 4)."""
    result = array.copy()
    result[..., :3] = plan.apply_float(array[..., :3], picture)
    return result
