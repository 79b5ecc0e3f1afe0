"""Matching that keeps objects whole."""

import numpy as np
import pytest

import kpalette
from kpalette.errors import ArgumentError
from kpalette.images.picture import Picture, resize
from kpalette.images.samples import sample_image
from kpalette.metrics.objects import object_split
from kpalette.palettes.extract import extract_palette
from kpalette.palettes.palette import Palette
from kpalette.recolorers.matching import match_objects
from kpalette.recolorers.recipe import make_recipe


def hat() -> np.ndarray:
    """A red hat with a dark side, on a ground of light and dark green, with grain."""
    image = np.zeros((96, 96, 3))
    image[:, :48], image[:, 48:] = (120, 160, 110), (60, 84, 56)
    image[24:72, 24:48], image[24:72, 48:72] = (200, 60, 50), (110, 30, 26)
    grain = np.random.default_rng(0).normal(0, 3, (96, 96, 1))
    return np.clip(image + grain, 0, 255).astype(np.uint8)


SOURCE = Palette.from_rgb(np.array([[120, 160, 110], [60, 84, 56], [200, 60, 50], [110, 30, 26]], np.uint8))
TWO_HUES = "#1f4e9e #6fa8ff #8a6a10 #f0c040"  # dark and light blue, dark and light yellow


def test_light_and_dark_of_one_hue_become_light_and_dark_of_one_hue():
    target = Palette.parse(TWO_HUES)
    matched = match_objects(Picture(hat()), SOURCE, target)
    becomes = dict(zip(("green", "dark green", "red", "dark red"), matched.hex, strict=True))
    blue, yellow = {"#1f4e9e", "#6fa8ff"}, {"#8a6a10", "#f0c040"}
    assert {becomes["red"], becomes["dark red"]} in (blue, yellow)
    assert {becomes["green"], becomes["dark green"]} in (blue, yellow)
    L = matched.lab[:, 0]
    assert L[2] > L[3]
    assert L[0] > L[1]


@pytest.mark.parametrize("model", ["soft", "fitted", "baseline"])
def test_the_hat_stays_of_one_hue(model):
    """By lightness, it is torn."""
    target = Palette.parse("#10306e #3a68c0 #a08020 #f0d070")
    split = {
        match: object_split(hat(), kpalette.recolor(hat(), target, model=model, source=SOURCE, match=match), target)
        for match in ("auto", "lightness")
    }
    assert split["auto"] < 0.05
    assert split["lightness"] > 0.2


@pytest.mark.parametrize("target", ["black #404040 #909090 white", "#300000 #700000 #b00000 #ff6060"])
def test_without_two_hues_it_is_by_lightness(target):
    """Palettes of greys, and of one hue."""
    picture = Picture(resize(sample_image("coffee"), longest=128))
    source, asked = extract_palette(picture, size=4), Palette.parse(target)
    assert match_objects(picture, source, asked) == source.matched(asked)


def test_every_colour_is_used_at_most_once():
    picture = Picture(resize(sample_image("astronaut"), longest=128))
    for size in (2, 3, 5, 8):
        target = Palette.from_rgb(np.random.default_rng(size).random((8, 3)))
        source = extract_palette(picture, size=size)
        matched = match_objects(picture, source, target)
        assert len(matched) == len(source)
        assert len(set(matched.hex)) == len(source)
        assert set(matched.hex) <= set(target.hex)


def test_explicit_choices_win():
    picture = Picture(hat())
    plans = [
        make_recipe(TWO_HUES, model="soft", match=match).plan(picture) for match in ("lightness", "order", "nearest")
    ]
    for plan, match in zip(plans, ("lightness", "order", "nearest"), strict=True):
        assert plan.target == plan.source.matched(Palette.parse(TWO_HUES), match=match)
    assert make_recipe(TWO_HUES, model="soft").match == "auto"


def test_hidden_pixels_have_no_say():
    image, alpha = hat(), np.full((96, 96), 255, np.uint8)
    alpha[:, :10] = 0
    noisy = image.copy()
    noisy[:, :10] = np.random.default_rng(1).integers(0, 256, (96, 10, 3))
    target = Palette.parse(TWO_HUES)
    results = [match_objects(Picture(rgb, alpha), SOURCE, target) for rgb in (image, noisy)]
    assert results[0] == results[1]


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (2, 2)])
def test_small_pictures(shape):
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    target = Palette.parse(TWO_HUES)
    source = extract_palette(image, size=4)
    assert len(match_objects(Picture(image), source, target)) == len(source)


def test_too_few_targets():
    with pytest.raises(ArgumentError, match="the source palette has 4 colours and the target 2"):
        match_objects(Picture(hat()), SOURCE, Palette.parse("red blue"))
    with pytest.raises(ArgumentError, match="`match` must be one of auto, lightness, order, nearest. Received: 'best'"):
        kpalette.recolor(hat(), TWO_HUES, match="best")
