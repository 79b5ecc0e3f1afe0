"""Results as files: at full size, for the screen, and the command that makes the same file."""

import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePath

import cv2
import numpy as np

from kpalette.batch.job import RecolorFile
from kpalette.color.difference import delta_e_76
from kpalette.errors import ArgumentError, KPaletteError
from kpalette.images.encode import encode_image
from kpalette.images.files import SUFFIXES, format_of, suffix_of
from kpalette.images.picture import Picture, as_picture, image_to_lab, resize
from kpalette.page.pictures import decode_upload, file_name
from kpalette.page.settings import METHODS
from kpalette.palettes.palette import Palette
from kpalette.recolorers.base import ColorMapRecolorer
from kpalette.recolorers.lut_files import DEFAULT_SIZES, encode_cube
from kpalette.recolorers.recipe import Recipe
from kpalette.recolorers.registry import list_color_maps, list_networks, list_recolorers, registry
from kpalette.recolorers.strength import lightness_text
from kpalette.types import MIN_COLORS, ImageArray
from kpalette.weights.presets import find_preset

STRONG_CHANGE = 50.0
"""CIE 1976 difference from which on the map of changes is brightest."""


def page_recipe(method: str, source: Sequence[str], target: Sequence[str], lightness: float | str) -> Recipe:
    """Makes the recipe of the page: each of the picture's own colours becomes the target colour at its place.

    Args:
        method: name of a recolorer.
        source: the picture's own colours, `#rrggbb`.
        target: the target colours. A `source` of a single colour becomes the first of two.
        lightness: lightness strength, 0..1 or "auto".

    Returns:
        The recipe. The line of `command` gives the same one, so that both make the same file.
    """
    # A single colour is not a palette that can be typed. It is extracted, by the command too, and exactly.
    own = Palette.from_hex(source) if len(source) >= MIN_COLORS else None
    return Recipe(Palette.from_hex(target), method, own, "order", lightness)


def title_of(method: str) -> str:
    """The name of a recolorer for artists."""
    return registry()[method].title


def why_missing(method: str) -> str | None:
    """The reason why the weights of a recolorer are missing; None if it can be used."""
    if method not in list_networks():
        return None
    try:
        find_preset(method)
    except KPaletteError as error:
        return str(error)
    return None


def whole_file(data: bytes, recipe: Recipe, *, name: str) -> bytes:
    """Makes the file of a result: full size, the format and metadata of the upload.

    Args:
        data: the bytes of the uploaded file.
        recipe: how to recolour it.
        name: name of the uploaded file.

    Returns:
        The bytes of the file, equal to those of the file that `command` makes.

    Raises:
        KPaletteError: if the picture cannot be read, or its format cannot hold the result.
    """
    picture = decode_upload(data, name=name)
    image_format = format_of(result_name(name, recipe.recolorer.name, picture.format))
    return RecolorFile(recipe).encoded(picture, image_format=image_format)


def result_name(name: str, method: str, image_format: str) -> str:
    """The file name of a result: the names of picture and recolorer, and a suffix of the format."""
    path = PurePath(file_name(name))
    kept = SUFFIXES.get(path.suffix.lower()) == image_format
    return f"{path.stem}.{method}{path.suffix if kept else suffix_of(image_format)}"


def command(recipe: Recipe, *, name: str, image_format: str, sample: str | None = None) -> str:
    """The command line that makes the same file as `whole_file`, in the folder of the picture.

    Args:
        recipe: how the picture was recoloured.
        name: name of the picture's file.
        image_format: format of the picture.
        sample: name of the sample picture, if it is one.

    Returns:
        A line for a POSIX shell. Before that of a sample picture is one that saves the picture.
    """
    name = file_name(name)
    method = recipe.recolorer.name
    parts = ["kpalette", "recolor", _no_option(name), "--palette", _bare(recipe.target), "--match", "order"]
    if recipe.source is not None:
        parts += ["--source", _bare(recipe.source)]
    parts += ["--lightness", lightness_text(recipe.lightness)]
    parts += ["--model", method, "--output", _no_option(result_name(name, method, image_format)), "--force"]
    line = shlex.join(parts)
    if sample is None:
        return line
    save = f"import kpalette, kpalette.images.samples as i; kpalette.write_image('{name}', i.sample_image('{sample}'))"
    return f'python -c "{save}"\n{line}'


def _no_option(name: str) -> str:
    # A name that begins with a dash would be read as an option.
    return f"./{name}" if name.startswith("-") else name


def _bare(palette: Palette) -> str:
    return ",".join(code.removeprefix("#") for code in palette.hex)


def cube_file(data: bytes, recipe: Recipe, *, name: str) -> bytes:
    """Makes the recolouring as a .cube table, as `kpalette lut` writes it.

    Args:
        data: the bytes of the uploaded file.
        recipe: how to recolour it.
        name: name of the uploaded file.

    Returns:
        The bytes of the table.

    Raises:
        ArgumentError: if the recolorer is not a colour map.
        KPaletteError: if the picture cannot be read.
    """
    picture = decode_upload(data, name=name)
    plan = replace(recipe, tone="smooth").plan(picture)
    if not isinstance(plan.recolorer, ColorMapRecolorer):
        raise ArgumentError(f"`recipe` must be of a recolorer that is a colour map. Received: {plan.recolorer.name}")
    lattice = plan.recolorer.lattice(picture, plan, size=DEFAULT_SIZES[".cube"])
    return encode_cube(lattice, title=f"kpalette {plan.recolorer.name} {' '.join(plan.target.hex)}")


def has_cube(method: str) -> bool:
    """Whether a recolorer is a colour map, and so can be a table."""
    return method in list_color_maps()


def change_map(before: ImageArray, after: ImageArray) -> ImageArray:
    """A map of changes, uint8 (H, W, 3): dark is no change, bright a CIE 1976 difference of `STRONG_CHANGE` or more."""
    change = delta_e_76(image_to_lab(before), image_to_lab(after))
    grey = np.rint(np.clip(change / STRONG_CHANGE, 0, 1) * 255).astype(np.uint8)
    return np.ascontiguousarray(cv2.applyColorMap(grey, cv2.COLORMAP_INFERNO)[..., ::-1], dtype=np.uint8)


def screen_file(picture: Picture) -> bytes:
    """A picture as a file for the browser: JPEG, or PNG if it has transparency."""
    if picture.alpha is None:
        return encode_image(picture, image_format="JPEG", strip=True)
    # Low compression takes a quarter of the time. WebP is no choice: Streamlit would convert it to PNG at every run.
    pixels = cv2.cvtColor(np.asarray(picture), cv2.COLOR_RGBA2BGRA)
    return cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes()


def thumbnail(picture: Picture, *, longest: int = 160) -> bytes:
    """A small JPEG of a picture for the history; transparent parts are grey."""
    small = as_picture(resize(np.asarray(picture), longest=longest))
    return encode_image(small, image_format="JPEG", background="grey", strip=True)


def by_speed(methods: tuple[str, ...]) -> tuple[str, ...]:
    """Recolorers in the order in which they run: networks last, so that the first result is shown soon."""
    order = list_recolorers()
    return tuple(sorted(methods, key=lambda name: (name in list_networks(), order.index(name))))


def by_interest(methods: tuple[str, ...]) -> tuple[str, ...]:
    """Recolorers in the order in which they are shown: the page's defaults first, those without weights last."""
    order = list(dict.fromkeys((*METHODS, *list_recolorers())))
    return tuple(sorted(methods, key=lambda name: (why_missing(name) is not None, order.index(name))))
