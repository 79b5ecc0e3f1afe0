import numpy as np
import pytest

from kpalette.color import rgb_to_lab
from kpalette.extract import extract_palette
from kpalette.fitted import FittedRecolorer
from kpalette.gamut import reduce_chroma
from kpalette.images import as_picture, image_to_rgb, resize, sample_image
from kpalette.lightness import shift_lightness
from kpalette.palette import Palette
from kpalette.soft import SoftRecolorer


def cluster_means(image: np.ndarray, source: Palette, output: np.ndarray) -> np.ndarray:
    lab, moved = (rgb_to_lab(image_to_rgb(x)).reshape(-1, 3) for x in (image, output))
    labels = np.argmin(np.linalg.norm(lab[:, None] - source.lab, axis=-1), axis=-1)
    return np.array([moved[labels == i].mean(axis=0) for i in range(len(source))])


@pytest.mark.parametrize("name", ["chelsea", "coffee"])
def test_clusters_land_where_soft_falls_short(name, four):
    image = resize(sample_image(name), longest=160)
    source = extract_palette(image, method="kmeans")
    target = source.matched(four)
    distance = {}
    for recolorer in (SoftRecolorer(), FittedRecolorer()):
        output = recolorer.apply(as_picture(image), source, target, lightness=0.0).image
        means = cluster_means(image, source, output)
        reachable = reduce_chroma(np.column_stack([means[:, 0], target.lab[:, 1:]]))
        distance[recolorer.name] = np.linalg.norm((means - reachable)[:, 1:], axis=-1).mean()
    # chelsea is one range of tones: its clusters touch, and the bound stops what would tear them apart
    assert distance["fitted"] < 0.85 * distance["soft"]


def test_corrections_are_bounded_and_leave_lightness_alone(photo, four):
    picture = as_picture(photo)
    source = extract_palette(photo, method="kmeans")
    target = source.matched(four)
    for lightness in (0.0, 0.7):
        correction = FittedRecolorer().fit(picture, source, target, lightness=lightness) - (
            target.lab - source.lab
        ) * np.array([lightness, 1, 1])
        assert np.abs(correction[:, 0]).max() < 1e-9
        assert 0.5 < np.linalg.norm(correction, axis=-1).max() <= 15 + 1e-9


def test_a_swatch_that_no_colour_is_near_is_left_as_asked(photo):
    source = Palette(np.vstack([extract_palette(photo, size=3, method="kmeans").lab, [60, 95, 70]]))
    target = Palette.parse("navy teal gold pink")
    shifts = FittedRecolorer().fit(as_picture(photo), source, target, lightness=0.0)
    np.testing.assert_allclose(shifts[3, 1:], (target.lab - source.lab)[3, 1:])


def test_transparent_pixels_do_not_count(photo):
    junk = np.zeros_like(photo)
    junk[..., 0] = np.arange(128, dtype=np.uint8)
    alpha = np.vstack([np.full((128, 128), 255, np.uint8), np.zeros((128, 128), np.uint8)])
    source = extract_palette(photo, method="kmeans")
    target = source.matched(Palette.parse("navy teal gold pink"))
    both = as_picture(np.dstack([np.vstack([photo, junk]), alpha]))
    fits = [FittedRecolorer().fit(p, source, target, lightness=0.5) for p in (as_picture(photo), both)]
    np.testing.assert_allclose(*fits)


def test_smooth_lightness_keeps_slope_1_around_swatches():
    L = np.linspace(0, 100, 1001)
    np.testing.assert_allclose(shift_lightness(L, np.array([20.0, 80]), np.zeros(2), width=16), L)
    moved = shift_lightness(L, np.array([20.0, 80]), np.array([10.0, -10]), width=16)
    assert (np.diff(moved) >= 0).all()
    assert (moved[200], moved[800]) == (pytest.approx(30, abs=0.1), pytest.approx(70, abs=0.1))
    assert (moved[220] - moved[180]) / 4 == pytest.approx(1, abs=0.05)
    steep = shift_lightness(L, np.array([45.0, 55]), np.array([40.0, -40]), width=8)
    assert (np.diff(steep) >= 0).all()
    assert steep.min() >= 0
    assert steep.max() <= 100
