import numpy as np
import pytest

from tests.conftest import ROOT, load

keras = load("keras")
from kpalette.models.layers import (  # noqa: E402
    CropLike,
    Double,
    FiLM,
    MaskedMean,
    PadToMultiple,
    _doubled,
    instance_norm,
)
from kpalette.models.ranges import to_network_range  # noqa: E402
from kpalette.models.smooth_layers import SmoothAlike  # noqa: E402
from kpalette.models.swatch_layers import SwatchAttention, SwatchNearness  # noqa: E402
from kpalette.palettes.clusters import gaussian_shares  # noqa: E402
from kpalette.palettes.palette import Palette  # noqa: E402

GOLDEN = np.load(ROOT / "tests/golden/tfa_reference.npz")
PARITY = 2e-6


def test_instance_norm_is_that_of_tensorflow_addons():
    layer = instance_norm(name="norm", affine=True)
    layer.build(GOLDEN["x"].shape)
    layer.set_weights([GOLDEN["gamma"], GOLDEN["beta"]])
    np.testing.assert_allclose(np.asarray(layer(GOLDEN["x"])), GOLDEN["y_in"], atol=PARITY)


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


@pytest.mark.parametrize("shape", [(2, 5, 7, 3), (1, 1, 1, 2), (1, 1, 6, 1)])
def test_doubling_is_bilinear_also_where_sizes_are_unknown(shape):
    x = np.random.default_rng(0).random(shape).astype(np.float32)
    wanted = np.asarray(keras.layers.UpSampling2D(2, interpolation="bilinear")(x))
    np.testing.assert_allclose(np.asarray(Double()(x)), wanted, atol=1e-6)
    np.testing.assert_allclose(np.asarray(_doubled(_doubled(x, 1), 2)), wanted, atol=1e-6)
    assert Double().compute_output_shape((None, None, None, 3)) == (None, None, None, 3)
    assert Double().compute_output_shape((2, 5, 7, 3)) == (2, 10, 14, 3)


def test_doubling_in_a_graph_of_unknown_sizes():
    if keras.backend.backend() != "tensorflow":
        pytest.skip("sizes of a traced graph are known on other backends")
    tf = load("tensorflow")
    layer = Double()
    traced = tf.function(layer.call, input_signature=[tf.TensorSpec((None, None, None, 3))])
    x = np.random.default_rng(0).random((2, 4, 3, 3)).astype(np.float32)
    np.testing.assert_allclose(traced(x), layer(x), atol=1e-6)


def test_nearness_is_that_of_soft():
    generator = np.random.default_rng(0)
    lab = generator.uniform([0, -60, -60], [100, 60, 60], (1, 4, 5, 3)).astype(np.float32)
    swatches = generator.uniform([0, -60, -60], [100, 60, 60], (1, 4, 3)).astype(np.float32)
    logits = SwatchNearness(tau=10.0)(to_network_range(lab), to_network_range(swatches))
    shares = np.asarray(keras.ops.softmax(logits, axis=-1)).reshape(-1, 4)
    np.testing.assert_allclose(shares, gaussian_shares(lab.reshape(-1, 3), Palette(swatches[0]), tau=10.0), atol=1e-4)


def test_known_logits_are_added():
    generator = np.random.default_rng(0)
    x, keys = generator.random((1, 2, 2, 3)).astype(np.float32), generator.random((1, 8, 3)).astype(np.float32)
    values, present = np.eye(8, dtype=np.float32)[None], np.ones((1, 8), np.float32)
    layer = SwatchAttention()
    nearness = np.zeros((1, 2, 2, 8), np.float32)
    plain = np.asarray(layer(x, keys, values, present, nearness))
    np.testing.assert_allclose(plain, layer(x, keys, values, present), atol=1e-6)
    nearness[..., 3] = 50.0
    np.testing.assert_allclose(np.asarray(layer(x, keys, values, present, nearness))[..., 3], 1.0, atol=1e-6)


def test_every_pixel_tells_how_much_known_logits_count():
    x = np.array([[[[1.0], [-1.0], [0.0]]]], np.float32)
    keys, values, present = (
        np.zeros((1, 2, 4), np.float32),
        np.eye(2, dtype=np.float32)[None],
        np.ones((1, 2), np.float32),
    )
    nearness = np.broadcast_to(np.array([1.0, 0.0], np.float32), (1, 1, 3, 2))
    layer = SwatchAttention()
    alike = np.asarray(layer(x, keys, values, present, nearness))[0, 0, :, 0]
    np.testing.assert_allclose(alike, 1 / (1 + np.exp(-1)), atol=1e-6)
    layer.sharpness.set_weights([np.array([[100.0]]), np.array([0.0])])
    counted = np.exp(2.0 * np.array([1, -1, 0]))
    found = np.asarray(layer(x, keys, values, present, nearness))[0, 0, :, 0]
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-counted)), atol=1e-5)


def diffused(x, lab, steps, sigma):
    """`SmoothAlike`, pixel by pixel."""
    height, width, _ = x.shape
    for step in steps:
        new = np.empty_like(x)
        for i in range(height):
            for j in range(width):
                total, weight = x[i, j].copy(), 1.0
                for m, n in ((i - step, j), (i + step, j), (i, j - step), (i, j + step)):
                    if 0 <= m < height and 0 <= n < width:
                        alike = np.exp(-0.5 * np.sum((lab[i, j] - lab[m, n]) ** 2) / sigma**2)
                        total, weight = total + alike * x[m, n], weight + alike
                new[i, j] = total / weight
        x = new
    return x


@pytest.mark.parametrize("steps", [(1,), (2, 1)])
def test_features_are_averaged_among_alike_neighbours(steps):
    generator = np.random.default_rng(0)
    x, lab = generator.normal(size=(6, 5, 4)), np.array([50.0, 0, 0]) + generator.normal(0, 2, (6, 5, 3))
    inputs = [value[None].astype(np.float32) for value in (x, to_network_range(lab))]
    found = np.asarray(SmoothAlike(steps=steps, sigma=3.0)(*inputs))[0]
    np.testing.assert_allclose(found, diffused(x, lab, steps, 3.0), atol=1e-4)


def test_across_an_edge_nothing_flows_and_constants_stay():
    lab = np.full((1, 8, 8, 3), [50.0, 0, 0], np.float32)
    lab[:, :, 4:] += [0, 30, 0]
    x = np.zeros((1, 8, 8, 1), np.float32)
    x[:, :, 4:] = 1.0
    found = np.asarray(SmoothAlike()(x, to_network_range(lab)))
    np.testing.assert_allclose(found, x, atol=1e-6)
    assert np.asarray(SmoothAlike()(x, np.zeros_like(lab)))[0, 0, 3, 0] > 0.1


def gradient_of(function, x: np.ndarray, upstream: np.ndarray) -> np.ndarray:
    """The gradient of sum(function(x) * upstream), by the backend of Keras."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        value = tf.constant(x)
        with tf.GradientTape() as tape:
            tape.watch(value)
            total = tf.reduce_sum(function(value) * upstream)
        return tape.gradient(total, value).numpy()
    import jax

    return np.asarray(jax.grad(lambda value: (function(value) * upstream).sum())(x))


def numeric_gradient(function, x: np.ndarray, upstream: np.ndarray, places: list[tuple[int, ...]]) -> np.ndarray:
    """The same at some places, by differences."""
    found = []
    for place in places:
        ends = []
        for step in (1e-2, -1e-2):
            moved = x.copy()
            moved[place] += step
            ends.append(np.sum(np.asarray(function(moved), np.float64) * upstream))
        found.append((ends[0] - ends[1]) / 2e-2)
    return np.array(found)


@pytest.mark.parametrize("kind", ["norm", "smooth"])
def test_gradients_in_closed_form_are_those_of_differences(kind):
    generator = np.random.default_rng(0)
    x, upstream = (generator.normal(2, 1.5, (2, 7, 6, 3)).astype(np.float32) for _ in range(2))
    lab = generator.uniform(-0.02, 0.02, (2, 7, 6, 3)).astype(np.float32)
    lab[:, :, 3:] += 0.3
    if kind == "norm":
        function = instance_norm(name="norm", affine=True)
        function.build(x.shape)
        function.set_weights([np.array([1.5, -0.7, 2.0]), np.array([0.1, 0.2, 0.3])])
    else:
        layer = SmoothAlike()

        def function(x):
            return layer(x, lab)

    places = [(0, 0, 0, 0), (0, 3, 2, 1), (0, 6, 5, 2), (1, 2, 3, 0), (1, 4, 0, 1), (1, 6, 2, 2)]
    found = gradient_of(function, x, upstream)
    wanted = numeric_gradient(function, x, upstream, places)
    np.testing.assert_allclose([found[place] for place in places], wanted, rtol=0.01, atol=0.01)
