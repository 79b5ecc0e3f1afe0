import numpy as np
import pytest
from skimage.metrics import structural_similarity

from kpalette.color.gamut import reduce_chroma
from kpalette.color.spaces import lab_to_rgb
from kpalette.models.ranges import to_network_range
from tests.conftest import load

keras = load("keras")
from kpalette.training.losses import (  # noqa: E402
    edges_term,
    fooling,
    hinge,
    make_pictures,
    palette_terms,
    structure_term,
    weighted_mse,
)


def scene(shift=(0.0, 0.0), seed=0):
    """Two clusters, one left, one right, and the palette that moves the left one by `shift` in ab."""
    generator = np.random.default_rng(seed)
    lab = np.full((1, 16, 16, 3), [50.0, 0, 0])
    lab[:, :, :8] += [0, 30, 30]
    lab[:, :, 8:] += [10, -25, -5]
    lab += generator.normal(0, 3, lab.shape)
    source = np.zeros((1, 8, 3))
    source[0, :2] = [[50, 30, 30], [60, -25, -5]]
    target = source.copy()
    target[0, 0, 1:] += shift
    mask = (np.arange(8) < 2).astype(np.float32)[None]
    inputs = {"lab": lab, "source_palette": source, "target_palette": target}
    return {**{k: to_network_range(v.astype(np.float32)) for k, v in inputs.items()}, "mask": mask}


def terms(ab, inputs) -> tuple[float, float]:
    tensors = {name: keras.ops.convert_to_tensor(value) for name, value in inputs.items()}
    pictures = make_pictures(keras.ops.convert_to_tensor(ab.astype(np.float32)), tensors)
    distance, spread = palette_terms(pictures, tensors)
    return float(distance), float(spread)


def moved(inputs, shift):
    ab = inputs["lab"][..., 1:].copy()
    ab[:, :, :8] += np.array(shift) / 128
    return ab


def test_what_was_asked_for_costs_nothing():
    inputs = scene(shift=(-20.0, 10.0))
    distance, spread = terms(moved(inputs, (-20, 10)), inputs)
    assert distance < 1e-6
    assert spread < 1e-4


def test_a_cluster_that_scatters_costs_the_variance_it_gained():
    inputs = scene()
    ab = inputs["lab"][..., 1:].copy()
    own = ab[:, :, :8].var(axis=(1, 2)).sum()
    ab[:, :, :8] += ab[:, :, :8] - ab[:, :, :8].mean(axis=(1, 2))  # twice as far from the mean
    distance, spread = terms(ab, inputs)
    assert distance == pytest.approx(3 * (3 * own) / 2, rel=0.02)  # one of two clusters gained three times its variance
    assert spread < 1e-4


def test_doing_nothing_costs_the_distance():
    inputs = scene(shift=(-20.0, 10.0))
    distance, _ = terms(inputs["lab"][..., 1:], inputs)
    # Of two swatches, one is off by (20, 10) / 128.
    assert distance == pytest.approx((20**2 + 10**2) / 128**2 / 2, rel=0.02)


def test_a_flat_answer_is_no_answer():
    inputs = scene()
    flat = np.where(np.arange(16)[None, None, :, None] < 8, 30, -30) / 128 * np.ones((1, 16, 16, 2))
    _, spread = terms(flat, inputs)
    assert spread > 0.5
    _, wider = terms(inputs["lab"][..., 1:] * 1.5, inputs)
    assert wider == 0.0


def test_padding_and_small_clusters_do_not_count():
    inputs = scene(shift=(-20.0, 10.0))
    ab = inputs["lab"][..., 1:]
    before = terms(ab, inputs)
    for name in ("source_palette", "target_palette"):
        inputs[name] = inputs[name].copy()
        inputs[name][0, 2:] = 0.9
    assert terms(ab, inputs) == pytest.approx(before, rel=1e-5)
    # A third swatch that no pixel is near to, and that should go far.
    for name, value in (("source_palette", [0.9, 0.9, 0.9]), ("target_palette", [0.9, -0.9, -0.9])):
        inputs[name][0, 2] = value
    inputs["mask"] = (np.arange(8) < 3).astype(np.float32)[None]
    assert terms(ab, inputs) == pytest.approx(before, rel=1e-3)


def test_rows_count_as_told():
    near, far = scene(shift=(-20.0, 10.0), seed=1), scene(shift=(60.0, 0.0), seed=2)
    both = {name: np.concatenate([near[name], far[name]]) for name in near}
    tensors = {name: keras.ops.convert_to_tensor(value) for name, value in both.items()}
    pictures = make_pictures(keras.ops.convert_to_tensor(both["lab"][..., 1:].astype(np.float32)), tensors)
    for rows, alone in (([1.0, 0.0], near), ([0.0, 1.0], far)):
        found = [float(term) for term in palette_terms(pictures, tensors, rows=keras.ops.convert_to_tensor(rows))]
        assert found == pytest.approx(terms(alone["lab"][..., 1:], alone), rel=1e-4, abs=1e-7)
    none = palette_terms(pictures, tensors, rows=keras.ops.zeros(2))
    assert float(none[0]) == float(none[1]) == 0.0


def test_a_swatch_that_the_gamut_lacks_is_asked_for_as_far_as_it_goes():
    inputs = scene(shift=(200.0, 0.0))
    reachable, _ = terms(moved(inputs, (200, 0)), inputs)
    assert reachable > 0.1  # the wish itself is beyond what counts as reached


def structure(lab, ab, rows=1.0) -> float:
    lab, ab = (keras.ops.convert_to_tensor(x.astype(np.float32)) for x in (lab, ab))
    return float(structure_term(make_pictures(ab, {"lab": lab}), rows=rows))


def test_structure_is_ssim_of_grey():
    """Against scikit-image's, on grey of the colours that sRGB can show."""
    generator = np.random.default_rng(0)
    lab = np.stack([generator.uniform(*r, (2, 24, 32)) for r in ((20, 90), (-90, 90), (-90, 90))], axis=-1)
    lab = reduce_chroma(lab)
    wild = np.concatenate([lab[..., :1], generator.uniform(-120, 120, (2, 24, 32, 2))], axis=-1)
    grey = [lab_to_rgb(reduce_chroma(x, steps=8)) @ [0.299, 0.587, 0.114] for x in (lab, wild)]
    ssim = [structural_similarity(a, b, data_range=1.0) for a, b in zip(*grey, strict=True)]
    assert max(ssim) < 0.95
    shown, answer = to_network_range(lab), to_network_range(wild)[..., 1:]
    assert structure(shown, answer) == pytest.approx(1 - np.mean(ssim), abs=2e-3)
    assert structure(shown, answer, rows=np.array([0.0, 1.0])) == pytest.approx(1 - ssim[1], abs=2e-3)
    assert structure(shown, shown[..., 1:]) == pytest.approx(0.0, abs=1e-5)


def test_smooth_places_stay_smooth():
    lab = np.full((1, 8, 8, 3), [50.0, 10, 0], np.float32)
    lab[:, :, 4:] += [0, 20, 0]  # an edge that was there
    inputs = {"lab": to_network_range(lab)}
    ab = inputs["lab"][..., 1:].copy()

    def term() -> float:
        lab = keras.ops.convert_to_tensor(inputs["lab"])
        return float(edges_term(make_pictures(keras.ops.convert_to_tensor(ab), {"lab": lab})))

    assert term() == 0.0
    ab[:, :, 4:] += 30 / 128
    assert term() == 0.0
    ab[:, :4] += [0, 8 / 128]  # a new one across all columns: (8 - 4)^2 / 2^2 on one of seven rows of pairs
    assert term() == pytest.approx(4 / 7 / 2, rel=1e-3)


def dark_blue() -> tuple[np.ndarray, np.ndarray]:
    """Dark rows 1.6 apart, which is smooth, and one blue for all of them, more than sRGB has: CIELAB and ab."""
    lab = np.full((1, 8, 8, 3), [0.0, 0, 0], np.float32)
    lab[..., 0] = np.linspace(1, 12, 8)[:, np.newaxis]
    return lab, np.tile(np.array([40.0, -80.0], np.float32), (1, 8, 8, 1))


def test_edges_are_those_of_colours_that_can_be_shown():
    lab, blue = dark_blue()
    shown = reduce_chroma(np.concatenate([lab[..., :1], blue], axis=-1))
    steps = np.sqrt(np.sum(np.diff(shown[0, :, 0], axis=0) ** 2, axis=-1))
    assert steps.max() > 6  # the cut to the gamut alone tears
    inputs = {"lab": keras.ops.convert_to_tensor(to_network_range(lab))}
    found = edges_term(make_pictures(keras.ops.convert_to_tensor(blue / np.float32(128)), inputs))
    assert float(found) == pytest.approx(np.mean(np.maximum(steps - 4, 0) ** 2 / 4) / 2, rel=0.05)


def test_what_the_gamut_tears_is_asked_for_less_chroma():
    """One colour is asked for everywhere: neighbours that pull on each other alike would leave it as it is."""
    if keras.backend.backend() != "tensorflow":
        pytest.skip("TensorFlow's tape")
    tf = load("tensorflow")
    lab, blue = dark_blue()
    ab = tf.Variable(blue / np.float32(128))
    with tf.GradientTape() as tape:
        total = edges_term(make_pictures(ab.value(), {"lab": tf.constant(to_network_range(lab))}))
    slope = np.sum(tape.gradient(total, ab).numpy() * blue, axis=-1)
    assert slope.min() >= 0
    assert slope.sum() > 0.2 * float(total)


def test_gradients_are_finite():
    if keras.backend.backend() != "tensorflow":
        pytest.skip("TensorFlow's tape")
    tf = load("tensorflow")
    inputs = {name: tf.constant(value) for name, value in scene(shift=(10.0, 0.0)).items()}
    ab = tf.Variable(tf.zeros((1, 16, 16, 2)))
    with tf.GradientTape() as tape:
        pictures = make_pictures(ab.value(), inputs)
        total = sum(palette_terms(pictures, inputs)) + edges_term(pictures) + structure_term(pictures)
    gradient = tape.gradient(total, ab).numpy()
    assert np.isfinite(gradient).all()
    assert np.abs(gradient).max() > 0


def test_mean_squared_error_counts_by_weight():
    wanted, predicted = np.zeros((2, 2, 2, 2), np.float32), np.ones((2, 2, 2, 2), np.float32)
    predicted[1] = 3.0
    weight = np.zeros((2, 2, 2), np.float32)
    weight[0] = 1.0
    assert float(weighted_mse(wanted, predicted, weight)) == pytest.approx(1.0, rel=1e-5)
    weight[1] = 1.0
    assert float(weighted_mse(wanted, predicted, weight)) == pytest.approx(5.0, rel=1e-5)
    assert float(weighted_mse(wanted, predicted, np.zeros_like(weight))) == 0.0


def test_the_adversarial_terms():
    logits = np.array([[2.0], [0.5], [-1.0]], np.float32)
    np.testing.assert_allclose(np.asarray(hinge(logits)).ravel(), [0.0, 0.5, 2.0])
    assert float(fooling(logits)) == pytest.approx(-0.5)
