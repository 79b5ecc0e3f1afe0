import numpy as np
import pytest
import skimage.color
from hypothesis import example, given
from hypothesis import strategies as st

from kpalette.color import spaces as color
from tests.conftest import load

JOINT = (0.0, 0.0, 0.04045)
UNIT = st.floats(0, 1, allow_subnormal=False)


def test_matrices_are_inverse_and_white_is_neutral():
    np.testing.assert_allclose(np.array(color.RGB_TO_XYZ) @ color.XYZ_TO_RGB, np.eye(3), atol=1e-15)
    np.testing.assert_allclose(np.array(color.RGB_TO_XYZ).sum(axis=1), color.WHITE, atol=1e-15)


def test_greys_have_no_chroma():
    lab = color.rgb_to_lab(np.repeat(np.linspace(0, 1, 256)[:, None], 3, axis=1))
    assert np.abs(lab[:, 1:]).max() < 1e-12
    assert lab[0, 0] == pytest.approx(0, abs=1e-12)
    assert lab[-1, 0] == pytest.approx(100, abs=1e-12)


def test_lab_against_scikit_image(run, cube):
    # scikit-image rounds the matrix to six digits and the white to five: 0.015 at the most
    np.testing.assert_allclose(run(color.rgb_to_lab, cube), skimage.color.rgb2lab(cube), atol=0.016)


def test_every_backend_gives_the_same_lab(run, cube):
    np.testing.assert_allclose(run(color.rgb_to_lab, cube), color.rgb_to_lab(cube), atol=5e-4)
    np.testing.assert_allclose(run(color.lab_to_rgb, color.rgb_to_lab(cube)), cube, atol=2e-5)


def test_lab_range_of_the_gamut_is_the_documented_one():
    side = np.linspace(0, 1, 17)
    lab = color.rgb_to_lab(np.stack(np.meshgrid(side, side, side), -1).reshape(-1, 3))
    np.testing.assert_allclose(lab.min(axis=0), [0, -86.2, -107.9], atol=0.05)
    np.testing.assert_allclose(lab.max(axis=0), [100, 98.2, 94.5], atol=0.05)


def test_hsv_against_scikit_image(run, cube):
    expected = skimage.color.rgb2hsv(cube)
    got = run(color.rgb_to_hsv, cube)
    turn = np.abs(got[:, 0] - expected[:, 0])
    assert np.minimum(turn, 1 - turn).max() < 1e-5
    np.testing.assert_allclose(got[:, 1:], expected[:, 1:], atol=1e-6)
    np.testing.assert_allclose(run(color.hsv_to_rgb, expected), cube, atol=1e-5)


def test_lch_against_scikit_image(run, cube):
    lab = color.rgb_to_lab(cube)
    expected = skimage.color.lab2lch(lab)
    got = run(color.lab_to_lch, lab)
    np.testing.assert_allclose(got[:, :2], expected[:, :2], atol=1e-4)
    coloured = expected[:, 1] > 1
    np.testing.assert_allclose(got[coloured, 2], np.degrees(expected[coloured, 2]), atol=1e-2)
    np.testing.assert_allclose(run(color.lch_to_lab, got), lab, atol=1e-4)


def test_hue_begins_at_0_and_stays_below_360():
    assert color.lab_to_lch(np.array([[50.0, 10.0, 0.0], [50.0, 10.0, -1e-3]]))[:, 2].tolist() == [
        0.0,
        pytest.approx(360, abs=0.01),
    ]


def test_a_full_turn_of_hue_is_no_turn(run, cube):
    for shift in (0.0, 1.0, -1.0):
        turned = run(lambda rgb, s=shift: color.rotate_hue(rgb, s), cube)
        np.testing.assert_allclose(turned, color.rgb_to_lab(cube), atol=1e-3)


def test_a_third_of_a_turn_moves_red_to_green_at_the_lightness_of_red(run):
    lab = run(lambda rgb: color.rotate_hue(rgb, 1 / 3), [[1.0, 0.0, 0.0]])[0]
    red, green = color.rgb_to_lab(np.eye(3)[:2])
    np.testing.assert_allclose(lab, [red[0], green[1], green[2]], atol=1e-3)


@given(st.tuples(UNIT, UNIT, UNIT))
@example(JOINT)
def test_round_trips(rgb):
    rgb = np.array(rgb)
    # 0.04045 and 0.0031308, the rounded constants of IEC 61966-2-1, join the two branches to 3e-8 only.
    np.testing.assert_allclose(color.lab_to_rgb(color.rgb_to_lab(rgb)), rgb, atol=5e-8)
    np.testing.assert_allclose(color.hsv_to_rgb(color.rgb_to_hsv(rgb)), rgb, atol=1e-9)
    np.testing.assert_allclose(color.linear_to_rgb(color.rgb_to_linear(rgb)), rgb, atol=5e-8)


FUNCTIONS = [
    color.rgb_to_lab, color.rgb_to_hsv, color.hsv_to_rgb, color.rgb_to_linear, color.linear_to_rgb,
    lambda rgb: color.lab_to_rgb(rgb * 100), lambda rgb: color.lab_to_lch(color.rgb_to_lab(rgb)),
    lambda rgb: color.rotate_hue(rgb, 0.3),
]  # fmt: skip


@pytest.mark.parametrize("function", FUNCTIONS)
def test_gradients_are_finite_at_the_corners_and_on_the_greys(function, cube):
    tf, jax = load("tensorflow"), load("jax")
    rgb = cube[:41].astype(np.float32)
    x = tf.constant(rgb)
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(function(x))
    assert np.isfinite(tape.gradient(total, x)).all()
    assert np.isfinite(jax.grad(lambda y: function(y).sum())(jax.numpy.asarray(rgb))).all()
