"""Several recolorers on one picture and palette: the result of each, and its figures."""

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from kpalette.images.picture import Picture
from kpalette.metrics.measure import measure
from kpalette.metrics.references import REFERENCES
from kpalette.palettes.extract import extract_palette
from kpalette.palettes.palette import Palette
from kpalette.recolorers.base import Recolorer
from kpalette.recolorers.recipe import Recipe, make_recipe
from kpalette.recolorers.registry import list_recolorers, missing_recolorers
from kpalette.types import AUTO, TONES, ImageArray

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class MethodResult:
    """The result of one recolorer, or of one reference row, for a picture and a palette.

    Attributes:
        method: name of the recolorer or of the reference row.
        image: the result, uint8 sRGB (H, W, 3).
        figures: `FIGURES`; of a recolorer also `clipped`.
        seconds: wall time, in which the palette was extracted and the picture recoloured.
        lightness: lightness strength, 0..1, or in a study "auto"; None for reference rows.
        tone: how lightness moved, one of `TONES`; "" for reference rows.

    Example:
        >>> from kpalette import Palette, Picture
        >>> from kpalette.images.samples import sample_image
        >>> picture = Picture(sample_image("coffee")[::8, ::8])
        >>> next(compare(picture, Palette.parse("red blue"), models=["soft"])).method
        'source'
    """

    method: str
    image: ImageArray
    figures: dict[str, float]
    seconds: float
    lightness: float | str | None = None
    tone: str = ""


def _figures(picture: Picture, image: ImageArray, target: Palette) -> dict[str, float]:
    return measure(picture.rgb, image, target, alpha=picture.alpha)


def usable_recolorers() -> list[str]:
    """Names of all recolorers but the networks whose weights are missing; these are logged as a warning."""
    missing = missing_recolorers()
    if missing:
        _log.warning("left out %s: the weights are missing", " and ".join(missing))
    return [name for name in list_recolorers() if name not in missing]


def compare(
    picture: Picture,
    target: Palette,
    *,
    models: Sequence[str | Recolorer] | None = None,
    source: Palette | None = None,
    match: str = AUTO,
    lightness: float | str | None = AUTO,
    tone: str = TONES[0],
) -> Iterator[MethodResult]:
    """Recolours one picture with several recolorers, and measures each result.

    Args:
        picture: the picture.
        target: the target palette.
        models: names of recolorers, or recolorers; those of `usable_recolorers` if None.
        source: as in `Recipe`.
        match: as in `Recipe`.
        lightness: as in `Recipe`.
        tone: as in `Recipe`.

    Yields:
        The row "source", which is the picture itself; then the result of each recolorer, as soon as it is ready.
    """
    yield MethodResult("source", picture.rgb, _figures(picture, picture.rgb, target), 0.0)
    settings: dict[str, Any] = {"source": source, "match": match, "lightness": lightness, "tone": tone}
    for model in usable_recolorers() if models is None else models:
        yield run_recipe(picture, make_recipe(target, model=model, **settings))


def run_recipe(picture: Picture, recipe: Recipe) -> MethodResult:
    """Recolours one picture by a recipe, and measures the result."""
    start = time.perf_counter()
    plan = recipe.plan(picture)
    done = plan.apply(picture)
    seconds = time.perf_counter() - start
    figures = {**_figures(picture, done.image, recipe.target), "clipped": done.clipped}
    return MethodResult(plan.recolorer.name, done.image, figures, seconds, plan.lightness, plan.tone)


def compare_references(picture: Picture, target: Palette) -> Iterator[MethodResult]:
    """Makes and measures the reference rows (`REFERENCES`) for one picture and palette.

    Args:
        picture: the picture. Its own palette is extracted by "kmeans".
        target: the target palette, matched by lightness.

    Yields:
        The result of each reference row.
    """
    source = extract_palette(picture, size=len(target), method="kmeans")
    matched = source.matched(target)
    for name, make in REFERENCES.items():
        start = time.perf_counter()
        image = make(picture.rgb, source, matched)
        seconds = time.perf_counter() - start
        yield MethodResult(name, image, _figures(picture, image, target), seconds)
