import numpy as np
import pytest
import skimage.color

from kpalette.color.difference import delta_e, delta_e_76, delta_e_2000
from kpalette.color.spaces import rgb_to_lab
from kpalette.errors import ArgumentError
from tests.conftest import load

# Sharma, Wu, Dalal 2005, table 1: L1 a1 b1, L2 a2 b2, dE00
SHARMA = np.array([
    [50.0000, 2.6772, -79.7751, 50.0000, 0.0000, -82.7485, 2.0425],
    [50.0000, 3.1571, -77.2803, 50.0000, 0.0000, -82.7485, 2.8615],
    [50.0000, 2.8361, -74.0200, 50.0000, 0.0000, -82.7485, 3.4412],
    [50.0000, -1.3802, -84.2814, 50.0000, 0.0000, -82.7485, 1.0000],
    [50.0000, -1.1848, -84.8006, 50.0000, 0.0000, -82.7485, 1.0000],
    [50.0000, -0.9009, -85.5211, 50.0000, 0.0000, -82.7485, 1.0000],
    [50.0000, 0.0000, 0.0000, 50.0000, -1.0000, 2.0000, 2.3669],
    [50.0000, -1.0000, 2.0000, 50.0000, 0.0000, 0.0000, 2.3669],
    [50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0009, 7.1792],
    [50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0010, 7.1792],
    [50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0011, 7.2195],
    [50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0012, 7.2195],
    [50.0000, -0.0010, 2.4900, 50.0000, 0.0009, -2.4900, 4.8045],
    [50.0000, -0.0010, 2.4900, 50.0000, 0.0010, -2.4900, 4.8045],
    [50.0000, -0.0010, 2.4900, 50.0000, 0.0011, -2.4900, 4.7461],
    [50.0000, 2.5000, 0.0000, 50.0000, 0.0000, -2.5000, 4.3065],
    [50.0000, 2.5000, 0.0000, 73.0000, 25.0000, -18.0000, 27.1492],
    [50.0000, 2.5000, 0.0000, 61.0000, -5.0000, 29.0000, 22.8977],
    [50.0000, 2.5000, 0.0000, 56.0000, -27.0000, -3.0000, 31.9030],
    [50.0000, 2.5000, 0.0000, 58.0000, 24.0000, 15.0000, 19.4535],
    [50.0000, 2.5000, 0.0000, 50.0000, 3.1736, 0.5854, 1.0000],
    [50.0000, 2.5000, 0.0000, 50.0000, 3.2972, 0.0000, 1.0000],
    [50.0000, 2.5000, 0.0000, 50.0000, 1.8634, 0.5757, 1.0000],
    [50.0000, 2.5000, 0.0000, 50.0000, 3.2592, 0.3350, 1.0000],
    [60.2574, -34.0099, 36.2677, 60.4626, -34.1751, 39.4387, 1.2644],
    [63.0109, -31.0961, -5.8663, 62.8187, -29.7946, -4.0864, 1.2630],
    [61.2901, 3.7196, -5.3901, 61.4292, 2.2480, -4.9620, 1.8731],
    [35.0831, -44.1164, 3.7933, 35.0232, -40.0716, 1.5901, 1.8645],
    [22.7233, 20.0904, -46.6940, 23.0331, 14.9730, -42.5619, 2.0373],
    [36.4612, 47.8580, 18.3852, 36.2715, 50.5065, 21.2231, 1.4146],
    [90.8027, -2.0831, 1.4410, 91.1528, -1.6435, 0.0447, 1.4441],
    [90.9257, -0.5406, -0.9208, 88.6381, -0.8985, -0.7239, 1.5381],
    [6.7747, -0.2908, -2.4247, 5.8714, -0.0985, -2.2286, 0.6377],
    [2.0776, 0.0795, -1.1350, 0.9033, -0.0636, -0.5514, 0.9082],
])  # fmt: skip


def test_sharmas_34_pairs_both_ways():
    assert len(SHARMA) == 34
    np.testing.assert_allclose(delta_e_2000(SHARMA[:, :3], SHARMA[:, 3:6]), SHARMA[:, 6], atol=1e-4)
    np.testing.assert_allclose(delta_e_2000(SHARMA[:, 3:6], SHARMA[:, :3]), SHARMA[:, 6], atol=1e-4)


def test_every_backend_against_scikit_image(run, cube):
    one, two = rgb_to_lab(cube), rgb_to_lab(cube[::-1])
    np.testing.assert_allclose(run(delta_e_2000, one, two), skimage.color.deltaE_ciede2000(one, two), atol=2e-3)
    np.testing.assert_allclose(run(delta_e_76, one, two), skimage.color.deltaE_cie76(one, two), atol=1e-3)


def test_equal_colours_differ_by_nothing(cube):
    lab = rgb_to_lab(cube)
    assert delta_e_2000(lab, lab).max() == 0
    assert delta_e_76(lab, lab).max() == 0


def test_broadcasting():
    lab = rgb_to_lab(np.random.default_rng(0).random((5, 3)))
    table = delta_e_2000(lab[:, None], lab[None])
    assert table.shape == (5, 5)
    np.testing.assert_allclose(table, table.T, atol=1e-9)


@pytest.mark.parametrize("function", [delta_e_76, delta_e_2000])
def test_gradients_are_finite_at_equal_colours_and_greys(function, cube):
    tf, jax = load("tensorflow"), load("jax")
    lab = rgb_to_lab(cube[:41]).astype(np.float32)
    for other in (lab, lab[::-1].copy()):
        x = tf.constant(lab)
        with tf.GradientTape() as tape:
            tape.watch(x)
            total = tf.reduce_sum(function(x, tf.constant(other)))
        assert np.isfinite(tape.gradient(total, x)).all()
        assert np.isfinite(jax.grad(lambda y, o=other: function(y, o).sum())(jax.numpy.asarray(lab))).all()


def test_method_by_name():
    one, two = np.array([50.0, 0, 0]), np.array([50.0, 3, 4])
    assert delta_e(one, two, method="1976") == pytest.approx(5)
    assert delta_e(one, two) == delta_e_2000(one, two)
    with pytest.raises(ArgumentError, match=r"`method` must be one of \['1976', '2000'\]. Received: '94'"):
        delta_e(one, two, method="94")
