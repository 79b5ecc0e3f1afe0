import numpy as np
import pytest

from kpalette.color.gamut import reduce_chroma
from kpalette.color.spaces import rgb_to_lab
from kpalette.images.picture import as_picture, image_to_rgb, resize
from kpalette.images.samples import sample_image
from kpalette.palettes.extract import extract_palette
from kpalette.palettes.palette import Palette
from kpalette.recolorers.fitted import FittedRecolorer
from kpalette.recolorers.lightness import smooth_lightness
from kpalette.recolorers.soft import SoftRecolorer
from tests.recolorers.plans import plan


def cluster_means(image: np.ndarray, source: Palette, output: np.ndarray) -> np.ndarray:
    lab, moved = (rgb_to_lab(image_to_rgb(x)).reshape(-1, 3) for x in (image, output))
    labels = np.argmin(np.linalg.norm(lab[:, None] - source.lab, axis=-1), axis=-1)
    return np.array([moved[labels == i].mean(axis=0) for i in range(len(source))])


@pytest.mark.parametrize("name", ["chelsea", "coffee"])
def test_clusters_end_nearer_to_the_palette_than_with_soft(name, four):
    image = resize(sample_image(name), longest=160)
    source = extract_palette(image, method="kmeans")
    target = source.matched(four)
    distance = {}
    for recolorer in (SoftRecolorer(), FittedRecolorer()):
        output = recolorer.apply(as_picture(image), plan(source, target, 0.0)).image
        means = cluster_means(image, source, output)
        reachable = reduce_chroma(np.column_stack([means[:, 0], target.lab[:, 1:]]))
        distance[recolorer.name] = np.linalg.norm((means - reachable)[:, 1:], axis=-1).mean()
    # The clusters of chelsea touch: there the bound of the corrections limits the gain.
    assert distance["fitted"] < 0.85 * distance["soft"]


def test_corrections_are_bounded(photo, four):
    source = extract_palette(photo, method="kmeans")
    target = source.matched(four)
    shifts = FittedRecolorer().fit(as_picture(photo), plan(source, target, 0.7))
    correction = np.linalg.norm(shifts - (target.lab - source.lab)[:, 1:], axis=-1)
    assert 0.5 < correction.max() <= 15 + 1e-9


def test_a_target_equal_to_the_source_needs_no_correction(photo):
    """Whether the source palette is the means of the picture's clusters or not."""
    for source in (extract_palette(photo, method="kmeans"), Palette.parse("navy teal gold pink")):
        shifts = FittedRecolorer().fit(as_picture(photo), plan(source, source, 1.0))
        assert np.abs(shifts).max() < 1e-6


def test_a_swatch_nearest_to_no_colour_keeps_its_shift(photo):
    source = Palette(np.vstack([extract_palette(photo, size=3, method="kmeans").lab, [60, 95, 70]]))
    target = Palette.parse("navy teal gold pink")
    shifts = FittedRecolorer().fit(as_picture(photo), plan(source, target, 0.0))
    np.testing.assert_allclose(shifts[3], (target.lab - source.lab)[3, 1:])


def test_transparent_pixels_do_not_count(photo):
    junk = np.zeros_like(photo)
    junk[..., 0] = np.arange(128, dtype=np.uint8)
    alpha = np.vstack([np.full((128, 128), 255, np.uint8), np.zeros((128, 128), np.uint8)])
    source = extract_palette(photo, method="kmeans")
    target = source.matched(Palette.parse("navy teal gold pink"))
    both = as_picture(np.dstack([np.vstack([photo, junk]), alpha]))
    fits = [FittedRecolorer().fit(p, plan(source, target, 0.5)) for p in (as_picture(photo), both)]
    np.testing.assert_allclose(*fits)


def greys(*levels: float) -> Palette:
    return Palette([[L, 0, 0] for L in levels])


def test_smooth_lightness_keeps_its_ends_and_slope_1_around_swatches():
    L = np.linspace(0, 100, 1001)
    source, target = greys(30, 70), greys(40, 60)
    assert smooth_lightness(L, source, target, strength=0.0, width=8) is L
    np.testing.assert_allclose(smooth_lightness(L, source, source, strength=1.0, width=16), L, atol=1e-9)
    moved = smooth_lightness(L, source, target, strength=1.0, width=8)
    assert (moved[0], moved[-1]) == (pytest.approx(0, abs=0.1), pytest.approx(100, abs=0.1))
    assert (moved[300], moved[700]) == (pytest.approx(40, abs=0.2), pytest.approx(60, abs=0.2))
    assert (moved[310] - moved[290]) / 2 == pytest.approx(1, abs=0.2)
    half = smooth_lightness(L, source, target, strength=0.5, width=8)
    np.testing.assert_allclose(half, (L + moved) / 2)


def test_smooth_lightness_never_falls():
    generator = np.random.default_rng(0)
    L = np.linspace(0, 100, 501)
    for _ in range(50):
        source, target = (greys(*generator.uniform(0, 100, 4)) for _ in range(2))
        moved = smooth_lightness(L, source, target, strength=1.0, width=generator.uniform(4, 30))
        assert (np.diff(moved) >= -1e-9).all()
        assert moved.min() >= 0
        assert moved.max() <= 100
