"""Flat art: equal in, equal out, by every recolorer; exact where it can be; still where it is in the theme already."""

import cv2
import numpy as np
import pytest
from PIL import Image

import kpalette
from kpalette.color.difference import delta_e_2000
from kpalette.color.spaces import rgb_to_lab
from kpalette.images.picture import Picture, rgb_to_image
from kpalette.images.samples import sample_image
from kpalette.palettes.palette import Palette
from kpalette.recolorers.flat import find_flat
from kpalette.recolorers.registry import list_recolorers, missing_recolorers

PRESENT = [name for name in list_recolorers() if name not in missing_recolorers()]
each = pytest.mark.parametrize("model", PRESENT)

SIX = ("#1b1b2f", "#5c2a9d", "#c0392b", "#27ae60", "#f1c40f", "#ecf0f1")
TARGET = ("#081820", "#346856", "#88c070", "#e0f8d0", "#8bac0f", "#306230")
NORD = "#2e3440 #88c0d0 #5e81ac #bf616a #ebcb8b #a3be8c #eceff4 #b48ead"


def bytes_of(codes) -> np.ndarray:
    return np.array([list(bytes.fromhex(code[1:])) for code in codes], np.uint8)


def sprite(side: int) -> np.ndarray:
    """Six colours in an uneven pattern of 16x16 cells."""
    cells = np.random.default_rng(3).choice(6, (16, 16), p=[0.4, 0.2, 0.15, 0.1, 0.1, 0.05])
    return np.kron(bytes_of(SIX)[cells], np.ones((side // 16, side // 16, 1), np.uint8))


def logo(side: int = 200, colors=("#2e3440", "#88c0d0", "#bf616a", "#eceff4")) -> np.ndarray:
    """A disc, a bar and a triangle on a ground, their edges smoothed."""
    ground, *inks = bytes_of(colors).tolist()
    image = np.full((side * 4, side * 4, 3), ground, np.uint8)
    cv2.circle(image, (side, side), side // 2, inks[0], -1)
    cv2.rectangle(image, (2 * side, side), (3 * side + 2, 2 * side + 1), inks[2], -1)
    cv2.fillPoly(image, [np.array([[side, 3 * side + 1], [2 * side + 1, 3 * side], [side + 30, 2 * side]])], inks[1])
    return cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)


def colors_of(image: np.ndarray) -> set[tuple[int, ...]]:
    return set(map(tuple, image.reshape(-1, 3).tolist()))


@each
@pytest.mark.parametrize("side", [32, 64, 640])
@pytest.mark.parametrize("lightness", [0.0, 0.6, 1.0])
def test_six_colors_in_six_out(model, side, lightness):
    done = kpalette.recolor(sprite(side), TARGET, model=model, lightness=lightness)
    assert len(colors_of(done)) == 6
    small = kpalette.recolor(sprite(32), TARGET, model=model, lightness=lightness)
    np.testing.assert_array_equal(done[:: side // 32, :: side // 32], small)
    if lightness == 1.0:
        assert colors_of(done) == colors_of(bytes_of(TARGET))


@each
def test_four_targets_for_six_colors(model):
    """Six stay six, and those that stand for a swatch are the target's."""
    target = ("#081820", "#346856", "#88c070", "#e0f8d0")
    done = colors_of(kpalette.recolor(sprite(64), target, model=model, lightness=1.0))
    assert len(done) == 6
    assert colors_of(bytes_of(target)) < done


@each
def test_smoothed_edges_become_blends_of_what_they_lie_between(model):
    image = logo()
    target = ("#3a0ca3", "#f72585", "#4cc9f0", "#fdf0d5")
    done = kpalette.recolor(image, target, model=model, lightness=1.0)
    assert colors_of(bytes_of(target)) < colors_of(done)
    assert len(colors_of(done)) <= len(colors_of(image))
    inks = bytes_of(target).astype(float)
    for color in colors_of(done):
        beside = []
        for a in range(4):
            for b in range(a):
                way = inks[b] - inks[a]
                place = np.clip((np.array(color) - inks[a]) @ way / (way @ way), 0, 1)
                beside.append(np.linalg.norm(np.array(color) - inks[a] - place * way))
        assert min(beside) < 2.0


def test_every_way_in_gives_the_same(tmp_path):
    image = sprite(64)
    array = kpalette.recolor(image, TARGET)
    kpalette.write_image(tmp_path / "a.png", image)
    picture = kpalette.recolor(kpalette.read_image(tmp_path / "a.png"), TARGET)
    np.testing.assert_array_equal(picture.rgb, array)
    for dtype in (np.float32, np.float64):
        floats = kpalette.recolor((image / 255).astype(dtype), TARGET)
        np.testing.assert_array_equal(rgb_to_image(floats), array)
    indexed = Image.fromarray(image).quantize(6)
    np.testing.assert_array_equal(np.asarray(kpalette.recolor(indexed, TARGET).convert("RGB")), array)


def test_transparent_holes_do_not_count():
    """Noise under alpha 0 makes no picture less flat, and what is shown is as without it."""
    image, alpha = sprite(64), np.full((64, 64), 255, np.uint8)
    alpha[20:40, 20:40] = 0
    noisy = image.copy()
    noisy[20:40, 20:40] = np.random.default_rng(0).integers(0, 256, (20, 20, 3))
    done = kpalette.recolor(Picture(noisy, alpha), TARGET).rgb
    plain = kpalette.recolor(Picture(image, alpha), TARGET).rgb
    np.testing.assert_array_equal(done[alpha > 0], plain[alpha > 0])


@each
@pytest.mark.parametrize("lightness", [0.0, 1.0])
def test_artwork_in_the_theme_stays(model, lightness):
    """A logo in four or in two of the theme's eight colours, its edges smoothed."""
    for colors in (("#2e3440", "#88c0d0", "#bf616a", "#eceff4"), ("#5e81ac", "#eceff4", "#5e81ac", "#eceff4")):
        image = logo(colors=colors)
        np.testing.assert_array_equal(kpalette.recolor(image, NORD, model=model, lightness=lightness), image)


def test_artwork_beside_the_theme_does_not_stay():
    image = logo(colors=("#2e3440", "#88c0d0", "#00ff00", "#eceff4"))
    assert not np.array_equal(kpalette.recolor(image, NORD), image)


def test_a_grey_photograph_is_not_in_a_theme_with_black_and_white():
    grey = cv2.cvtColor(cv2.cvtColor(sample_image("astronaut"), cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    assert find_flat(Picture(grey)) is None
    assert not np.array_equal(kpalette.recolor(grey, "black white #bf616a #88c0d0"), grey)
    # As line art, of few greys, it is flat, and still not in that theme.
    lines = (grey // 64) * 85
    assert find_flat(Picture(lines)) is not None
    assert not find_flat(Picture(lines)).within(Palette.parse("black white red"))


@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea"])
def test_photographs_are_not_flat(name):
    assert find_flat(Picture(sample_image(name))) is None


def test_one_color_and_one_pixel():
    for shape in ((1, 1), (40, 30)):
        image = np.full((*shape, 3), (200, 30, 30), np.uint8)
        done = kpalette.recolor(image, "navy gold", lightness=1.0)
        assert colors_of(done) <= colors_of(bytes_of(("#000080", "#ffd700")))
        lab = rgb_to_lab(np.array([done[0, 0], image[0, 0]]) / 255)
        assert delta_e_2000(lab[0], lab[1]) > 10
