"""Probes: tests of a recolorer for which the right answer is known.

- **ab_error**: a *hue pair* is one picture with its hues turned by two angles. The recolorer gets the first, with the
  palettes of both, and should return the second. The figure is the mean distance in ab.
- **own**: the recolorer gets the picture's own palette as target, and should change nothing. The figure is the mean
  CIEDE2000 difference.
- **response**: the recolorer gets one picture with two targets. The figure is the mean distance in ab between both
  results, divided by that between both palettes: 0 ignores the palette, 1 follows it.

All probes work at lightness 0. `None` in place of a recolorer is the picture itself.
"""

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
    "own": "mean CIEDE2000 to the source if the target is the picture's own palette, 0 is exact",
    "response": "distance in ab of two results, over that of their palettes: 0 ignores the palette, 1 follows it",
}
"""The figures of `probe`, each with its meaning."""

_TINY = 1e-9  # Lab units


class HuePair(NamedTuple):
    """A picture with its hues turned by two angles, at unchanged lightness.

    Attributes:
        shown: the picture after the first turn, 8 bits.
        truth: the picture after the second turn, CIELAB (H, W, 3).
        known: bool (H, W), pixels that both turns leave inside sRGB. Where chroma is lost, there is no right answer.
        source: the picture's own palette after the first turn.
        target: the same palette after the second turn, in the same order.

    Example:
        >>> from kpalette.images.samples import sample_image
        >>> pair = hue_pair(Picture(sample_image("coffee")[::16, ::16]), 0)
        >>> hue_error(pair, None) > 10
        True
    """

    shown: Picture
    truth: FloatArray
    known: BoolArray
    source: Palette
    target: Palette


def hue_pair(picture: Picture, number: int) -> HuePair:
    """Makes the hue pair of a picture. Networks are trained on such pairs (`kpalette.data.pairs`).

    Args:
        picture: any picture.
        number: number of the picture in its study; it decides the angles, which are equal on every machine.

    Returns:
        The pair.
    """
    first, second = np.random.default_rng([0, number]).random(2)
    rgb = image_to_rgb(picture.rgb)
    own = extract_palette(picture, size=DEFAULT_COLORS, method="kmeans")
    same_lightness = np.zeros(2)  # the lightness curve

    def turned(colors: FloatArray, shift: float) -> tuple[FloatArray, FloatArray]:
        return turn(colors, shift, same_lightness, steps=BISECTION_STEPS)

    (shown, first_inside), (truth, second_inside) = turned(rgb, first), turned(rgb, second)
    palettes = (Palette(turned(own.rgb, shift)[0], own.shares) for shift in (first, second))
    known = first_inside * second_inside > 0
    return HuePair(picture.with_rgb(rgb_to_image(lab_to_rgb(shown))), truth, known, *palettes)


def hue_error(pair: HuePair, recolorer: Recolorer | None) -> float:
    """Measures `ab_error`; see the head of this module.

    Args:
        pair: a hue pair.
        recolorer: the recolorer, or None.

    Returns:
        Mean distance in ab, in Lab units, over the pixels of `pair.known`; nan if there are none.
    """
    image = pair.shown.rgb
    if recolorer is not None:
        image = Plan(recolorer, pair.source, pair.target, 0.0).apply(pair.shown).image
    return ab_error(image_to_lab(image), pair.truth, mask=pair.known)


def own_error(picture: Picture, recolorer: Recolorer | None) -> float:
    """Measures `own`; see the head of this module.

    Args:
        picture: the picture.
        recolorer: the recolorer, or None.

    Returns:
        Mean CIEDE2000 difference; 0 if nothing changes.
    """
    if recolorer is None:
        return 0.0
    own = extract_palette(picture, size=DEFAULT_COLORS, method=recolorer.extraction)
    # Not equal to the bit: then a NetworkRecolorer would return the picture without running its network.
    target = Palette(own.lab + _TINY, own.shares)
    image = Plan(recolorer, own, target, 0.0).apply(picture).image
    return float(np.mean(delta_e(image_to_lab(picture.rgb), image_to_lab(image))))


def response(picture: Picture, first: Palette, second: Palette, recolorer: Recolorer | None) -> float:
    """Measures `response`; see the head of this module.

    Args:
        picture: the picture.
        first: the first target.
        second: the second target, of as many colours.
        recolorer: the recolorer, or None.

    Returns:
        Distance of the results over distance of the palettes, both means in ab. The palettes are matched to the
        picture's own palette, whose shares are the weights of the mean. nan if the palettes do not differ in ab.
    """
    if recolorer is None:
        return 0.0
    plans = [Recipe(target, recolorer, lightness=0.0).plan(picture) for target in (first, second)]
    images = [plan.apply(picture).image for plan in plans]
    apart = np.linalg.norm((plans[0].target.lab - plans[1].target.lab)[:, 1:], axis=-1)
    distance = float(np.sum(plans[0].source.shares * apart))
    return ab_error(image_to_lab(images[0]), image_to_lab(images[1])) / distance if distance else float("nan")


def probe(
    picture: Picture, recolorer: Recolorer | None, *, pair: HuePair, targets: Sequence[Palette]
) -> dict[str, float]:
    """Measures all of `PROBES` for one picture and recolorer.

    Args:
        picture: the picture.
        recolorer: the recolorer, or None.
        pair: the picture's hue pair.
        targets: target palettes; the first two are for `response`, which is nan if there are fewer.

    Returns:
        Figures by name.
    """
    two = len(targets) > 1
    return {
        "ab_error": hue_error(pair, recolorer),
        "own": own_error(picture, recolorer),
        "response": response(picture, targets[0], targets[1], recolorer) if two else float("nan"),
    }
