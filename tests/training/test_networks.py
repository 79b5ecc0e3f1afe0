import numpy as np
import pytest

from kpalette.errors import ArgumentError
from kpalette.training.config import TrainConfig
from tests.conftest import load

keras = load("keras")
if keras.backend.backend() not in ("tensorflow", "jax"):
    pytest.skip("training runs on TensorFlow and JAX", allow_module_level=True)

from kpalette.models.checkpoint import save_checkpoint  # noqa: E402
from kpalette.models.generator import PaletteNet  # noqa: E402
from kpalette.models.variables import tensors_of  # noqa: E402
from kpalette.training.networks import build_trainer, load_start, sharpen_choice  # noqa: E402


def test_a_start_may_be_sharpened_and_smoothed(tmp_path):
    save_checkpoint(PaletteNet(filters=1, smooth=False), tmp_path / "one")
    weights = {}
    for sharpen in (0.0, 0.5):
        config = TrainConfig(filters=1, start_from=str(tmp_path / "one"), sharpen=sharpen)
        trainer = build_trainer(config, steps_per_epoch=1)
        load_start(trainer, config)
        sharpen_choice(trainer.generator, config.sharpen)
        assert trainer.generator.smooth
        weights[sharpen] = tensors_of(trainer.generator)
    changed = {name for name, value in weights[0.0].items() if not np.array_equal(value, weights[0.5][name])}
    (name,) = changed
    assert name == "head_choice/sharpness/bias"
    np.testing.assert_allclose(weights[0.5][name], weights[0.0][name] + 0.5)


def test_what_has_no_choice_cannot_be_sharpened():
    with pytest.raises(ArgumentError, match="`sharpen` is for the choice among pairs"):
        TrainConfig(conditioning="target", sharpen=0.5)
