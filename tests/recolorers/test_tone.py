import warnings
from dataclasses import replace

import cv2
import numpy as np
import pytest

import kpalette
from kpalette.color.spaces import rgb_to_lab
from kpalette.errors import ArgumentError
from kpalette.images.picture import Picture, image_to_lab, image_to_rgb, resize
from kpalette.images.samples import sample_image
from kpalette.metrics.figures import false_edges
from kpalette.metrics.halo import halo
from kpalette.metrics.structure import structure_terms
from kpalette.palettes.extract import extract_palette
from kpalette.palettes.palette import Palette
from kpalette.recolorers.base import Recolored
from kpalette.recolorers.flat import find_flat
from kpalette.recolorers.lightness import transfer_lightness
from kpalette.recolorers.recipe import Recipe, make_recipe
from kpalette.recolorers.registry import get_recolorer, list_recolorers, missing_recolorers
from kpalette.recolorers.tone import Relit

PRESENT = [name for name in list_recolorers() if name not in missing_recolorers()]
COLORS = "orange saddlebrown purple green"


class Same:
    """A recolorer that changes nothing: what comes back is the relit picture."""

    name, extraction = "same", "kmeans"

    def apply(self, picture, plan):
        assert plan.lightness == 0.0
        return Recolored(picture.rgb, lambda: 0.0)


def relit(image: np.ndarray, source: str, target: str, *, strength: float = 1.0) -> np.ndarray:
    return Relit(Picture(image), Palette.parse(source), Palette.parse(target), strength=strength).picture().rgb


def with_grain(image: np.ndarray) -> np.ndarray:
    """The image with noise, without which it would be flat art."""
    grainy = image + np.random.default_rng(0).integers(-6, 7, image.shape)
    assert find_flat(Picture(grainy.astype(np.uint8))) is None
    return grainy.astype(np.uint8)


def lightness(image: np.ndarray) -> np.ndarray:
    return image_to_lab(image)[..., 0]


@pytest.fixture(scope="module")
def coffee() -> np.ndarray:
    return resize(sample_image("coffee"), longest=256)


def test_a_flat_picture_takes_the_palettes_lightness_and_keeps_its_hue():
    image = np.zeros((64, 64, 3), np.uint8)
    image[:, :32], image[:, 32:] = (60, 20, 20), (150, 170, 200)
    done = relit(image, "#3c1414 #96aac8", "#6b4c48 #e8e8e8")
    before, after = image_to_lab(image), image_to_lab(done)
    target = Palette.parse("#6b4c48 #e8e8e8").lab[:, 0]
    assert after[:, 4, 0] == pytest.approx(target[0], abs=1.0)
    assert after[:, 60, 0] == pytest.approx(target[1], abs=1.0)
    np.testing.assert_allclose(after[:, 4, 1:], before[:, 4, 1:], atol=1.5)


def test_detail_inside_a_region_stays_where_a_curve_would_stretch_it():
    """A textured dark half and a plain light one; the curve bends where the texture is."""
    image = np.full((96, 96, 3), 200, np.uint8)
    image[:, :48] = np.random.default_rng(0).integers(52, 69, (96, 48, 1))
    source, target = Palette.parse("#303030 #c8c8c8"), Palette.parse("#707070 #747474")
    done = Relit(Picture(image), source, target, strength=1.0).picture().rgb
    by_curve = transfer_lightness(lightness(image), source, target, strength=1.0)
    spread = [x[8:-8, 8:40].std() for x in (lightness(image), lightness(done), by_curve)]
    assert spread[1] == pytest.approx(spread[0], rel=0.1)
    assert abs(spread[2] - spread[0]) > 0.25 * spread[0]


def test_black_gets_no_veil_and_yet_may_become_lighter():
    """Where the palette's black is the picture's, its black stays, whatever moves beside it."""
    picture = Picture(resize(sample_image("astronaut"), longest=256))
    source = extract_palette(picture, size=4, method="kmeans")
    black = lightness(picture.rgb) < 1
    moves = {}
    for darkest in (2.0, 40.0):
        target = Palette([[L, 0, 0] for L in (darkest, 57.0, 82.0, 94.0)])
        moves[darkest] = lightness(Relit(picture, source, target, strength=1.0).picture().rgb) - lightness(picture.rgb)
    assert np.percentile(moves[2.0][black], 90) < 0.5
    assert np.median(moves[40.0][black]) > 3


def test_steps_have_no_halo():
    image = np.full((100, 160, 3), 60, np.uint8)
    image[:, 80:] = 180
    image[30:60, 30:60] = 220
    done = relit(image, "#3c3c3c #b4b4b4 #dcdcdc", "#202020 #707070 #f0f0f0")
    assert halo(lightness(image), lightness(done))["halo_99"] <= 0.5


def structure(before: np.ndarray, after: np.ndarray) -> float:
    greys = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (before, after)]
    return structure_terms(*greys)["structure"]


@pytest.mark.parametrize("model", PRESENT)
def test_structure_is_kept_and_the_palette_reached(coffee, model):
    def done(lightness: float, tone: str = "curve") -> np.ndarray:
        return kpalette.recolor(coffee, COLORS, model=model, lightness=lightness, tone=tone)

    kept, curve, local = done(0.0), done(1.0), done(1.0, "local")
    assert structure(coffee, local) > structure(coffee, kept) - 0.03
    assert structure(coffee, local) > structure(coffee, curve) + 0.05
    assert kpalette.palette_distance(local, COLORS) < 0.8 * kpalette.palette_distance(kept, COLORS)


@pytest.mark.skipif("palettenet" not in PRESENT, reason="the weights are not there")
def test_smooth_areas_are_not_torn():
    image = sample_image("astronaut")
    torn = [false_edges(image, kpalette.recolor(image, COLORS, lightness=1.0, tone=t)) for t in ("curve", "local")]
    assert torn[1] < 0.1 * torn[0]


@pytest.mark.parametrize("model", PRESENT)
def test_strength_0_and_the_own_palette_are_as_by_a_curve(coffee, model):
    picture = Picture(coffee)
    zero = [kpalette.recolor(picture, COLORS, model=model, lightness=0.0, tone=tone).rgb for tone in ("curve", "local")]
    np.testing.assert_array_equal(*zero)
    own = kpalette.extract_palette(picture, method=get_recolorer(model).extraction)
    same = kpalette.recolor(picture, own, model=model, lightness=1.0, tone="local")
    np.testing.assert_array_equal(same.rgb, coffee)


def test_light_and_dark_do_not_change_places(coffee):
    before = lightness(coffee)
    after = lightness(kpalette.recolor(coffee, COLORS, model=Same(), tone="local"))
    for axis in (0, 1):
        one, other = np.diff(before, axis=axis), np.diff(after, axis=axis)
        clear = np.abs(one) > 2
        seen = np.abs(other) > 0.5  # less is the rounding to 8 bits
        assert np.mean((one * other < 0)[clear] & seen[clear]) < 0.0005


@pytest.mark.parametrize("model", ["soft", *(["palettenet"] if "palettenet" in PRESENT else [])])
def test_full_size_is_as_the_small_picture(model):
    """It differs from the small picture's result no more than where lightness stays."""
    small = resize(sample_image("astronaut"), longest=512)
    large = cv2.resize(small, (1536, 1536), interpolation=cv2.INTER_CUBIC)
    far = []
    for strength in (0.0, 1.0):
        plan = make_recipe(COLORS, model=model, lightness=strength, tone="local").plan(Picture(small))
        done, wanted = plan.apply(Picture(large)).image, plan.apply(Picture(small)).image
        difference = np.linalg.norm(image_to_lab(resize(done, longest=512)) - image_to_lab(wanted), axis=-1)
        far.append(np.percentile(difference, [50, 95]))
    assert (far[1] < 1.5 * far[0]).all()


@pytest.mark.parametrize("model", PRESENT)
def test_floats_are_as_bytes(coffee, model):
    small = resize(coffee, longest=96)
    floats = kpalette.recolor(image_to_rgb(small), COLORS, model=model, lightness=1.0, tone="local")
    whole = kpalette.recolor(small, COLORS, model=model, lightness=1.0, tone="local")
    difference = np.linalg.norm(rgb_to_lab(floats) - image_to_lab(whole), axis=-1)
    assert np.percentile(difference, 99) < 3


def with_black_and_white_holes(image: np.ndarray, alpha: np.ndarray, model: str) -> list[np.ndarray]:
    """What becomes of the image if its hidden pixels are black, and if they are white."""
    recipe = Recipe(Palette.parse("navy gold"), model, Palette.parse("#464646 #bebebe"), lightness=1.0, tone="local")
    pictures = [Picture(np.where(alpha[..., np.newaxis] > 0, image, np.uint8(x)), alpha) for x in (0, 255)]
    return [recipe.plan(picture).apply(picture).image for picture in pictures]


@pytest.mark.parametrize("model", PRESENT)
def test_holes_do_not_influence_what_is_beside_them(model):
    image = np.full((64, 64, 3), 70, np.uint8)
    image[:, 40:] = 190
    image = with_grain(image)
    alpha = np.full((64, 64), 255, np.uint8)
    alpha[20:40, 20:30] = 0
    results = with_black_and_white_holes(image, alpha, model)
    np.testing.assert_array_equal(results[0][alpha > 0], results[1][alpha > 0])
    assert halo(*(lightness(x)[:15] for x in (image, results[0])))["halo_99"] <= 0.5


@pytest.mark.parametrize("model", ["soft", *(["palettenet"] if "palettenet" in PRESENT else [])])
def test_holes_of_a_picture_that_is_shrunk_do_not_either(model):
    """A hole ends between two pixels of the working size."""
    image = np.full((90, 900, 3), 70, np.uint8)
    image[:, 600:] = 190
    image = with_grain(image)
    alpha = np.full((90, 900), 255, np.uint8)
    alpha[20:61, 200:331] = 0
    results = with_black_and_white_holes(image, alpha, model)
    np.testing.assert_array_equal(results[0][alpha > 0], results[1][alpha > 0])


HARD = {
    "black": np.zeros((40, 40, 3), np.uint8),
    "white": np.full((40, 40, 3), 255, np.uint8),
    "one colour": np.full((40, 40, 3), (200, 30, 60), np.uint8),
    "noise": np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8),
    "one pixel": np.full((1, 1, 3), 99, np.uint8),
    "a line": np.random.default_rng(1).integers(0, 256, (3, 900, 3)).astype(np.uint8),
}


@pytest.mark.parametrize("palette", ["white snow", "black #050505", "#303030 #909090", "red darkred", COLORS])
@pytest.mark.parametrize("kind", HARD)
def test_hard_pictures_and_palettes(kind, palette):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        done = kpalette.recolor(HARD[kind], palette, model="soft", lightness=1.0, tone="local")
        kpalette.recolor(HARD[kind], palette, model=PRESENT[0])
    assert done.shape == HARD[kind].shape
    floats = Relit(Picture(HARD[kind]), *[Palette.parse("red blue")] * 2, strength=1.0).floats(image_to_rgb(HARD[kind]))
    assert np.isfinite(floats).all()


def test_a_recolorer_gets_the_relit_picture_and_its_palette(coffee):
    seen = {}

    class Spy(Same):
        def apply(self, picture, plan):
            seen.update(picture=picture, plan=plan)
            return super().apply(picture, plan)

    plan = make_recipe(COLORS, model=Spy(), lightness=1.0).plan(Picture(coffee))
    plan.apply(Picture(coffee))
    light = Relit(Picture(coffee), plan.source, plan.target, strength=plan.lightness)
    np.testing.assert_array_equal(seen["picture"].rgb, light.picture().rgb)
    assert seen["plan"] == replace(plan, source=light.source, lightness=0.0)
    # The swatches are where their clusters are: near the target's lightness.
    gap = [np.abs((palette.lab - plan.target.lab)[:, 0]).mean() for palette in (light.source, plan.source)]
    assert gap[0] < 0.5 * gap[1]


def test_an_unknown_tone_is_refused(coffee):
    with pytest.raises(ArgumentError, match="`tone` must be one of local, curve, smooth. Received: 'soft'"):
        kpalette.recolor(coffee, COLORS, tone="soft")
