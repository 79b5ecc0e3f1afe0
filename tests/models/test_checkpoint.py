"""Models to checkpoints and back, on any backend, and no further than they fit."""

import hashlib
import json
import subprocess
import sys

import numpy as np
import pytest

from kpalette.errors import ArgumentError, KPaletteError, OutputError
from kpalette.weights import presets
from kpalette.weights.config import CheckpointError
from kpalette.weights.folder import read_checkpoint, write_checkpoint
from tests.conftest import load

keras = load("keras")
from kpalette.models.checkpoint import MODELS, load_checkpoint, save_checkpoint  # noqa: E402
from kpalette.models.discriminator import PaletteDiscriminator  # noqa: E402
from kpalette.models.generator import PaletteNet  # noqa: E402
from kpalette.models.preset import POLICIES  # noqa: E402
from kpalette.models.variables import tensors_of  # noqa: E402
from tests.models.test_models import batch, each, run  # noqa: E402


@pytest.fixture
def model(kind, options):
    """A model that has seen a step of training: biases are not zero, singular vectors have moved."""
    keras.utils.set_random_seed(0)
    made = kind(**options)
    generator = np.random.default_rng(0)
    for weight in made.weights:
        weight.assign(weight + generator.normal(0, 0.02, weight.shape))
    return made


@pytest.fixture(scope="module")
def net():
    keras.utils.set_random_seed(0)
    return PaletteNet(filters=4)


@pytest.fixture
def folder(net, tmp_path):
    return save_checkpoint(net, tmp_path / "made")


def rewrite(folder, change, **config):
    """Writes a checkpoint anew with other tensors: whole in itself, but not what the model needs."""
    checkpoint = read_checkpoint(folder)
    tensors = dict(checkpoint.tensors)
    change(tensors)
    whole = {"model": checkpoint.config["model"], "config": {**checkpoint.config["config"], **config}}
    write_checkpoint(folder, config=whole, tensors=tensors, overwrite=True)


@each
def test_float32_round_trip_is_exact(model, tmp_path):
    folder = save_checkpoint(model, tmp_path / "x", half=False, metrics={"ssim": 0.5})
    assert read_checkpoint(folder).metrics == {"ssim": 0.5}
    for again in (load_checkpoint(folder), type(model).from_preset(folder), load_checkpoint(str(folder))):
        assert type(again) is type(model)
        before, after = model.get_config(), again.get_config()
        assert {**before, "name": ""} == {**after, "name": ""}
        for a, b in zip(model.weights, again.weights, strict=True):
            np.testing.assert_array_equal(keras.ops.convert_to_numpy(a), keras.ops.convert_to_numpy(b))
        np.testing.assert_array_equal(run(again, batch(model)), run(model, batch(model)))


@each
def test_float16_round_trip_is_near(model, tmp_path):
    """2e-3 on average. Single pixels of an untrained generator, given noise, move by up to 1e-2: measured."""
    again = load_checkpoint(save_checkpoint(model, tmp_path / "x"))
    difference = np.abs(run(again, batch(model)) - run(model, batch(model)))
    assert difference.mean() < 2e-3
    assert difference.max() < (2e-2 if isinstance(model, PaletteNet) else 2e-3)


@each
def test_names_are_the_same_for_every_model(kind, options):
    first, second = tensors_of(kind(**options)), tensors_of(kind(**options, name="another"))
    inner = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])  # moves Keras' counters on
    with keras.name_scope("outer", caller=inner):
        third = tensors_of(kind(**options))
    assert list(first) == list(second) == list(third)
    assert len(first) == len(kind(**options).weights)
    assert not [name for name in first if name.startswith(("palette_net", "palette_discriminator", "conv2d", "dense"))]


def test_singular_vectors_are_kept_and_seeds_are_not():
    names = set(tensors_of(PaletteDiscriminator(filters=4)))
    assert {"down1_conv/kernel", "down1_conv/u", "down1_conv/v", "alone/u"} <= names
    assert not [name for name in tensors_of(PaletteNet(filters=4, dropout=0.5)) if "seed" in name]


def test_a_trained_singular_vector_comes_back(tmp_path):
    model = PaletteDiscriminator(filters=4)
    run(model, batch(model), training=True)
    again = load_checkpoint(save_checkpoint(model, tmp_path / "x", half=False))
    np.testing.assert_array_equal(tensors_of(again)["down2_conv/u"], tensors_of(model)["down2_conv/u"])


@pytest.mark.parametrize("other", ["tensorflow", "jax"])
def test_the_other_backend_reads_it(tmp_path, other, environment, on_jax):
    if other == keras.backend.backend():
        pytest.skip("this one")
    load(other)
    expected = {}
    for name, kind in MODELS.items():
        model = kind(filters=4)
        save_checkpoint(model, tmp_path / name, half=False)
        np.savez(tmp_path / f"{name}-inputs.npz", **batch(model))
        expected[name] = run(model, batch(model))
    # JAX compiles a program for every shape of initial values, a minute in all, and they are overwritten.
    no_initial_values = (
        "import jax\ndef zeros(seed, *, shape, dtype, **_): return jax.numpy.zeros(shape, dtype)\n"
        "jax.random.truncated_normal = jax.random.uniform = zeros\n"
    )
    code = (
        "import sys, keras, numpy as np; from kpalette.models.checkpoint import load_checkpoint\n"
        "for name in sys.argv[1:]:\n"
        "    inputs = dict(np.load(f'{name}-inputs.npz'))\n"
        "    np.save(f'{name}.npy', load_checkpoint(f'./{name}').predict(inputs, verbose=0))\n"
        "print(keras.backend.backend())"
    )
    code = no_initial_values + code if other == "jax" else code
    own = {**(on_jax if other == "jax" else environment), "KERAS_BACKEND": other}
    done = subprocess.run([sys.executable, "-c", code, *MODELS], cwd=tmp_path, env=own, capture_output=True, text=True)
    assert done.stdout.split() == [other], done.stderr
    for name, result in expected.items():
        np.testing.assert_allclose(np.load(tmp_path / f"{name}.npy"), result, atol=1e-5)


class TestPolicies:
    @pytest.mark.parametrize("dtype", POLICIES)
    @pytest.mark.parametrize("kind", MODELS.values())
    def test_each_is_that_of_the_layers(self, kind, dtype, tmp_path):
        before = keras.config.dtype_policy()
        model = kind(filters=4)
        again = load_checkpoint(save_checkpoint(model, tmp_path / "x"), dtype=dtype)
        assert keras.config.dtype_policy() is before
        convolutions = [layer for layer in again.layers if layer.name.endswith(("conv", "conv1"))]
        assert {layer.dtype_policy.name for layer in convolutions} == {dtype}
        assert np.isfinite(run(again, batch(model))).all()
        np.testing.assert_allclose(run(again, batch(model)), run(model, batch(model)), atol=0.1, rtol=0.1)
        save_checkpoint(again, tmp_path / "again")

    def test_what_is_none(self, folder):
        before = keras.config.dtype_policy()
        with pytest.raises(ArgumentError, match="`dtype` must be one of float32, mixed_bfloat16, .*Received: 'int7'"):
            load_checkpoint(folder, dtype="int7")
        assert keras.config.dtype_policy() is before


class TestWhatDoesNotFit:
    def fails(self, folder, *parts):
        for call in (load_checkpoint, PaletteNet.from_preset):
            with pytest.raises(CheckpointError) as caught:
                call(folder)
            assert "\n" not in str(caught.value)
            for part in (str(folder), *parts):
                assert part in str(caught.value)

    def test_missing_tensor(self, folder):
        rewrite(folder, lambda tensors: tensors.pop("stem_conv/kernel"))
        self.fails(
            folder, "config.json: tensor 'stem_conv/kernel' is missing", "PaletteNet needs it of shape (3, 3, 3, 4)"
        )

    def test_surplus_tensor(self, folder):
        rewrite(folder, lambda tensors: tensors.update({"more/kernel": np.ones((1, 2))}))
        self.fails(folder, "weights.safetensors: tensor 'more/kernel' of shape (1, 2) does not belong to PaletteNet")

    def test_wrong_shape(self, folder):
        rewrite(folder, lambda tensors: tensors.update({"stem_norm/beta": np.ones((2, 2))}))
        self.fails(folder, "weights.safetensors: tensor 'stem_norm/beta' has shape (2, 2), PaletteNet needs (4,)")

    def test_another_size_of_the_model(self, folder):
        rewrite(folder, lambda tensors: None, filters=5)
        self.fails(folder, "has shape", "PaletteNet needs")

    @pytest.mark.parametrize(
        ("config", "part"),
        [
            ({"filters": 10**6}, "'filters' of 1000000 does not fit so few weights"),
            ({"filters": -1}, "cannot build PaletteNet: `filters` must be a positive whole number. Received: -1"),
            ({"filters": "4"}, "cannot build PaletteNet: `filters` must be"),
            ({"conditioning": "both"}, "cannot build PaletteNet: `conditioning` must be"),
            ({"dropout": 7}, "cannot build PaletteNet: "),
            ({"dropout": "x"}, "cannot build PaletteNet: "),
            ({"l2": "x"}, "cannot build PaletteNet: "),
            ({"inputs": 1}, "PaletteNet has no option 'inputs'"),
            ({"name": "x"}, "PaletteNet has no option 'name'"),
            ({"kwargs": "x"}, "PaletteNet has no option 'kwargs'"),
        ],
    )
    def test_config(self, folder, config, part):
        rewrite(folder, lambda tensors: None, **config)
        self.fails(folder, "config.json: ", part)

    def test_changed_byte(self, folder):
        path = folder / "weights.safetensors"
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        path.write_bytes(data)
        self.fails(folder, f"{path} has another SHA-256")

    def test_other_classes(self, folder, tmp_path):
        with pytest.raises(CheckpointError, match="made holds a PaletteNet, not a PaletteDiscriminator"):
            PaletteDiscriminator.from_preset(folder)
        document = json.loads((folder / "config.json").read_text())
        for name in ("Sequential", "keras.Model", "os.system", "palettenet"):
            (folder / "config.json").write_text(json.dumps({**document, "model": name}))
            with pytest.raises(
                CheckpointError, match='"model" must be one of PaletteNet, PaletteDiscriminator. Received'
            ):
                load_checkpoint(folder)

    def test_keras_files_are_not_read(self, net, folder):
        net.save_weights(folder / "net.weights.h5")
        data = (folder / "net.weights.h5").read_bytes()
        (folder / "weights.safetensors").write_bytes(data)
        document = json.loads((folder / "config.json").read_text())
        document["files"][0] |= {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        (folder / "config.json").write_text(json.dumps(document))
        self.fails(folder, "weights.safetensors is no safetensors file")


class TestSaving:
    def test_overwriting(self, net, folder):
        with pytest.raises(OutputError, match="made exists already"):
            save_checkpoint(net, folder)
        save_checkpoint(PaletteDiscriminator(filters=4), folder, overwrite=True)
        assert type(load_checkpoint(folder)) is PaletteDiscriminator

    @pytest.mark.parametrize("value", [np.inf, 1e5])
    def test_weights_that_have_left_the_range(self, tmp_path, value):
        model = PaletteNet(filters=4)
        model.get_layer("head_conv").bias.assign([0, value])
        with pytest.raises(ArgumentError, match="'head_conv/bias' holds"):
            save_checkpoint(model, tmp_path / "x")
        assert not list(tmp_path.iterdir())
        if np.isfinite(value):
            again = load_checkpoint(save_checkpoint(model, tmp_path / "x", half=False))
            np.testing.assert_array_equal(tensors_of(again)["head_conv/bias"], np.float32([0, value]))

    @pytest.mark.parametrize("make", [lambda: keras.Sequential(), lambda: type("PaletteNet", (), {})(), lambda: None])
    def test_other_models(self, tmp_path, make):
        with pytest.raises(ArgumentError, match="`model` must be a PaletteNet or a PaletteDiscriminator. Received: "):
            save_checkpoint(make(), tmp_path / "x")

    def test_compiled_and_trained(self, tmp_path):
        """Optimizer and metrics stay out, and a model that was trained gives what it gave."""
        model = PaletteNet(filters=4, dropout=0.1, l2=1e-4)
        model.compile(optimizer="adam", loss="mse", metrics=["mae"], run_eagerly=True)
        inputs = batch(model)
        model.fit(inputs, np.zeros((2, 32, 48, 2), np.float32), verbose=0)
        again = load_checkpoint(save_checkpoint(model, tmp_path / "x", half=False))
        np.testing.assert_array_equal(run(again, inputs), run(model, inputs))


def test_presets_by_name(net, tmp_path, monkeypatch):
    monkeypatch.setattr(presets, "_PACKAGE", tmp_path / "kpalette")
    with pytest.raises(KPaletteError, match="weights of 'palettenet' are not there: train them"):
        PaletteNet.from_preset("palettenet")
    save_checkpoint(net, tmp_path / "kpalette/checkpoints/palettenet", half=False)
    for again in (PaletteNet.from_preset("palettenet"), load_checkpoint("palettenet")):
        np.testing.assert_array_equal(run(again, batch(net)), run(net, batch(net)))
