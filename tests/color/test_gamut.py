import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kpalette.color.gamut import gamut_exit, hue_shift, in_gamut, reduce_chroma
from kpalette.color.spaces import lab_to_lch, lab_to_rgb, rgb_to_lab
from tests.conftest import load

LAB = st.tuples(st.floats(0, 100), st.floats(-160, 160), st.floats(-160, 160))


def wild(count: int = 400) -> np.ndarray:
    return np.random.default_rng(1).uniform([0, -150, -150], [100, 150, 150], (count, 3))


def test_the_cube_is_inside_and_its_surroundings_are_not(run, cube):
    assert run(in_gamut, rgb_to_lab(cube)).all()
    assert not run(in_gamut, [[50, 120, 0], [50, 0, -130], [99, 30, 0], [1, 0, 30], [101, 0, 0]]).any()


def test_reduction_keeps_lightness_and_hue_and_ends_inside(run):
    lab = wild()
    got = run(reduce_chroma, lab)
    np.testing.assert_allclose(got[:, 0], lab[:, 0], atol=1e-4)
    rgb = lab_to_rgb(got.astype(np.float64))
    assert rgb.min() > -2e-4  # the tolerance of 1e-4, and float32 at the very border
    assert rgb[lab[:, 0] < 92].max() < 1 + 2e-4
    assert rgb.max() < 1.0135
    before, after = lab_to_lch(lab), lab_to_lch(got.astype(np.float64))
    turn = np.abs(before[:, 2] - after[:, 2])[after[:, 1] > 1]
    assert np.minimum(turn, 360 - turn).max() < 0.01


def test_reduction_takes_no_more_chroma_than_it_must():
    got = reduce_chroma(wild())
    more = got * [1, 1.002, 1.002]
    moved = np.any(got != wild(), axis=-1) & (np.hypot(got[:, 1], got[:, 2]) > 5)
    assert not in_gamut(more[moved & (got[:, 0] < 92)]).any()


def test_colours_inside_come_back_to_the_bit(cube):
    lab = rgb_to_lab(cube)
    np.testing.assert_array_equal(reduce_chroma(lab), lab)


def test_every_backend_reduces_alike(run):
    np.testing.assert_allclose(run(reduce_chroma, wild()), reduce_chroma(wild()), atol=0.02)


@given(LAB)
@example((97.0, -40.0, 20.0))  # a pale green, which has no part in the gap
def test_reduced_colours_are_shown_without_clipping(lab):
    rgb = lab_to_rgb(reduce_chroma(np.array(lab)))
    assert rgb.min() > -2e-4
    assert rgb[0] < (1.0135 if 92 < lab[0] < 99.5 and lab[1] < 0 else 1 + 2e-4)
    assert rgb[1:].max() < 1 + 2e-4


def test_reduction_does_not_jump_under_pale_yellow():
    """A radius at L 97, hue 103 leaves the gamut at chroma 34 and is back inside until 97."""
    chroma, angle = np.linspace(0, 130, 2601), np.radians(103.0)
    lab = np.column_stack([np.full_like(chroma, 97.0), chroma * np.cos(angle), chroma * np.sin(angle)])
    assert np.diff(in_gamut(lab).astype(int)).tolist().count(1) == 1
    reduced = reduce_chroma(lab)
    steps = np.diff(np.hypot(reduced[:, 1], reduced[:, 2]))
    assert steps.min() > -1e-3
    assert steps.max() < 0.06
    assert lab_to_rgb(reduced).max() < 1.0135


def test_a_ray_leaves_the_gamut_at_the_border():
    generator = np.random.default_rng(4)
    lab = rgb_to_lab(generator.random((500, 3)))
    angle = generator.uniform(0, 2 * np.pi, 500)
    direction = np.stack([np.cos(angle), np.sin(angle)])
    out = gamut_exit(lab[:, 0], lab[:, 1:].T, direction, limit=np.full(500, 256.0))
    along = np.sum((out - lab[:, 1:].T) * direction, axis=0)
    assert (along > -1e-3).all()
    np.testing.assert_allclose(out, lab[:, 1:].T + along * direction, atol=1e-9)
    low = lab[:, 0] < 92  # where no gap is bridged
    assert in_gamut(np.column_stack([lab[:, 0], (out - 0.05 * direction).T]))[low].mean() > 0.99
    assert not in_gamut(np.column_stack([lab[:, 0], (out + 0.05 * direction).T]))[low].any()


def test_the_border_is_searched_for_up_to_the_limit():
    lab = np.array([[50.0, 0.0, 0.0]] * 3)
    direction = np.array([[1.0] * 3, [0.0] * 3])
    out = gamut_exit(lab[:, 0], lab[:, 1:].T, direction, limit=np.array([256.0, 10.0, 0.0]))
    assert in_gamut(np.column_stack([lab[:, 0], 0.999 * out.T]))[0]
    assert out[0, 1] >= 10
    assert out[0, 2] >= 0


def test_a_ray_from_outside_ends_where_its_chroma_is_reduced_to():
    lab = wild()
    lab = lab[~in_gamut(lab)]
    out = gamut_exit(lab[:, 0], lab[:, 1:].T, np.ones((2, len(lab))) / np.sqrt(2), limit=np.zeros(len(lab)))
    np.testing.assert_allclose(out.T, reduce_chroma(lab)[:, 1:], atol=0.1)


def test_hue_shift_keeps_lightness_in_gamut(run, cube):
    for shift in (0.13, 0.5, 0.81):
        lab = run(lambda rgb, s=shift: hue_shift(rgb, s), cube)
        np.testing.assert_allclose(lab[:, 0], rgb_to_lab(cube)[:, 0], atol=2e-3)
        rgb = lab_to_rgb(lab.astype(np.float64))
        assert rgb.min() > -3e-4
        assert rgb[lab[:, 0] < 92].max() < 1 + 3e-4
        assert rgb.max() < 1.0135


def test_hue_shift_of_nothing_is_the_identity(run, cube):
    np.testing.assert_allclose(run(lambda rgb: hue_shift(rgb, 0.0), cube), rgb_to_lab(cube), atol=1e-3)


def test_hue_shift_takes_one_shift_for_each_image(run, cube):
    images = np.stack([cube[:16].reshape(4, 4, 3)] * 2)
    got = run(hue_shift, images, np.array([0.0, 0.5]).reshape(2, 1, 1))
    np.testing.assert_allclose(got[0], rgb_to_lab(images[0]), atol=1e-3)
    np.testing.assert_allclose(got[1], hue_shift(images[1], 0.5), atol=0.02)


@pytest.mark.parametrize("function", [reduce_chroma, lambda lab: hue_shift(lab / 100, 0.4)])
def test_gradients_are_finite(function):
    tf, jax = load("tensorflow"), load("jax")
    lab = np.vstack([wild(50), [[0, 0, 0], [100, 0, 0], [50, 0, 0], [100, 100, 100]]]).astype(np.float32)
    lab = np.abs(lab)
    x = tf.constant(lab)
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(function(x))
    assert np.isfinite(tape.gradient(total, x)).all()
    assert np.isfinite(jax.grad(lambda y: function(y).sum())(jax.numpy.asarray(lab))).all()
