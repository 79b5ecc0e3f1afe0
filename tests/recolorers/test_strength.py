import json

import numpy as np
import pytest

import kpalette
from kpalette.errors import ArgumentError
from kpalette.images.picture import Picture, resize
from kpalette.images.samples import sample_image
from kpalette.metrics.structure import structure_terms
from kpalette.palettes.palette import Palette
from kpalette.recolorers.recipe import Recipe, make_recipe
from kpalette.recolorers.registry import get_recolorer
from kpalette.recolorers.strength import KEPT, auto_strength, check_lightness
from kpalette.study.compare import run_recipe

LIGHT = "#fff7e6 #e8f1f2 #f7e7ce #f5f5f5"
FOUR = "orange saddlebrown purple green"


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan"), "much", "Auto", None, [1]])
def test_out_of_range(value):
    with pytest.raises(ArgumentError, match=r"`lightness` must be a number in 0..1, or 'auto'. Received: "):
        check_lightness(value)


def test_in_range():
    assert check_lightness(1) == 1.0
    assert check_lightness("0.5") == 0.5
    assert check_lightness("auto") == "auto"


def test_it_is_the_greatest_that_keeps_enough():
    L = np.linspace(5, 60, 400).reshape(20, 20).astype(np.float32)
    moved = L + 35
    chosen = auto_strength(L, moved)
    assert 0.05 < chosen < 1
    level = {s: np.interp(L + s * 35, *_grey_of_lightness()) for s in (0.0, chosen, round(chosen + 0.05, 2))}
    x = level.pop(0.0)
    kept = [np.mean((2 * x * y + 1e-4) / (x**2 + y**2 + 1e-4)) for y in level.values()]
    assert kept[0] >= KEPT > kept[1]


def _grey_of_lightness():
    greys = np.arange(256) / 255
    lab = kpalette.rgb_to_lab(np.repeat(greys[:, np.newaxis], 3, axis=1))
    return lab[:, 0], greys


@pytest.mark.parametrize("value", [0.0, 50.0, 100.0])
def test_what_stays_may_move_wholly(value):
    L = np.full((4, 4), value, np.float32)
    assert auto_strength(L, L) == 1.0


def test_black_that_becomes_white_moves_least():
    assert auto_strength(np.zeros((4, 4), np.float32), np.full((4, 4), 100.0, np.float32)) == 0.05


@pytest.fixture(scope="module")
def coffee():
    return Picture(resize(sample_image("coffee"), longest=256))


def test_a_palette_that_is_near_gets_more_than_one_that_is_far(coffee):
    near, far = (make_recipe(target, model="soft").plan(coffee).lightness for target in (FOUR, LIGHT))
    assert far < near
    assert near >= 0.7


@pytest.mark.parametrize("tone", ["local", "curve", "smooth"])
def test_the_picture_keeps_its_luminance(coffee, tone):
    plan = make_recipe(LIGHT, model="soft", tone=tone).plan(coffee)
    image = plan.apply(coffee).image
    grey = [np.asarray(x, np.float64).mean(axis=2).astype(np.uint8) for x in (coffee.rgb, image)]
    assert structure_terms(*grey)["luminance"] > KEPT - 0.03


def test_it_is_the_same_for_all_recolorers_of_one_extraction(coffee):
    chosen = {make_recipe(FOUR, model=model).plan(coffee).lightness for model in ("soft", "fitted")}
    assert len(chosen) == 1


def test_the_chosen_number_gives_the_same_picture(coffee):
    recipe = make_recipe(FOUR, model="soft")
    plan = recipe.plan(coffee)
    typed = kpalette.recolor(coffee.rgb, FOUR, model="soft", lightness=plan.lightness)
    np.testing.assert_array_equal(kpalette.recolor(coffee.rgb, FOUR, model="soft"), typed)
    np.testing.assert_array_equal(kpalette.recolor(coffee.rgb, FOUR, model="soft", lightness=None), typed)
    assert run_recipe(coffee, recipe).lightness == plan.lightness
    assert json.loads(json.dumps(recipe.settings()))["lightness"] == "auto"


def test_hidden_pixels_have_no_say(coffee):
    alpha = np.full(coffee.rgb.shape[:2], 255, np.uint8)
    alpha[:, 100:] = 0
    painted = coffee.rgb.copy()
    painted[:, 100:] = 255
    source, target = Palette.parse("#202020 #806040"), Palette.parse("#606060 #c0a080")
    plans = [Recipe(target, get_recolorer("soft"), source).plan(Picture(rgb, alpha)) for rgb in (coffee.rgb, painted)]
    assert plans[0].lightness == plans[1].lightness
