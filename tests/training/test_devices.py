"""Several devices do what one does; CPUs are split into logical devices for it, in processes of their own."""

import subprocess
import sys

import numpy as np

from tests.conftest import load

COMMON = """
import sys
import keras, numpy as np
CLIP = 0.1
from pathlib import Path
from dataclasses import replace
from kpalette.data.sources import open_images
from kpalette.data.samples import Sampler
from kpalette.training.config import TrainConfig
from kpalette.training.networks import build_trainer

pictures, out, devices = sys.argv[1], sys.argv[2], int(sys.argv[3])
config = TrainConfig(filters=4, crop=16, batch_size=4, devices=devices, precision="float32", unrelated=1.0)

def build():
    trainer = build_trainer(config, steps_per_epoch=3)
    # Adam would hide gradients that are summed instead of averaged; clipping must be of their sum.
    trainer.compile(keras.optimizers.SGD(0.01, global_clipnorm=CLIP))
    return trainer

sampler = Sampler.of(pictures, crop=16)
"""
TENSORFLOW = """
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from kpalette.training.tensorflow_step import TensorflowBackend as Backend
"""
JAX = """
from kpalette.training.jax_step import JaxBackend as Backend
"""
STEPS = """
backend = Backend(config, sampler, build)
stream = backend.batches(0)
losses = [float(backend.step(next(stream))["loss"]) for _ in range(3)]
backend.store()
weights = [np.asarray(v.value) for v in backend.trainer.generator.trainable_variables]
np.savez(out, losses=losses, **{f"w{i}": w for i, w in enumerate(weights)})
"""


def results(code, pictures, tmp_path, environment):
    found = []
    for devices in (1, 2):
        out = tmp_path / f"{devices}.npz"
        arguments = [sys.executable, "-c", code, str(pictures), str(out), str(devices)]
        done = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        found.append(np.load(out))
    return found


def compare(one, two):
    np.testing.assert_allclose(one["losses"], two["losses"], rtol=1e-4)
    for name in one.files:
        np.testing.assert_allclose(one[name], two[name], atol=1e-5, err_msg=name)


def test_mirrored_strategy(pictures, tmp_path, environment):
    load("tensorflow")
    compare(*results(TENSORFLOW + COMMON + STEPS, pictures, tmp_path, environment))


def test_a_whole_run_on_two(pictures, tmp_path, environment):
    load("tensorflow")
    code = (
        TENSORFLOW
        + f"""
import kpalette
for phase, start in (("pretrain", None), ("adversarial", {str(tmp_path / "pretrain")!r})):
    kpalette.train(kpalette.TrainConfig(
        phase=phase, start_from=start, images={str(pictures)!r}, run={str(tmp_path)!r} + "/" + phase, filters=4,
        crop=16, batch_size=4, steps_per_epoch=2, epochs=1, devices=2, previews=2,
    ))
"""
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert (tmp_path / "adversarial" / "best" / "config.json").exists()


def test_data_parallel(pictures, tmp_path, environment):
    load("jax")
    more = {"KERAS_BACKEND": "jax", "XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    compare(*results(COMMON + JAX + STEPS, pictures, tmp_path, {**environment, **more}))


def test_more_devices_than_there_are(pictures, environment):
    load("tensorflow")
    code = COMMON + TENSORFLOW + STEPS
    done = subprocess.run(
        [sys.executable, "-c", code, str(pictures), "x.npz", "4"], env=environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert "`devices` is 4, but TensorFlow finds" in done.stderr
