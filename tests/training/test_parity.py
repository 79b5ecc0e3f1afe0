"""Both backends take the same step: losses, gradients (by what SGD makes of them), and weights after three steps."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import load, shared_folder

load("tensorflow"), load("jax")

STEPS = """
import sys
import keras, numpy as np
from kpalette.data.pairs import make_pair
from kpalette.training.losses import LossWeights
from kpalette.models.discriminator import PaletteDiscriminator
from kpalette.models.generator import PaletteNet
from kpalette.training.adversarial import AdversarialTrainer
from tests.data.test_pairs import draw

makers = {
    "sgd": lambda: keras.optimizers.SGD(0.05, global_clipnorm=1.0),
    "adam": lambda: keras.optimizers.Adam(
        keras.optimizers.schedules.CosineDecay(1e-3, 5), beta_1=0.5, global_clipnorm=1.0, use_ema=True, ema_momentum=0.9
    ),
}
first = keras.tree.map_structure(keras.ops.convert_to_tensor, make_pair(draw(), hue_rows=2, teach=False))

def take(trainer):
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf
        from kpalette.training.tensorflow_step import make_stepper
        # For three steps, tracing takes longer than they do: it is seen with one optimizer.
        tf.config.run_functions_eagerly(not trainer.optimizer.use_ema)
        step = make_stepper(trainer, hue_rows=2, teach=False)
    else:
        from kpalette.training.jax_step import Stepper
        step = Stepper(trainer, hue_rows=2, teach=False)
    found = {}
    for i in range(3):
        for name, value in step(first).items():
            found[f"loss {i} {name}"] = np.asarray(value)
    if hasattr(step, "store"):
        step.store()
    return found

for optimizer, make in makers.items():
    keras.utils.set_random_seed(0)
    weights = LossWeights(mse=100.0, palette=20.0, spread=1.0, edges=2.0, structure=2.0, adversarial=0.1)
    trainer = AdversarialTrainer(
        PaletteNet(filters=4), discriminator=PaletteDiscriminator(filters=4), freeze_encoder=True, loss_weights=weights
    )
    trainer.compile(make(), make())
    found = take(trainer)
    for key, part in (("g", trainer.generator), ("d", trainer.discriminator), ("go", trainer.optimizer),
                      ("do", trainer.discriminator_optimizer)):
        for i, variable in enumerate(part.variables):
            found[f"{key} {i}"] = np.asarray(variable.value)
    np.savez(f"{sys.argv[1]}/{optimizer}.npz", **found)
"""


@pytest.fixture(scope="session")
def steps(environment, on_jax, tmp_path_factory) -> Path:
    """A folder for each backend, with the steps of both optimizers."""

    def make(folder: Path) -> None:
        for backend, own in (("tensorflow", environment), ("jax", on_jax)):
            (folder / backend).mkdir(parents=True)
            arguments = [sys.executable, "-c", STEPS, str(folder / backend)]
            own = {**own, "KERAS_BACKEND": backend}
            done = subprocess.run(arguments, check=False, env=own, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr[-2000:]

    return shared_folder(tmp_path_factory, "steps", make)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_three_steps(steps, optimizer):
    ours, theirs = (np.load(steps / backend / f"{optimizer}.npz") for backend in ("tensorflow", "jax"))
    assert sorted(ours.files) == sorted(theirs.files)
    assert len([name for name in ours.files if name.startswith("loss")]) == 3 * 12
    for name in ours.files:
        np.testing.assert_allclose(ours[name], theirs[name], atol=1e-4, rtol=1e-4, err_msg=name)
