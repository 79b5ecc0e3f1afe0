"""One harness for every model: what each must hold."""

import functools

import numpy as np
import pytest

from kpalette.errors import ArgumentError
from tests.conftest import load

keras = load("keras")
from kpalette.models.discriminator import PaletteDiscriminator  # noqa: E402
from kpalette.models.generator import PaletteNet  # noqa: E402
from kpalette.models.ranges import AB_SCALE, from_network_range  # noqa: E402
from kpalette.palettes.clusters import swatch_shares, swatch_turns  # noqa: E402

MODELS = [
    (PaletteNet, {"filters": 4}),
    (PaletteNet, {"filters": 4, "conditioning": "target"}),
    (PaletteNet, {"filters": 4, "dropout": 0.2, "l2": 1e-4}),
    (PaletteDiscriminator, {"filters": 4}),
    (PaletteDiscriminator, {"filters": 4, "spectral": False}),
]
each = pytest.mark.parametrize(("kind", "options"), MODELS)


def batch(model, *, height=32, width=48, colors=4, size=2, seed=0) -> dict[str, np.ndarray]:
    """Random inputs in network range, for whichever inputs a model has."""
    generator = np.random.default_rng(seed)
    palette = generator.uniform(-0.6, 0.6, (3, size, 8, 3))
    every = {
        "lab": generator.uniform(-1, 1, (size, height, width, 3)) * [1.0, 0.4, 0.4],
        "source_palette": palette[0], "target_palette": palette[1], "palette": palette[2],
        "mask": np.tile(np.arange(8) < colors, (size, 1)),
    }  # fmt: skip
    return {name: every[name].astype(np.float32) for name in model.input}


def run(model, inputs, **options) -> np.ndarray:
    return keras.ops.convert_to_numpy(keras.ops.cast(model(inputs, **options), "float32"))


@functools.cache
def built(kind, options):
    keras.utils.set_random_seed(0)
    return kind(**dict(options))


@pytest.fixture
def model(kind, options):
    """Untrained, and not to be changed: it is built once."""
    return built(kind, tuple(options.items()))


@each
@pytest.mark.parametrize(("height", "width"), [(32, 48), (50, 33), (17, 16), (1, 1)])
def test_any_size(model, height, width):
    inputs = batch(model, height=height, width=width)
    expected = (2, height, width, 2) if isinstance(model, PaletteNet) else (2, 1)
    result = run(model, inputs)
    assert result.shape == expected
    assert np.isfinite(result).all()


@each
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_precision(kind, options, policy):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = kind(**options)
    finally:
        keras.config.set_dtype_policy(before)
    inputs = batch(model)
    assert keras.backend.standardize_dtype(model(inputs).dtype) == "float32"
    assert {weight.dtype for weight in model.weights} == {"float32"}
    plain = kind(**options)
    plain.set_weights(model.get_weights())
    np.testing.assert_allclose(run(model, inputs), run(plain, inputs), atol=0.1, rtol=0.1)


@each
def test_config_and_weights_round_trip(model, tmp_path):
    inputs = batch(model)
    again = type(model).from_config(model.get_config())
    assert again.get_config() == model.get_config()
    model.save_weights(tmp_path / "w.weights.h5")
    again.load_weights(tmp_path / "w.weights.h5")
    np.testing.assert_allclose(run(again, inputs), run(model, inputs), atol=1e-6)
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    assert type(loaded) is type(model)
    np.testing.assert_allclose(run(loaded, inputs), run(model, inputs), atol=1e-6)


@each
@pytest.mark.parametrize("colors", [2, 4, 8])
def test_order_and_padding_do_not_matter(model, colors):
    inputs = batch(model, colors=colors)
    order = [*np.random.default_rng(1).permutation(colors), *range(colors, 8)]
    changed = dict(inputs)
    for name in [name for name in inputs if "palette" in name]:
        changed[name] = inputs[name][:, order].copy()
        changed[name][:, colors:] = 0.5
    np.testing.assert_allclose(run(model, changed), run(model, inputs), atol=1e-5)


@each
def test_one_step_lowers_the_loss(kind, options):
    keras.utils.set_random_seed(0)
    model = kind(**options)
    inputs = batch(model)
    wanted = np.random.default_rng(2).uniform(-0.3, 0.3, run(model, inputs).shape).astype(np.float32)
    model.compile(
        optimizer=keras.optimizers.Adam(1e-3), loss="mse", run_eagerly=True
    )  # tracing takes longer than the steps
    before = model.evaluate(inputs, wanted, verbose=0)
    model.fit(inputs, wanted, epochs=3, verbose=0)
    assert model.evaluate(inputs, wanted, verbose=0) < before


@each
def test_another_palette_is_seen(model):
    """Of the untrained model, and away from the border: a palette erased by a norm shows there alone."""
    inputs = batch(model, height=64, width=64)
    changed = dict(inputs)
    name = "target_palette" if "target_palette" in inputs else "palette"
    changed[name] = -inputs[name]
    a, b = run(model, inputs), run(model, changed)
    if isinstance(model, PaletteNet):
        a, b = a[:, 16:-16, 16:-16], b[:, 16:-16, 16:-16]
        assert np.abs(a - b).mean() > 0.1 * a.std()
    else:
        assert np.abs(a - b).max() > 0.01 * np.abs(a).mean()


def test_the_features_of_the_decoder_hear_of_the_palette_themselves():
    """Not only the head, which adds the swatches' shifts: every level of the decoder does."""
    model = PaletteNet(filters=4)
    levels = keras.Model(model.inputs, [model.get_layer(f"up{i}_act").output for i in (1, 2, 3, 4)])
    inputs = batch(model, height=64, width=64)
    changed = {**inputs, "target_palette": -inputs["target_palette"]}
    for a, b in zip(levels(inputs), levels(changed), strict=True):
        a, b = np.asarray(a), np.asarray(b)
        inner = slice(a.shape[1] // 4, -a.shape[1] // 4)
        assert np.abs(a - b)[:, inner, inner].mean() > 0.1 * a.std()


def test_the_untrained_network_begins_as_soft_with_turns():
    """Its first answer, with pairs, is soft cluster shift with each cluster turned by half, more or less."""
    model = PaletteNet(filters=8)
    inputs = batch(model)
    lab, source, target = (from_network_range(inputs[n]) for n in ("lab", "source_palette", "target_palette"))
    shares = np.stack(swatch_shares(lab, source, inputs["mask"]), axis=-1)
    x, c, t = (part[..., 1] + 1j * part[..., 2] for part in (lab, source, target))
    whole = swatch_turns(source, target, slack=10.0, most=2.0) @ np.array([1, 1j]) - 1
    turn = np.asarray(keras.Model(model.inputs, model.get_layer("moves").output)(inputs))[..., 2:] @ np.array([1, 1j])
    gates = (turn / np.where(abs(whole) > 0.1, whole, np.nan))[:, :2]  # of swatches that are there
    assert np.nanmax(abs(gates.imag)) < 1e-4
    assert 0.1 < np.nanmin(gates.real) < np.nanmax(gates.real) < 0.9
    wanted = np.sum(
        shares * (t[:, None, None] + (1 + turn)[:, None, None] * (x[..., None] - c[:, None, None])), axis=-1
    )
    inside = abs(wanted) < 0.9 * AB_SCALE
    assert inside.mean() > 0.5
    assert np.median(abs((run(model, inputs) * AB_SCALE) @ np.array([1, 1j]) - wanted)[inside]) < 2.0
    assert np.median(abs(wanted - x)[inside]) > 10.0


def test_what_the_head_adds_is_smoothed_too():
    """Noise that nobody sees, which instance norm makes loud, does not come back as colour."""
    generator = np.random.default_rng(0)
    noise = generator.normal(0, 0.002, (1, 64, 64, 3)).astype(np.float32)  # a tenth of a unit of L
    kernel = generator.normal(0, 0.15, (3, 3, 5, 2))
    roughness = {}
    for smooth in (False, True):
        keras.utils.set_random_seed(0)
        model = PaletteNet(filters=4, smooth=smooth)
        model.get_layer("head_conv").kernel.assign(kernel)
        answer = run(model, {**batch(model, height=64, width=64, size=1), "lab": noise})
        inner = answer[:, 16:-16, 16:-16]  # convolutions see the frame
        roughness[smooth] = np.abs(np.diff(inner, axis=1)).mean() * AB_SCALE
    assert roughness[False] > 4
    assert roughness[True] < 0.6 * roughness[False]  # the decoder makes its noise coarse


def test_pairs_tell_more_than_targets():
    """Exchanging which source becomes which target changes the result."""
    model = PaletteNet(filters=4)
    inputs = batch(model)
    changed = {**inputs, "source_palette": inputs["source_palette"][:, [1, 0, 2, 3, 4, 5, 6, 7]]}
    assert np.abs(run(model, inputs) - run(model, changed)).max() > 0.01


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (PaletteNet, {"conditioning": "both"}, "`conditioning` must be one of pairs, target. Received: 'both'"),
        (PaletteNet, {"filters": 0}, "`filters` must be a positive whole number. Received: 0"),
        (PaletteDiscriminator, {"filters": 1.5}, "`filters` must be a positive whole number. Received: 1.5"),
    ],
)
def test_arguments_out_of_contract(kind, options, message):
    with pytest.raises(ArgumentError, match=message):
        kind(**options)
