from pathlib import Path

import numpy as np
import pytest

from tests.conftest import load

keras = load("keras")
from kpalette.models.layers import (  # noqa: E402
    CropLike,
    FiLM,
    MaskedMean,
    PadToMultiple,
    SpectralConv2D,
    SpectralDense,
    SwatchAttention,
    instance_norm,
)

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "tfa_reference.npz")
PARITY = 2e-6


def test_instance_norm_is_that_of_tensorflow_addons():
    layer = instance_norm(name="norm", affine=True)
    layer.build(GOLDEN["x"].shape)
    layer.set_weights([GOLDEN["gamma"], GOLDEN["beta"]])
    np.testing.assert_allclose(np.asarray(layer(GOLDEN["x"])), GOLDEN["y_in"], atol=PARITY)


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


@pytest.mark.parametrize(("height", "width"), [(16, 32), (50, 33), (1, 1), (2, 17), (15, 3)])
def test_padding_reflects_and_is_undone(height, width):
    x = np.random.default_rng(0).random((2, height, width, 3)).astype(np.float32)
    padded = np.asarray(PadToMultiple(multiple=16)(x))
    assert padded.shape[1] % 16 == padded.shape[2] % 16 == 0
    assert padded.shape[1] < height + 16
    expected = np.pad(
        x, ((0, 0), (0, padded.shape[1] - height), (0, padded.shape[2] - width), (0, 0)),
        mode="reflect" if min(height, width) > 1 else "edge",
    )  # fmt: skip
    np.testing.assert_array_equal(padded, expected)
    np.testing.assert_array_equal(np.asarray(CropLike()(padded, x)), x)


def test_masked_swatches_count_for_nothing():
    generator = np.random.default_rng(0)
    codes, mask = generator.random((2, 8, 5)).astype(np.float32), np.zeros((2, 8), np.float32)
    mask[:, :3] = 1
    other = codes.copy()
    other[:, 3:] = 99
    np.testing.assert_allclose(np.asarray(MaskedMean()(codes, mask)), codes[:, :3].mean(axis=1), rtol=1e-6)
    pixels = generator.random((2, 4, 4, 6)).astype(np.float32)
    layer = SwatchAttention(key_size=7)
    mixed = np.asarray(layer(pixels, codes, codes, mask))
    np.testing.assert_array_equal(mixed, np.asarray(layer(pixels, other, other, mask)))
    assert mixed.max() <= codes[:, :3].max()


def test_film_scales_and_shifts_each_channel():
    x = np.random.default_rng(0).random((2, 4, 4, 3)).astype(np.float32)
    code = np.random.default_rng(1).random((2, 5)).astype(np.float32)
    layer = FiLM(regularizer="l2")
    y = np.asarray(layer(x, code))
    kernel, bias = layer.get_weights()
    scale, shift = np.split(code @ kernel + bias, 2, axis=-1)
    np.testing.assert_allclose(y, x * (1 + scale[:, None, None]) + shift[:, None, None], rtol=1e-4, atol=1e-6)
    assert FiLM.from_config(layer.get_config()).regularizer.l2 == layer.regularizer.l2
