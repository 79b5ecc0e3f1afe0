import numpy as np
import pytest

from kpalette.color.gamut import in_gamut, reduce_chroma
from kpalette.images.picture import image_to_lab, lab_to_image
from kpalette.metrics.figures import false_edges
from kpalette.recolorers.slopes import REACH, SLACK, STEEPEST, limit_slopes


def flat(height: int, width: int, *, lightness: float = 50.0) -> np.ndarray:
    lab = np.zeros((height, width, 3), np.float32)
    lab[..., 0] = lightness
    return lab


def halves(a: float, b: float, *, width: int = 80) -> np.ndarray:
    """Two colours side by side, of opposite hues."""
    lab = flat(6, width)
    lab[:, : width // 2, 1], lab[:, width // 2 :, 1] = a, b
    return lab


def steps(lab: np.ndarray, axis: int) -> np.ndarray:
    return np.linalg.norm(np.diff(lab[..., 1:], axis=axis), axis=-1)


@pytest.mark.parametrize("a", [8.0, 20.0, 30.0])
def test_a_leap_of_hue_in_a_smooth_area_becomes_a_ramp(a):
    after = halves(a, -a)
    found = limit_slopes(flat(6, 80), after)
    assert steps(after, 1).max() == 2 * a
    assert steps(found, 1).max() < STEEPEST + SLACK + 0.01
    assert np.all(np.diff(found[..., 1], axis=1) <= 1e-4)
    np.testing.assert_array_equal(found[..., [0, 2]], after[..., [0, 2]])
    np.testing.assert_array_equal(found[:, :20], after[:, :20])
    np.testing.assert_array_equal(found[:, -20:], after[:, -20:])
    np.testing.assert_allclose(found[..., 1].mean(), 0.0, atol=1e-3)


def test_a_ramp_between_two_hues_stays_in_gamut():
    """The straight line from a vivid orange to a vivid pink of that lightness leaves the gamut, by up to 4.6 units."""
    after = flat(6, 80, lightness=80.0)
    for columns, hue in ((slice(0, 40), 80.0), (slice(40, 80), 340.0)):
        after[:, columns, 1:] = 150 * np.float32([np.cos(np.radians(hue)), np.sin(np.radians(hue))])
    after = reduce_chroma(after)
    found = limit_slopes(flat(6, 80, lightness=80.0), after)
    assert steps(after, 1).max() > 60
    assert steps(found, 1).max() < 10
    assert np.all(in_gamut(found, bridge_gap=True))


@pytest.mark.parametrize("turned", [False, True])
def test_an_edge_of_the_picture_is_left_alone(turned):
    before = halves(0.0, 0.0)
    before[:, 40:, 0] += 2.1
    after = halves(20.0, -20.0)
    before, after = (np.ascontiguousarray(x.swapaxes(0, 1)) if turned else x for x in (before, after))
    np.testing.assert_array_equal(limit_slopes(before, after), after)


def test_a_smooth_result_is_the_chroma_reduction_alone(photo):
    lab = image_to_lab(photo)
    np.testing.assert_array_equal(limit_slopes(lab, lab), reduce_chroma(lab))
    vivid = lab * np.float32([1.0, 1.05, 1.05])
    np.testing.assert_array_equal(limit_slopes(lab, vivid, steepest=1e6), reduce_chroma(vivid))


def test_chroma_rises_slowly_from_where_the_gamut_cut_it():
    """Blue in the dark: near black the gamut falls by more than ten units of chroma for one of lightness."""
    before = flat(8, 64)
    before[..., 0] = np.minimum(np.arange(64), 12)
    after = before + np.float32([0.0, 15.0, -22.0])
    cut, found = reduce_chroma(after), limit_slopes(before, after)
    assert steps(cut, 1).max() > STEEPEST + 2 * SLACK
    assert steps(found, 1).max() < STEEPEST + SLACK + 0.01
    assert np.all(np.linalg.norm(found[..., 1:], axis=-1) <= np.linalg.norm(cut[..., 1:], axis=-1) + 1e-3)
    assert np.all(in_gamut(found, bridge_gap=True))
    np.testing.assert_array_equal(found[..., 0], before[..., 0])
    np.testing.assert_array_equal(found[:, 0], cut[:, 0])  # the darkest cannot have more chroma
    np.testing.assert_array_equal(found[:, -8:], cut[:, -8:])


def test_greys_that_were_wanted_do_not_spread():
    """Between two hues, colours pass through grey, which is no cut. Ramps around it would cost 15 % of chroma."""
    after = halves(30.0, -30.0)
    after[:, 38:42, 1] = 0.0
    found = limit_slopes(flat(6, 80), after)
    np.testing.assert_allclose(np.abs(found[..., 1]).mean(), np.abs(after[..., 1]).mean(), rtol=0.04)


def test_false_edges_of_a_threshold_are_gone(photo):
    lab = image_to_lab(photo)
    after = lab.copy()
    after[..., 1:] += np.where(lab[..., :1] > 50.0, 25.0, -25.0)  # splits smooth areas at L 50
    plain, found = (lab_to_image(x) for x in (reduce_chroma(after), limit_slopes(lab, after)))
    assert false_edges(photo, plain) > 0.001
    assert false_edges(photo, found) < false_edges(photo, plain) / 10


def test_influence_reaches_few_rows():
    """`kpalette.recolorers.network` works in strips, and relies on it."""
    generator, passes = np.random.default_rng(0), 6
    before, after = flat(60, 12, lightness=20.0), flat(60, 12, lightness=20.0)
    after[..., 1:] = generator.uniform(-70, 70, (60, 12, 2))
    other = after.copy()
    other[:20, :, 1:] *= -0.5
    apart = np.any(
        limit_slopes(before, after, passes=passes) != limit_slopes(before, other, passes=passes), axis=(1, 2)
    )
    reach = int(np.flatnonzero(apart).max()) - 19
    assert 5 < reach <= REACH + passes + 1


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 2)])
def test_pictures_of_any_size(shape):
    after = flat(*shape)
    after[..., 1] = np.arange(after[..., 0].size).reshape(shape) % 2 * 20.0
    found = limit_slopes(flat(*shape), after)
    assert found.shape == after.shape
    assert found.dtype == np.float32
    if found.size > 3:
        assert np.ptp(found[..., 1]) < 20


def test_arguments_stay_as_they_are():
    before, after = flat(6, 80), halves(60.0, -60.0)
    copies = before.copy(), after.copy()
    limit_slopes(before, after)
    np.testing.assert_array_equal(before, copies[0])
    np.testing.assert_array_equal(after, copies[1])
