"""Several devices do what one does; CPUs are split into logical devices for it, in processes of their own."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import load, shared_folder

STEPS = """
import sys, traceback
import keras, numpy as np
import kpalette
from kpalette.data.samples import Sampler
from kpalette.training.config import TrainConfig
from kpalette.training.networks import build_trainer

pictures, out = sys.argv[1:]
sampler = Sampler.of(pictures, crop=16)

def compile(config):
    trainer = build_trainer(config, steps_per_epoch=3)
    # Adam would hide gradients that are summed instead of averaged; clipping must be of their sum.
    trainer.compile(keras.optimizers.SGD(0.01, global_clipnorm=0.1))
    return trainer

def backend(devices):
    config = TrainConfig(filters=4, crop=16, batch_size=4, devices=devices, precision="float32", unrelated=1.0)
    return Backend(config, sampler, lambda: compile(config))

def steps(devices):
    found = backend(devices)
    stream = found.batches(0)
    losses = [float(found.step(next(stream))["loss"]) for _ in range(3)]
    found.store()
    weights = [np.asarray(v.value) for v in found.trainer.generator.trainable_variables]
    np.savez(f"{out}/{devices}.npz", losses=losses, **{f"w{i}": w for i, w in enumerate(weights)})

def phase(name, start, devices):
    kpalette.train(kpalette.TrainConfig(
        phase=name, start_from=start, images=pictures, run=f"{out}/{name}", filters=4, crop=16, batch_size=4,
        steps_per_epoch=1, epochs=1, devices=devices, previews=2,
    ))

def tell(function, *arguments):
    try:
        function(*arguments)
    except Exception:
        print(traceback.format_exc())
"""
TENSORFLOW = """
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from kpalette.training.tensorflow_step import TensorflowBackend as Backend
tell(steps, 2), tell(backend, 4)
# Tracing takes longer than the steps: what two devices do is traced once.
tf.config.run_functions_eagerly(True)
tell(steps, 1), tell(phase, "pretrain", None, 2), tell(phase, "adversarial", f"{out}/pretrain", 2)
"""
JAX = """
from kpalette.training.jax_step import JaxBackend as Backend
tell(steps, 1), tell(steps, 2)
"""


def run(code: str, pictures: Path, folder: Path, environment: dict[str, str]) -> None:
    folder.mkdir()
    arguments = [sys.executable, "-c", code, str(pictures), str(folder)]
    done = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=False)
    (folder / "told.txt").write_text(done.stdout + done.stderr)


@pytest.fixture(scope="session")
def on_tensorflow(pictures, environment, tmp_path_factory) -> Path:
    """What one process left that took steps on one device and on two, asked for four, and trained on two."""
    load("tensorflow")
    return shared_folder(
        tmp_path_factory, "devices", lambda folder: run(STEPS + TENSORFLOW, pictures, folder, environment)
    )


def compare(folder: Path) -> None:
    told = (folder / "told.txt").read_text()[-2000:]
    assert {"1.npz", "2.npz"} <= set(os.listdir(folder)), told
    one, two = (np.load(folder / f"{devices}.npz") for devices in (1, 2))
    np.testing.assert_allclose(one["losses"], two["losses"], rtol=1e-4)
    for name in one.files:
        np.testing.assert_allclose(one[name], two[name], atol=1e-5, err_msg=name)


def test_mirrored_strategy(on_tensorflow):
    compare(on_tensorflow)


def test_a_whole_run_on_two(on_tensorflow):
    assert (on_tensorflow / "adversarial" / "best" / "config.json").exists(), (on_tensorflow / "told.txt").read_text()


def test_data_parallel(pictures, tmp_path, on_jax):
    load("jax")
    flags = f"{on_jax.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=2"
    run(STEPS + JAX, pictures, tmp_path / "jax", {**on_jax, "KERAS_BACKEND": "jax", "XLA_FLAGS": flags})
    compare(tmp_path / "jax")


def test_more_devices_than_there_are(on_tensorflow):
    assert "`devices` is 4, but TensorFlow finds" in (on_tensorflow / "told.txt").read_text()
