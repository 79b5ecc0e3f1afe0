"""Results: at a screen's size with their figures, whole on download, and the command that makes the same file."""

import shlex
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import PurePath

import cv2
import numpy as np

from kpalette.batch.job import RecolorFile
from kpalette.color.difference import delta_e_76
from kpalette.errors import ArgumentError, KPaletteError
from kpalette.images.encode import encode_image
from kpalette.images.files import SUFFIXES, format_of, suffix_of
from kpalette.images.picture import Picture, as_picture, image_to_lab, resize
from kpalette.metrics.figures import measure, palette_distance, ssim
from kpalette.page.pictures import decode_upload, file_name
from kpalette.page.settings import METHODS
from kpalette.palettes.palette import Palette
from kpalette.recolorers.base import ColorMapRecolorer
from kpalette.recolorers.lut_files import DEFAULT_SIZES, encode_cube
from kpalette.recolorers.network import NetworkRecolorer
from kpalette.recolorers.recipe import Recipe
from kpalette.recolorers.registry import list_color_maps, list_networks, list_recolorers, registry
from kpalette.types import MIN_COLORS, ImageArray
from kpalette.weights.presets import find_preset

STRONG_CHANGE = 50.0
"""The dE76 that the map of changes shows as its brightest."""


def page_recipe(method: str, source: Sequence[str], target: Sequence[str], lightness: float) -> Recipe:
    """What the page asks for: each of the picture's own colours becomes the target of its place.

    Args:
        method: name of a recolorer.
        source: the picture's own colours, `#rrggbb`.
        target: what each of them becomes; if `source` is a single colour, it becomes the first of two colours.
        lightness: lightness strength, 0..1.

    Returns:
        The recipe that the command line makes of `command`, so that both make the same file.
    """
    # A single colour cannot be typed as a palette. It is extracted exactly, by the command too.
    own = Palette.from_hex(source) if len(source) >= MIN_COLORS else None
    return Recipe(Palette.from_hex(target), method, own, "order", lightness)


def title_of(method: str) -> str:
    """What artists see as the name of a recolorer."""
    return registry()[method].title


@dataclass(frozen=True, eq=False)
class Result:
    """A result at a screen's size.

    Attributes:
        recipe: what was asked for.
        picture: the picture recoloured.
        ssim: how much of the structure is kept, 1 is all.
        palette_de: how far its colours are from the target, 0 is exact.
        seconds: it took.
    """

    recipe: Recipe
    picture: Picture
    ssim: float
    palette_de: float
    seconds: float


def preview(picture: Picture, recipe: Recipe) -> Result:
    """Recolours a picture of a screen's size.

    Args:
        picture: the picture.
        recipe: what is asked for.

    Returns:
        The result and its figures, as `metrics.measure` gives them.

    Raises:
        KPaletteError: if a network's weights are missing or damaged.
    """
    load_network(recipe)  # once for all pictures, and no part of this one's seconds
    start = time.perf_counter()
    plan = recipe.plan(picture)
    done = picture.with_rgb(plan.apply(picture).image)
    seconds = time.perf_counter() - start
    if picture.alpha is not None:
        figures = measure(picture.rgb, done.rgb, plan.target, alpha=picture.alpha)
        return Result(recipe, done, figures["ssim"], figures["palette_de"], seconds)
    with ThreadPoolExecutor(1) as beside:
        kept = beside.submit(ssim, picture, done)
        off = palette_distance(done, plan.target)
    return Result(recipe, done, kept.result(), off, seconds)


def load_network(recipe: Recipe) -> None:
    """Loads the weights of a recipe's recolorer, where it is a network."""
    recolorer = recipe.recolorer
    if isinstance(recolorer, NetworkRecolorer):
        recolorer.load()


def why_missing(method: str) -> str | None:
    """The reason why a recolorer cannot work here, its weights are missing; None if it can."""
    if method not in list_networks():
        return None
    try:
        find_preset(method)
    except KPaletteError as error:
        return str(error)
    return None


def whole_file(data: bytes, recipe: Recipe, *, name: str) -> bytes:
    """The result at full size as a file of the kind that came, its metadata kept.

    Args:
        data: the bytes of the picture that came.
        recipe: what is asked for.
        name: of the file that came.

    Returns:
        The bytes of the file that `command` makes.

    Raises:
        KPaletteError: if the picture cannot be read, or the result not be written in its format.
    """
    picture = decode_upload(data, name=name)
    image_format = format_of(result_name(name, recipe.recolorer.name, picture.format))
    return RecolorFile(recipe).encoded(picture, image_format=image_format)


def result_name(name: str, method: str, image_format: str) -> str:
    """What a result is called: the picture's name with the method's in it, its suffix true of the format."""
    path = PurePath(file_name(name))
    kept = SUFFIXES.get(path.suffix.lower()) == image_format
    return f"{path.stem}.{method}{path.suffix if kept else suffix_of(image_format)}"


def command(recipe: Recipe, *, name: str, image_format: str, sample: str | None = None) -> str:
    """The command line that makes the very file that `whole_file` gives, in the folder of the picture.

    Args:
        recipe: what was asked for.
        name: of the picture's file.
        image_format: its format.
        sample: its name where it is one of `images.SAMPLES`, which has no file yet.

    Returns:
        One line for a POSIX shell; for a sample picture one before it, which saves the picture.
    """
    name = file_name(name)
    method = recipe.recolorer.name
    parts = ["kpalette", "recolor", _no_option(name), "--palette", _bare(recipe.target), "--match", "order"]
    if recipe.source is not None:
        parts += ["--source", _bare(recipe.source)]
    if recipe.lightness is not None:
        parts += ["--lightness", f"{recipe.lightness:g}"]
    parts += ["--model", method, "--output", _no_option(result_name(name, method, image_format)), "--force"]
    line = shlex.join(parts)
    if sample is None:
        return line
    save = f"import kpalette, kpalette.images.samples as i; kpalette.write_image('{name}', i.sample_image('{sample}'))"
    return f'python -c "{save}"\n{line}'


def _no_option(name: str) -> str:
    # A name that begins with a dash would be taken for an option.
    return f"./{name}" if name.startswith("-") else name


def _bare(palette: Palette) -> str:
    return ",".join(code.removeprefix("#") for code in palette.hex)


def cube_file(data: bytes, recipe: Recipe, *, name: str) -> bytes:
    """The recolouring as a .cube table for video and photo programs, as `kpalette lut` writes it.

    Args:
        data: the bytes of the picture that came.
        recipe: what is asked for.
        name: of the file that came.

    Returns:
        The bytes of the table.

    Raises:
        ArgumentError: if the recolorer is no colour map.
        KPaletteError: if the picture cannot be read.
    """
    picture = decode_upload(data, name=name)
    plan = recipe.plan(picture)
    if not isinstance(plan.recolorer, ColorMapRecolorer):
        raise ArgumentError(f"`recipe` must be of a recolorer that is a colour map. Received: {plan.recolorer.name}")
    lattice = plan.recolorer.lattice(picture, plan, size=DEFAULT_SIZES[".cube"])
    return encode_cube(lattice, title=f"kpalette {plan.recolorer.name} {' '.join(plan.target.hex)}")


def has_cube(method: str) -> bool:
    """Whether a recolorer is a colour map, which a table can hold."""
    return method in list_color_maps()


def change_map(before: ImageArray, after: ImageArray) -> ImageArray:
    """Where colours changed: uint8 (H, W, 3), dark is no change, bright `STRONG_CHANGE` dE76 or more."""
    change = delta_e_76(image_to_lab(before), image_to_lab(after))
    grey = np.rint(np.clip(change / STRONG_CHANGE, 0, 1) * 255).astype(np.uint8)
    return np.ascontiguousarray(cv2.applyColorMap(grey, cv2.COLORMAP_INFERNO)[..., ::-1], dtype=np.uint8)


def screen_file(picture: Picture) -> bytes:
    """A picture of a screen's size as a browser shows it: JPEG, or PNG where there is transparency."""
    if picture.alpha is None:
        return encode_image(picture, image_format="JPEG", strip=True)
    # Little compressed: a quarter of the time. Streamlit would turn a WebP into a PNG at every run.
    pixels = cv2.cvtColor(np.asarray(picture), cv2.COLOR_RGBA2BGRA)
    return cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes()


def thumbnail(picture: Picture, *, longest: int = 160) -> bytes:
    """A small JPEG of a picture for the history, on grey where it is transparent."""
    small = as_picture(resize(np.asarray(picture), longest=longest))
    return encode_image(small, image_format="JPEG", background="grey", strip=True)


def by_speed(methods: tuple[str, ...]) -> tuple[str, ...]:
    """Recolorers in the order in which they are computed: networks last, so that something is shown at once."""
    order = list_recolorers()
    return tuple(sorted(methods, key=lambda name: (name in list_networks(), order.index(name))))


def by_interest(methods: tuple[str, ...]) -> tuple[str, ...]:
    """Recolorers in the order in which they are shown: the page's defaults first, those that cannot work last."""
    order = list(dict.fromkeys((*METHODS, *list_recolorers())))
    return tuple(sorted(methods, key=lambda name: (why_missing(name) is not None, order.index(name))))
