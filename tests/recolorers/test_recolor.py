from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import kpalette
from kpalette.color.difference import delta_e
from kpalette.color.spaces import rgb_to_lab
from kpalette.errors import ArgumentError, ImageError, PaletteError
from kpalette.images.picture import Picture, as_picture, image_to_rgb
from kpalette.palettes.extract import METHODS, extract_palette
from kpalette.palettes.palette import Palette
from kpalette.recolorers.recipe import make_recipe
from kpalette.recolorers.recolor import recolor
from kpalette.recolorers.registry import DEFAULT_MODEL, get_recolorer, list_networks, list_recolorers

COLORS = "orange saddlebrown purple green"
each = pytest.mark.parametrize("model", [name for name in list_recolorers() if name not in list_networks()])


@each
def test_the_palette_is_nearer_and_the_structure_kept(photo, model):
    target = Palette.parse(COLORS)
    result = recolor(photo, target, model=model)
    assert result.shape == photo.shape
    assert result.dtype == np.uint8
    assert kpalette.palette_distance(result, target) < 0.75 * kpalette.palette_distance(photo, target)
    assert kpalette.ssim(photo, result) > 0.75


@each
def test_the_result_has_the_type_of_the_image(photo, model):
    expected = recolor(photo, COLORS, model=model)
    alpha = np.full(photo.shape[:2], 77, np.uint8)
    source = make_recipe(COLORS, model=model).plan(as_picture(photo)).source
    rgba = np.dstack([photo, alpha])

    picture = recolor(Picture(photo, alpha, "WEBP", {"dpi": (72, 72)}), COLORS, model=model, source=source)
    np.testing.assert_array_equal(picture.rgb, expected)
    assert (picture.format, picture.metadata) == ("WEBP", {"dpi": (72, 72)})

    array = recolor(rgba, COLORS, model=model, source=source)
    np.testing.assert_array_equal(array[..., :3], expected)
    np.testing.assert_array_equal(array[..., 3], alpha)

    pil = recolor(Image.fromarray(rgba), COLORS, model=model, source=source)
    assert pil.mode == "RGBA"
    np.testing.assert_array_equal(np.asarray(pil), array)
    assert recolor(Image.fromarray(photo), COLORS, model=model).mode == "RGB"

    for dtype in (np.float32, np.float64):
        floats = recolor((photo / 255).astype(dtype), COLORS, model=model)
        assert floats.dtype == dtype
        # In 8 bits the relit picture is rounded before its colours change.
        assert np.abs(floats * 255 - expected).mean() < 0.6
        floats = recolor((photo / 255).astype(dtype), COLORS, model=model, tone="curve")
        np.testing.assert_allclose(floats * 255, recolor(photo, COLORS, model=model, tone="curve"), atol=1.0)


@pytest.mark.parametrize("model", ["soft", "palettenet"])
def test_floats_keep_what_8_bits_would_lose(model):
    ramp = np.linspace(0.4, 0.42, 600).reshape(1, 600, 1).repeat(3, axis=2)
    result = recolor(ramp, "navy white", model=model, source="black white", lightness=0.5)
    assert len(np.unique(result[..., 0])) > 300


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (17, 401)])
def test_grey_images_of_any_size_come_back_in_colour(shape):
    grey = (np.arange(shape[0] * shape[1]).reshape(shape) % 256).astype(np.uint8)
    result = recolor(grey, "#402020 #e0c0a0")
    assert result.shape == (*shape, 3)


@each
@pytest.mark.parametrize("size", range(2, 9))
def test_two_to_eight_colours(photo, model, size):
    target = Palette.from_rgb(np.random.default_rng(size).random((size, 3)))
    assert recolor(photo, target, model=model).shape == photo.shape


def test_arguments_change_the_result(photo):
    base = recolor(photo, COLORS)
    for options in ({"lightness": 0.3}, {"match": "order"}, {"model": "baseline"}, {"source": "black red gray white"}):
        assert not np.array_equal(base, recolor(photo, COLORS, **options))
    np.testing.assert_array_equal(base, recolor(photo, Palette.parse(COLORS), seed=0, lightness="auto"))


def test_the_plan_has_the_matched_palettes_and_the_default_lightness(photo):
    plan = make_recipe(COLORS).plan(as_picture(photo))
    assert plan.recolorer is get_recolorer(DEFAULT_MODEL)
    assert (np.diff(plan.source.lab[:, 0]) > 0).all()
    assert plan.target.hex == ("#800080", "#8b4513", "#008000", "#ffa500")
    assert 0 < plan.lightness <= 1
    assert 0 <= plan.apply(as_picture(photo)).clipped <= 1


def test_any_object_with_the_attributes_of_a_recolorer_works(photo):
    class Negative:
        name, extraction = "negative", "kmeans"

        def apply(self, picture, plan):
            return kpalette.Recolored(255 - picture.rgb, lambda: 0.0)

    np.testing.assert_array_equal(recolor(photo, COLORS, model=Negative(), lightness=0), 255 - photo)
    np.testing.assert_allclose(recolor(photo / 255, COLORS, model=Negative(), lightness=0), 1 - photo / 255, atol=1e-6)


def test_registry():
    assert list_recolorers()[0] == DEFAULT_MODEL
    for name in list_recolorers():
        assert get_recolorer(name) is get_recolorer(name)
        assert get_recolorer(name).name == name
    with pytest.raises(
        ArgumentError, match="`model` must be one of palettenet, ablated, soft, fitted, baseline. Received: 'magic'"
    ):
        get_recolorer("magic")


GREY = np.full((8, 8, 3), 128, np.uint8)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((8, 8, 3), np.int32), "`image` must be uint8, or floats in 0..1. Received: int32"),
        (np.zeros((8, 8, 2)), r"`image` must be of shape \(H, W\), \(H, W, 3\) or \(H, W, 4\), no side 0"),
        (np.zeros((8,)), r"no side 0. Received: shape \(8,\)"),
        (np.zeros((0, 8, 3), np.uint8), r"no side 0. Received: shape \(0, 8, 3\)"),
        (
            np.full((8, 8, 3), np.nan),
            "`image` of floats must lie in 0..1, without NaN. Received: values from nan to nan",
        ),
        (np.full((8, 8, 3), 200.0), "Received: values from 200 to 200; convert 0..255 to uint8"),
        ("photo.jpg", r"`image` must be a picture, not its path: read it first, read_image\('photo.jpg'\)"),
        (Path("photo.jpg"), r"not its path: read it first, read_image\('photo.jpg'\)"),
        (None, "`image` must be uint8, or floats in 0..1. Received: object"),
    ],
)
def test_images_out_of_contract(image, message):
    with pytest.raises(ArgumentError, match=message):
        recolor(image, COLORS)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"target": 7},
            r"`target` must be a Palette, a string, a list of .*, or an array \(k, 3\). Received: 7",
        ),
        ({"target": Palette([[50, 0, 0]])}, "`target` must have at least 2 colours. Received: 1"),
        (
            {"source": 7},
            r"`source` must be a Palette, a string, a list of .*, or an array \(k, 3\). Received: 7",
        ),
        ({"source": "red green blue"}, "the source palette has 3 colours and the target 2"),
        ({"match": "hue"}, "`match` must be one of auto, lightness, order, nearest. Received: 'hue'"),
        ({"lightness": 2}, "`lightness` must be a number in 0..1, or 'auto'. Received: 2"),
        ({"model": None}, "`model` must be a name of list_recolorers\\(\\) or a recolorer. Received: None"),
        ({"seed": -1}, "`seed` must be a whole number, not negative. Received: -1"),
        ({"model": "magic"}, "`model` must be one of palettenet, ablated, soft, fitted, baseline. Received: 'magic'"),
    ],
)
def test_arguments_out_of_contract(options, message):
    with pytest.raises(ArgumentError, match=message):
        recolor(GREY, **{"target": "red blue", **options})


@pytest.mark.parametrize(
    "target",
    [
        ["#ff0000", "#0000ff"],
        ("red", "blue"),
        [(255, 0, 0), (0, 0, 255)],
        [(1.0, 0.0, 0.0), (0.0, 0.0, 1.0)],
        np.array([[255, 0, 0], [0, 0, 255]], np.uint8),
        np.array([[1, 0, 0], [0, 0, 1.0]]),
        Palette.parse("red blue"),
    ],
)
def test_a_target_may_be_a_list_or_an_array(photo, target):
    np.testing.assert_array_equal(recolor(photo, target, model="soft"), recolor(photo, "red blue", model="soft"))


@pytest.mark.parametrize(
    ("target", "error", "message"),
    [
        (["#ff0000"], PaletteError, "a palette has 2 to 8 colours, 1 given"),
        (["#ff0000", "bleu"], PaletteError, "unknown colour 'bleu': did you mean 'blue'"),
        ([], ArgumentError, "`target` must be a Palette, a string"),
        (["red", (0, 0, 255)], ArgumentError, "`target` must be a Palette, a string"),
        (
            [(0, 0, 300), (0, 0, 0)],
            ArgumentError,
            r"integers in 0..255 or floats in 0..1. Received: values 0 to 300",
        ),
        (
            [(0, 0, 2.5), (0, 0, 0)],
            ArgumentError,
            r"integers in 0..255 or floats in 0..1. Received: values 0 to 2.5",
        ),
        ([(0, 0), (0, 0)], ArgumentError, "`target` must be a Palette, a string"),
        (np.zeros((9, 3)), PaletteError, "a palette has 2 to 8 colours, 9 given"),
    ],
)
def test_lists_that_are_not_a_palette(target, error, message):
    with pytest.raises(error, match=message):
        recolor(GREY, target)


def test_palette_strings_and_transparent_images():
    with pytest.raises(PaletteError, match="unknown colour 'oragne'"):
        recolor(GREY, "oragne blue")
    with pytest.raises(ImageError, match="wholly transparent"):
        recolor(np.zeros((8, 8, 4), np.uint8), "red blue")


@pytest.mark.parametrize("model", ["soft", "fitted", "baseline"])
@pytest.mark.parametrize("method", ["chang", "kmeans"])
@pytest.mark.parametrize("match", ["lightness", "order", "nearest"])
def test_the_pictures_own_palette_changes_nothing(photo, model, method, match):
    """Every pixel stays within dE00 1, at any lightness, with the palette as it is printed."""
    for size in range(2, 9):
        own = " ".join(extract_palette(photo, size=size, method=method).hex)
        result = recolor(photo, own, model=model, match=match, lightness=1.0)
        assert delta_e(rgb_to_lab(image_to_rgb(photo)), rgb_to_lab(image_to_rgb(result))).max() <= 1.0


def test_the_pictures_own_palette_in_any_order_changes_nothing_unless_order_is_asked_for(photo):
    own = extract_palette(photo, size=4).hex
    turned = " ".join(own[::-1])
    np.testing.assert_array_equal(recolor(photo, turned), photo)
    assert np.abs(recolor(photo, turned, match="order").astype(int) - photo).max() > 50


def test_the_own_colours_of_a_flat_picture_stay():
    flat = np.array([[[200, 30, 30], [30, 200, 30]], [[30, 30, 200], [200, 30, 30]]], np.uint8)
    for target in (
        "rgb(30,30,200) rgb(200,30,30) rgb(30,200,30)",
        "white rgb(30,30,200) rgb(200,30,30) rgb(30,200,30)",
    ):
        np.testing.assert_array_equal(recolor(flat, target), flat)


@pytest.mark.parametrize("model", ["soft", "baseline"])
def test_dark_pictures_and_other_seeds_keep_their_colours_too(photo, model):
    """The extraction of Chang et al. leaves black out: its palette is far from most of a dark picture."""
    dark = photo.copy()
    dark[:, 5:] = 3
    for method in METHODS:
        own = " ".join(extract_palette(dark, size=4, method=method).hex)
        np.testing.assert_array_equal(recolor(dark, own, model=model, seed=7, lightness=1.0), dark)
