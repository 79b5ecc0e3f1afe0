import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kpalette.palettes.palette import Palette
from kpalette.recolorers.lightness import lightness_knots, smooth_lightness, transfer_lightness

LEVELS = st.lists(st.floats(0, 100), min_size=1, max_size=8)


def greys(levels: list[float], weights: list[float] | None = None) -> Palette:
    return Palette([[L, 0, 0] for L in levels], weights)


def test_knots_run_from_black_to_white_through_the_swatches():
    x, y = lightness_knots(greys([20, 60]), greys([30, 80]))
    np.testing.assert_allclose(x, [0, 20, 60, 100])
    np.testing.assert_allclose(y, [0, 30, 80, 100])


def test_strength_blends_with_the_identity():
    L = np.linspace(0, 100, 11)
    source, target = greys([20, 60]), greys([30, 80])
    assert transfer_lightness(L, source, target, strength=0) is L
    full = transfer_lightness(L, source, target, strength=1)
    np.testing.assert_allclose(full[[2, 6]], [30, 80])
    np.testing.assert_allclose(transfer_lightness(L, source, target, strength=0.25), L + 0.25 * (full - L))


def test_the_smooth_curve_is_the_gaussian_blend_of_the_shifts():
    knots, shifts = np.array([0.0, 20, 80, 100]), np.array([0.0, 10, -10, 0])
    L = np.linspace(0, 100, 11)
    near = np.exp(-((L[:, None] - knots) ** 2) / (2 * 40.0**2))
    blend = L + near @ shifts / near.sum(axis=1)
    moved = smooth_lightness(L, greys([20, 80]), greys([30, 70]), strength=0.5, width=40.0)
    np.testing.assert_allclose(moved, L + 0.5 * (blend - L), atol=0.01)


def test_a_reversed_target_is_flattened_not_reversed():
    x, y = lightness_knots(greys([20, 60], [1, 3]), greys([80, 40]))
    np.testing.assert_allclose(x, [0, 20, 60, 100])
    np.testing.assert_allclose(y, [0, 50, 50, 100])  # the weighted mean of the two


def test_equal_source_swatches_share_a_knot():
    x, y = lightness_knots(greys([50, 50, 50.4], [1, 1, 2]), greys([40, 60, 70]))
    np.testing.assert_allclose(x, [0, 50.2, 100])
    np.testing.assert_allclose(y, [0, 60, 100])


def test_swatches_at_the_ends_keep_their_targets():
    x, y = lightness_knots(greys([0, 100]), greys([10, 90]))
    np.testing.assert_allclose(x, [0, 100])
    np.testing.assert_allclose(y, [10, 90])


@given(LEVELS, st.data())
def test_the_curve_is_monotone_and_stays_in_range(levels, data):
    targets = data.draw(st.lists(st.floats(0, 100), min_size=len(levels), max_size=len(levels)))
    L = np.linspace(0, 100, 301, dtype=np.float32)
    moved = transfer_lightness(L, greys(levels), greys(targets), strength=data.draw(st.floats(0, 1)))
    assert moved.dtype == np.float32
    assert (np.diff(moved) >= -1e-4).all()
    assert moved.min() >= 0
    assert moved.max() <= 100.001
