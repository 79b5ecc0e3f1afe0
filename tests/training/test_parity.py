"""Both backends take the same step: losses, gradients (by what SGD makes of them), and weights after three steps."""

import os
import subprocess
import sys

import numpy as np
import pytest

from tests.conftest import load

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

optimizer, out = sys.argv[1:]
keras.utils.set_random_seed(0)
trainer = AdversarialTrainer(PaletteNet(filters=4), discriminator=PaletteDiscriminator(filters=4), freeze_encoder=True,
                             loss_weights=LossWeights(mse=100.0, palette=20.0, spread=1.0, edges=2.0, structure=2.0,
                                                      adversarial=0.1))
makers = {
    "sgd": lambda: keras.optimizers.SGD(0.05, global_clipnorm=1.0),
    "adam": lambda: keras.optimizers.Adam(
        keras.optimizers.schedules.CosineDecay(1e-3, 5), beta_1=0.5, global_clipnorm=1.0, use_ema=True, ema_momentum=0.9
    ),
}
trainer.compile(makers[optimizer](), makers[optimizer]())
first = make_pair(draw(), hue_rows=2, teach=False)
if keras.backend.backend() == "tensorflow":
    from kpalette.training.tensorflow_step import make_stepper
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
for key, part in (("g", trainer.generator), ("d", trainer.discriminator), ("go", trainer.optimizer),
                  ("do", trainer.discriminator_optimizer)):
    weights = part.variables
    for i, variable in enumerate(weights):
        found[f"{key} {i}"] = np.asarray(variable.value)
np.savez(out, **found)
"""


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_three_steps(tmp_path, optimizer):
    for backend in ("tensorflow", "jax"):
        environment = {**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": os.getcwd(), "JAX_PLATFORMS": "cpu"}
        arguments = [sys.executable, "-c", STEPS, optimizer, str(tmp_path / f"{backend}.npz")]
        done = subprocess.run(arguments, check=False, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]
    ours, theirs = (np.load(tmp_path / f"{backend}.npz") for backend in ("tensorflow", "jax"))
    assert sorted(ours.files) == sorted(theirs.files)
    assert len([name for name in ours.files if name.startswith("loss")]) == 3 * 12
    for name in ours.files:
        np.testing.assert_allclose(ours[name], theirs[name], atol=1e-4, rtol=1e-4, err_msg=name)
