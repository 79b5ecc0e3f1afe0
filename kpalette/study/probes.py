"""What a recolourer does where the answer is known: hue pairs, a picture's own palette, two palettes side by side."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kpalette.color.difference import delta_e
from kpalette.color.gamut import BISECTION_STEPS
from kpalette.color.spaces import lab_to_rgb
from kpalette.data.pairs import turn
from kpalette.images.picture import Picture, image_to_lab, image_to_rgb, rgb_to_image
from kpalette.metrics.figures import ab_error
from kpalette.palettes.extract import extract_palette
from kpalette.palettes.palette import Palette
from kpalette.recolorers.base import Plan, Recolorer
from kpalette.recolorers.recipe import Recipe
from kpalette.types import DEFAULT_COLORS, BoolArray, FloatArray

PROBES = {
    "ab_error": "hue pairs: mean distance in ab to the same picture turned in hue, 0 is exact",
    "own": "mean CIEDE2000 to the source where the picture's own palette is asked for, 0 is exact",
    "response": "how far two results differ in ab, over how far their palettes do: 0 ignores the palette, 1 follows it",
}
"""Every figure of `probe` with what it says; all at lightness 0."""

_HAIR = 1e-9  # units of Lab


class HuePair(NamedTuple):
    """A picture under two turns of hue at its own lightness: what is shown, and what is asked for."""

    shown: Picture
    """The picture under the first turn, 8 bits."""
    truth: FloatArray
    """The picture under the second, CIELAB (H, W, 3)."""
    known: BoolArray
    """Pixels (H, W) that neither turn brought out of sRGB: chroma lost has no answer."""
    source: Palette
    """The picture's own palette under the first turn."""
    target: Palette
    """The same under the second, in the same order."""


def hue_pair(picture: Picture, number: int) -> HuePair:
    """Makes the hue pair of a picture, as those that networks are trained on (`kpalette.data.pairs`).

    Args:
        picture: any picture.
        number: of the picture in its study: it decides the turns, the same on every machine.

    Returns:
        The pair.
    """
    first, second = np.random.default_rng([0, number]).random(2)
    rgb = image_to_rgb(picture.rgb)
    own = extract_palette(picture, size=DEFAULT_COLORS, method="kmeans")
    straight = np.zeros(2)  # the curve of lightness
    (shown, inside), (truth, kept) = (turn(rgb, shift, straight, steps=BISECTION_STEPS) for shift in (first, second))
    palettes = (
        Palette(turn(own.rgb, shift, straight, steps=BISECTION_STEPS)[0], own.weights) for shift in (first, second)
    )
    return HuePair(picture.with_rgb(rgb_to_image(lab_to_rgb(shown))), truth, inside * kept > 0, *palettes)


def hue_error(pair: HuePair, recolorer: Recolorer | None) -> float:
    """Mean distance in ab between a recolourer's answer to a hue pair and the truth.

    Args:
        pair: what `hue_pair` made.
        recolorer: who answers; None does nothing.

    Returns:
        Units of Lab, over the pixels whose answer is known; nan where there is none.
    """
    image = pair.shown.rgb
    if recolorer is not None:
        image = Plan(recolorer, pair.source, pair.target, 0.0).apply(pair.shown).image
    return ab_error(image_to_lab(image), pair.truth, mask=pair.known)


def own_error(picture: Picture, recolorer: Recolorer | None) -> float:
    """Mean CIEDE2000 between a picture and what becomes of it when its own palette is asked for.

    Args:
        picture: the picture.
        recolorer: who is asked; None does nothing.

    Returns:
        0 where nothing changes.
    """
    if recolorer is None:
        return 0.0
    own = extract_palette(picture, size=DEFAULT_COLORS, method=recolorer.extraction)
    # A hair beside it: of a palette that is equal to the bit, networks would not be asked at all.
    beside = Palette(own.lab + _HAIR, own.weights)
    image = Plan(recolorer, own, beside, 0.0).apply(picture).image
    return float(np.mean(delta_e(image_to_lab(picture.rgb), image_to_lab(image))))


def response(picture: Picture, first: Palette, second: Palette, recolorer: Recolorer | None) -> float:
    """How much of the way between two palettes the results go.

    Args:
        picture: the picture.
        first: a palette.
        second: another, of as many colours.
        recolorer: who is asked for both; None does nothing.

    Returns:
        Mean distance in ab between the two results, over the distance between the palettes as they are matched to the
        picture's own, by its shares; nan where the palettes do not differ in ab.
    """
    if recolorer is None:
        return 0.0
    plans = [Recipe(target, recolorer, lightness=0.0).plan(picture) for target in (first, second)]
    images = [plan.apply(picture).image for plan in plans]
    asked = np.linalg.norm((plans[0].target.lab - plans[1].target.lab)[:, 1:], axis=-1)
    distance = float(np.sum(plans[0].source.weights * asked))
    return ab_error(image_to_lab(images[0]), image_to_lab(images[1])) / distance if distance else float("nan")


def probe(
    picture: Picture, recolorer: Recolorer | None, *, pair: HuePair, targets: Sequence[Palette]
) -> dict[str, float]:
    """All of `PROBES` for one picture and recolourer.

    Args:
        picture: the picture.
        recolorer: who is probed; None does nothing.
        pair: the picture's hue pair.
        targets: palettes asked of the picture; the first two are for `response`, nan if there are fewer.

    Returns:
        Figures by name.
    """
    two = len(targets) > 1
    return {
        "ab_error": hue_error(pair, recolorer),
        "own": own_error(picture, recolorer),
        "response": response(picture, targets[0], targets[1], recolorer) if two else float("nan"),
    }
