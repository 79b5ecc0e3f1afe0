import numpy as np
import pytest

from tests.conftest import ROOT, load

keras = load("keras")
from kpalette.models.spectral import SpectralConv2D, SpectralDense  # noqa: E402

GOLDEN = np.load(ROOT / "tests/golden/tfa_reference.npz")
PARITY = 2e-6


def test_spectral_norm_is_that_of_tensorflow_addons():
    """Three training calls and one for inference; there the kernel itself is divided, here its use is."""
    layer = SpectralConv2D(4, 3, padding="same")
    layer.build(GOLDEN["x"].shape)
    layer.kernel.assign(GOLDEN["kernel"])
    layer.bias.assign(GOLDEN["bias"])
    layer.u.assign(GOLDEN["u0"])
    for expected, u in zip(GOLDEN["y_sn_train"], GOLDEN["u_after"], strict=True):
        np.testing.assert_allclose(np.asarray(layer(GOLDEN["x"], training=True)), expected, atol=PARITY)
        np.testing.assert_allclose(np.asarray(layer.u), u, atol=PARITY)
    np.testing.assert_allclose(np.asarray(layer(GOLDEN["x"])), GOLDEN["y_sn_infer"], atol=PARITY)
    np.testing.assert_array_equal(np.asarray(layer.kernel), GOLDEN["kernel"])


@pytest.mark.parametrize("make", [lambda: SpectralConv2D(5, 4, strides=2), lambda: SpectralDense(5)])
def test_the_largest_singular_value_becomes_one(make):
    keras.utils.set_random_seed(0)  # by chance the first two values are so near that 60 iterations are too few
    keras.utils.set_random_seed(0)
    layer = make()
    x = np.random.default_rng(0).normal(size=(2, 9, 9, 3)).astype(np.float32)
    for _ in range(60):
        layer(x, training=True)
    kernel = np.asarray(layer._divided_kernel(False)).reshape(-1, 5)
    assert np.linalg.svd(kernel)[1][0] == pytest.approx(1, abs=1e-3)
    again = type(layer).from_config(layer.get_config())
    again.build(x.shape)
    again.set_weights(layer.get_weights())
    np.testing.assert_array_equal(np.asarray(again(x)), np.asarray(layer(x)))
