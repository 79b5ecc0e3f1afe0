import numpy as np
import pytest

from kpalette.color.hues import hue_groups
from kpalette.color.spaces import linear_to_rgb
from kpalette.images.picture import rgb_to_image
from kpalette.metrics.objects import object_split, segment
from kpalette.palettes.palette import Palette

BLUE_GREEN = Palette.parse("blue green")


def shaded(colors: list[tuple[float, float, float]], *, seed: int = 0) -> np.ndarray:
    """Stripes of surfaces in linear rgb, lit from 1 at the left to 0.1 at the right, with a little noise."""
    light = np.geomspace(1.0, 0.1, 64)[np.newaxis, :, np.newaxis]
    surfaces = np.repeat(np.array(colors)[:, np.newaxis], 64 // len(colors), axis=0)
    noise = np.random.default_rng(seed).normal(1, 0.02, (len(surfaces), 64, 1))
    return rgb_to_image(np.clip(linear_to_rgb(surfaces * light * noise), 0, 1))


RED_OVER_BLUE = shaded([(0.7, 0.05, 0.05), (0.05, 0.1, 0.6)])


def test_light_and_shade_are_one_object_and_two_surfaces_are_two():
    labels = segment(RED_OVER_BLUE)
    assert labels[3, 3] == labels[3, 60] >= 0
    assert labels[60, 3] == labels[60, 60] >= 0
    assert labels[3, 3] != labels[60, 3]


def test_a_torn_object_has_the_share_that_is_torn():
    torn = np.array(RED_OVER_BLUE)
    torn[:32, :48] = (0, 120, 0)
    torn[:32, 48:] = (0, 0, 200)
    torn[32:] = (0, 120, 0)
    assert object_split(RED_OVER_BLUE, torn, BLUE_GREEN) == pytest.approx(16 / 128, abs=0.01)
    assert object_split(RED_OVER_BLUE, RED_OVER_BLUE[..., [2, 1, 0]], BLUE_GREEN) < 0.01


def test_greys_are_no_hue():
    torn = np.array(RED_OVER_BLUE)
    torn[:32, :48] = 128
    torn[:32, 48:] = (0, 0, 200)
    assert object_split(RED_OVER_BLUE, torn, BLUE_GREEN) < 0.01
    grey = np.dstack([np.tile(np.arange(64, dtype=np.uint8) * 3, (64, 1))] * 3)
    assert (segment(grey) == -1).all()
    assert object_split(grey, torn, BLUE_GREEN) == 0.0


def test_a_palette_of_one_hue_tears_nothing():
    torn = RED_OVER_BLUE[::-1].copy()
    assert object_split(RED_OVER_BLUE, torn, Palette.parse("red darkred white black")) == 0.0


@pytest.mark.parametrize(
    ("colors", "groups"),
    [
        ("red orangered blue grey", [0, 0, 1, -1]),
        ("black white", [-1, -1]),
        ("#ff0080 #ff0000 #ff8000 #0000ff", [0, 0, 0, 1]),
        ("hotpink orangered", [0, 1]),
    ],
)
def test_hues_that_lie_near_each_other_are_one_group(colors, groups):
    assert hue_groups(Palette.parse(colors).lab).tolist() == groups


@pytest.mark.parametrize("size", [(1, 1), (3, 400), (2, 2)])
def test_tiny_pictures(size):
    picture = np.full((*size, 3), 90, np.uint8)
    assert object_split(picture, picture, BLUE_GREEN) == 0.0
