"""Recolourers x images x palettes to rows of figures, and those rows to one line per method."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from kpalette.images.picture import Picture
from kpalette.metrics.figures import FIGURES, measure
from kpalette.metrics.references import REFERENCES
from kpalette.palettes.extract import extract_palette
from kpalette.palettes.palette import Palette
from kpalette.recolorers.base import Recolorer
from kpalette.recolorers.recolor import make_plan
from kpalette.recolorers.registry import list_recolorers, missing_recolorers
from kpalette.types import ImageArray

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Row:
    """One method on one picture and palette.

    Attributes:
        method: name of the recolourer or reference row.
        image: uint8 sRGB (H, W, 3), what it made.
        figures: `metrics.FIGURES`, and `clipped` where the method reports it.
        seconds: wall time of extraction, bake and apply.
        lightness: the strength it worked with; None for reference rows.
    """

    method: str
    image: ImageArray
    figures: dict[str, float]
    seconds: float
    lightness: float | None = None


def _figures(picture: Picture, image: ImageArray, target: Palette) -> dict[str, float]:
    return measure(picture.rgb, image, target, alpha=picture.alpha)


def usable_recolorers() -> list[str]:
    """Names of all recolourers but networks whose weights are not there, of which a warning is logged."""
    missing = missing_recolorers()
    if missing:
        _log.warning("without %s, whose weights are not there", " and ".join(missing))
    return [name for name in list_recolorers() if name not in missing]


def compare(
    picture: Picture,
    target: Palette,
    *,
    models: Sequence[str | Recolorer] | None = None,
    source: Palette | str | None = None,
    match: str = "lightness",
    lightness: float | None = None,
) -> Iterator[Row]:
    """Recolours one picture with several recolourers and measures each; the first row is `source`, doing nothing.

    Args:
        picture: the picture.
        target: the palette asked for.
        models: names or recolourers; all of `list_recolorers()` if None, without networks whose weights are
            not there, of which a warning is logged.
        source: as in `recolor`.
        match: as in `recolor`.
        lightness: as in `recolor`; each recolourer's own default if None.

    Yields:
        Rows, as they are done.
    """
    yield Row("source", picture.rgb, _figures(picture, picture.rgb, target), 0.0)
    if models is None:
        models = usable_recolorers()
    for model in models:
        yield run_model(picture, target, model, source=source, match=match, lightness=lightness)


def run_model(
    picture: Picture,
    target: Palette,
    model: str | Recolorer,
    *,
    source: Palette | str | None = None,
    match: str = "lightness",
    lightness: float | None = None,
) -> Row:
    """Recolours one picture with one recolourer and measures it; arguments as in `recolor`."""
    start = time.perf_counter()
    plan = make_plan(picture, target, model=model, source=source, match=match, lightness=lightness)
    done = plan.apply(picture)
    seconds = time.perf_counter() - start
    figures = {**_figures(picture, done.image, target), "clipped": done.clipped}
    return Row(plan.recolorer.name, done.image, figures, seconds, plan.lightness)


def compare_references(picture: Picture, target: Palette) -> Iterator[Row]:
    """The rows of `reference.REFERENCES` for one picture and palette, swatches by `kmeans`, matched by lightness."""
    source = extract_palette(picture, size=len(target), method="kmeans")
    matched = source.matched(target)
    for name, make in REFERENCES.items():
        start = time.perf_counter()
        image = make(picture.rgb, source, matched)
        seconds = time.perf_counter() - start
        yield Row(name, image, _figures(picture, image, target), seconds)


def summarize(rows: Iterable[Row], *, statistic: Callable[..., float] = np.median) -> dict[str, dict[str, float]]:
    """One line of figures for each method, over all its rows.

    Args:
        rows: any number of rows of any methods.
        statistic: of a list of numbers; the median unless told otherwise.

    Returns:
        Figures and `seconds` by name, by method, in order of first appearance.
    """
    grouped: dict[str, list[Row]] = {}
    for row in rows:
        grouped.setdefault(row.method, []).append(row)
    return {
        method: {
            **{name: float(statistic([row.figures[name] for row in group])) for name in FIGURES},
            "seconds": float(statistic([row.seconds for row in group])),
        }
        for method, group in grouped.items()
    }
