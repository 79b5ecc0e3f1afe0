import numpy as np
import pytest

from kpalette.errors import ArgumentError
from tests.conftest import load

keras = load("keras")
if keras.backend.backend() != "tensorflow":
    pytest.skip("fit of AdversarialTrainer is TensorFlow's", allow_module_level=True)
from kpalette.models.discriminator import PaletteDiscriminator  # noqa: E402
from kpalette.models.generator import PaletteNet  # noqa: E402
from kpalette.training.adversarial import KINDS, AdversarialTrainer  # noqa: E402
from kpalette.training.losses import LossWeights  # noqa: E402

WEIGHTS = LossWeights(mse=100.0, palette=10.0, spread=1.0, edges=2.0, structure=3.0, adversarial=0.1)


def batch(size=2, side=16, seed=0):
    generator = np.random.default_rng(seed)
    palettes = generator.uniform(-0.5, 0.5, (2, size, 8, 3)).astype(np.float32)
    inputs = {
        "lab": generator.uniform(-0.5, 0.5, (size, side, side, 3)).astype(np.float32),
        "source_palette": palettes[0], "target_palette": palettes[1],
        "mask": np.tile(np.arange(8) < 4, (size, 1)).astype(np.float32),
    }  # fmt: skip
    wanted = generator.uniform(-0.3, 0.3, (size, side, side, 2)).astype(np.float32)
    return inputs, wanted, np.ones((size, side, side), np.float32)


def tensors(data):
    return keras.tree.map_structure(keras.ops.convert_to_tensor, data)


@pytest.fixture
def trainer() -> AdversarialTrainer:
    keras.utils.set_random_seed(0)
    trainer = AdversarialTrainer(
        PaletteNet(filters=4), discriminator=PaletteDiscriminator(filters=4), loss_weights=WEIGHTS, freeze_encoder=True
    )
    trainer.compile(keras.optimizers.Adam(1e-3, beta_1=0.5), keras.optimizers.Adam(1e-3, beta_1=0.5))
    trainer.run_eagerly = True  # tracing takes longer than the steps
    return trainer


def snapshot(model):
    return {w.path: np.array(w.value) for w in model.weights}


def changed(model, before):
    return {path for path, value in snapshot(model).items() if not np.array_equal(value, before[path])}


def test_a_step_moves_the_decoder_and_the_discriminator(trainer):
    before, d_before = snapshot(trainer.generator), snapshot(trainer.discriminator)
    logs = trainer.train_step(tensors(batch()))
    moved = changed(trainer.generator, before)
    assert any("up1" in path for path in moved)
    assert any("head_conv" in path for path in moved)
    assert not any(path.split("/")[0].startswith(("stem", "down")) for path in moved)
    assert any(path.endswith("kernel") for path in changed(trainer.discriminator, d_before))
    assert any(path.endswith("/u") for path in changed(trainer.discriminator, d_before))
    assert set(logs) == {
        "loss", "mse", "palette", "spread", "edges", "structure", "fooling", "d_loss", "d_real", "d_recolored",
        "d_recolored_own", "d_unchanged",
    }  # fmt: skip


def test_the_generators_step_leaves_the_discriminator_alone(trainer):
    before = snapshot(trainer.discriminator)
    trainer.generator_objective(*tensors(batch()))
    assert not changed(trainer.discriminator, before)


def test_the_loss_is_the_weighted_sum(trainer):
    inputs, wanted, weight = batch()
    weight[1] = 0.0  # no answer is known: the terms that need none count
    total, logs, _ = trainer.generator_objective(*tensors((inputs, wanted, weight)))
    weights = {"mse": 100, "palette": 10, "spread": 1, "edges": 2, "structure": 3, "fooling": 0.1}
    wanted = sum(weight * logs[name] for name, weight in weights.items())
    assert float(total) == pytest.approx(float(wanted), rel=1e-5)
    assert logs["palette"] != 0.0
    assert logs["structure"] != 0.0


def test_what_the_discriminator_is_shown(trainer):
    """Each kind is the picture and palette that its name says; real is never the source that a fake is made from."""
    inputs, ab, _ = tensors(batch(size=3))
    shown = trainer.judgements(inputs, ab)

    def judged(lab, palette):
        return np.asarray(trainer.discriminator({"lab": lab, "palette": palette, "mask": inputs["mask"]}))

    fake = keras.ops.concatenate([inputs["lab"][..., :1], ab], axis=-1)
    own = judged(inputs["lab"], inputs["source_palette"])
    by_hand = {
        "real": np.roll(own, 1, axis=0), "recolored": judged(fake, inputs["target_palette"]),
        "recolored_own": judged(fake, inputs["source_palette"]),
        "unchanged": judged(inputs["lab"], inputs["target_palette"]),
    }  # fmt: skip
    for kind in KINDS:
        np.testing.assert_allclose(shown[kind], by_hand[kind], atol=1e-5)
    assert np.abs(own - np.asarray(shown["real"])).max() > 1e-4


def test_accuracies_are_shares_of_right_answers(trainer):
    inputs, ab, _ = tensors(batch(size=3))
    logits = trainer.judgements(inputs, ab)
    _, logs = trainer.discriminator_objective(inputs, ab, training=False)
    assert float(logs["d_real"]) == pytest.approx(np.mean(np.asarray(logits["real"]) > 0))
    for kind in KINDS[1:]:
        assert float(logs[f"d_{kind}"]) == pytest.approx(np.mean(np.asarray(logits[kind]) < 0))


def test_fit_lowers_the_loss_and_both_networks_learn(trainer):
    tf = load("tensorflow")
    data = tf.data.Dataset.from_tensors(batch()).repeat(2)
    history = trainer.fit(data, epochs=3, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]
    assert history["d_loss"][-1] < history["d_loss"][0]


def test_without_a_discriminator():
    trainer = AdversarialTrainer(PaletteNet(filters=4))
    trainer.compile("adam")
    logs = trainer.train_step(tensors(batch()))
    assert set(logs) == {"loss", "mse"}
    with pytest.raises(ArgumentError, match="there is no `discriminator`"):
        AdversarialTrainer(PaletteNet(filters=4), loss_weights=WEIGHTS)


def test_the_target_alone():
    trainer = AdversarialTrainer(PaletteNet(filters=4, conditioning="target"), loss_weights=LossWeights(palette=1.0))
    trainer.compile("adam")
    assert np.isfinite(float(trainer.train_step(tensors(batch()))["loss"]))


def test_l2_and_dropout_take_part():
    plain, other = (AdversarialTrainer(PaletteNet(filters=4, **o)) for o in ({}, {"l2": 1e-3, "dropout": 0.5}))
    for trainer in (plain, other):
        trainer.compile("adam")
    other.generator.set_weights(plain.generator.get_weights())
    data = tensors(batch())
    assert float(other.generator_objective(*data)[0]) > float(other.generator_objective(*data)[1]["mse"])
    first, second = (np.asarray(other.generator_objective(*data)[2]) for _ in range(2))
    assert not np.array_equal(first, second)


def test_both_optimizers_survive_saving(trainer, tmp_path):
    for _ in range(2):
        trainer.train_step(tensors(batch()))
    trainer.save(tmp_path / "t.keras")
    again = keras.saving.load_model(tmp_path / "t.keras")
    assert again.terms == WEIGHTS
    for name in ("optimizer", "discriminator_optimizer"):
        ours, theirs = getattr(trainer, name), getattr(again, name)
        assert int(theirs.iterations) == 2
        for a, b in zip(ours.variables, theirs.variables, strict=True):
            np.testing.assert_allclose(np.array(a.value), np.array(b.value), atol=1e-7)
    again.run_eagerly = True
    for model in (trainer, again):
        model.train_step(tensors(batch(seed=1)))
    for a, b in zip(trainer.weights, again.weights, strict=True):
        np.testing.assert_allclose(np.array(a.value), np.array(b.value), atol=1e-6)


def test_a_discriminator_needs_its_optimizer(trainer):
    with pytest.raises(ArgumentError, match="`discriminator_optimizer` must be given"):
        trainer.compile("adam")
