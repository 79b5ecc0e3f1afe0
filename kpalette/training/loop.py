"""The training loop of one phase: epochs, validation, best weights, backups."""

import math
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import keras
import numpy as np

from kpalette.data.samples import Sampler
from kpalette.errors import ArgumentError, KPaletteError
from kpalette.files import restore_folder
from kpalette.models.checkpoint import save_checkpoint
from kpalette.training.backup import BACKUP, Tensors, read_backup, restore_trainer, trainer_tensors, write_backup
from kpalette.training.config import TrainConfig
from kpalette.training.logs import CsvLog, EventLog, TrainingProgress
from kpalette.training.networks import averaged_weights, build_trainer, judge, load_start, sharpen_choice
from kpalette.training.previews import preview
from kpalette.training.scores import Best
from kpalette.training.validation import validate
from kpalette.types import ImageArray
from kpalette.weights.config import BEST

_CHECK_EVERY = 20  # steps between reading the loss, which waits for the device
_VALIDATION_ROWS = 16
_HISTOGRAM_EVERY = 10  # epochs between histograms of the weights


class Backend(Protocol):
    """The part of training that depends on the framework.

    Example:
        >>> losses = backend.step(next(backend.batches(0)))  # doctest: +SKIP
        >>> backend.store()  # doctest: +SKIP
    """

    trainer: Any

    def batches(self, start: int) -> Iterator[Any]:
        """The endless stream of batches from batch `start` on."""

    def step(self, batch: Any) -> dict[str, Any]:
        """Makes one step; returns the terms of the losses by name."""

    def predict(self, inputs: dict[str, Any]) -> Any:
        """The generator's ab as a NumPy array, computed with Keras' variables."""

    def store(self) -> None:
        """Copies the framework's state into Keras' variables."""

    def reload(self) -> None:
        """Copies Keras' variables into the framework's state."""


class Run:
    """One phase of a training run, with its networks, logs and state.

    Args:
        config: options of the phase; its folder exists.
        training: draws the training samples.
        selection: holds the pictures that choose the best weights.
        progress: shows how far the phase is.

    Example:
        >>> run = Run(config, training, selection, progress=progress)  # doctest: +SKIP
        >>> best = run.train()  # doctest: +SKIP
    """

    def __init__(
        self, config: TrainConfig, training: Sampler, selection: Sampler, *, progress: TrainingProgress
    ) -> None:
        """See the class."""
        self.config, self.selection, self.progress = config, selection, progress
        self.steps = steps_per_epoch(config, training)
        self.backend = _backend()(config, training, partial(build_trainer, config, steps_per_epoch=self.steps))
        self.trainer = self.backend.trainer
        self.best = Best(config.phase)
        self.data = [training.digest, selection.digest]
        self.done = self._restore()
        self.log = CsvLog(config.folder / "log.csv", done=self.done)
        self.events = EventLog(config.folder / "tensorboard")

    def _restore(self) -> int:
        restore_folder(self.config.folder / BEST)
        empty: tuple[int, Tensors, dict[str, Any], list[str]] = (0, {}, {}, [])
        done, tensors, notes, skipped = read_backup(self.config.folder / BACKUP) if self.config.resume else empty
        for line in skipped:
            self.progress.say(f"{line}: using the one before")
        if done:
            if notes["data"] != self.data:
                raise ArgumentError(
                    f"the pictures of the run in {self.config.folder} have changed since epoch {done}: restore the "
                    "pictures that it began with, or start anew in another folder"
                )
            restore_trainer(self.trainer, tensors)
            self.best.restore(notes["best"])
            self.progress.say(f"going on after epoch {done}")
        else:
            load_start(self.trainer, self.config)
        self.backend.reload()
        return done

    def train(self) -> Path:
        """Trains the epochs that are left; returns the folder of the best weights."""
        epochs, folder = int(self.config.epochs or 0), self.config.folder
        if self.done == 0:
            if self.config.phase == "adversarial":
                self._validate(0, {})  # the figures of phase 1, which phase 2 must improve on
            sharpen_choice(self.trainer.generator, float(self.config.sharpen or 0))
            self.backend.reload()
        stream = self.backend.batches(self.done * self.steps) if self.done < epochs else iter(())
        for epoch in range(self.done + 1, epochs + 1):
            if self.best.should_stop(epoch - 1, int(self.config.patience or 0)):
                self.progress.say(f"no better for {self.config.patience} epochs: stopped after epoch {epoch - 1}")
                break
            started = time.perf_counter()
            logs = self._train_epoch(epoch, stream)
            logs["images_per_s"] = self.steps * self.config.batch_size / (time.perf_counter() - started)
            self._validate(epoch, logs)
            notes = {"best": self.best.notes(), "data": self.data}
            write_backup(folder / BACKUP, epoch=epoch, tensors=trainer_tensors(self.trainer), notes=notes)
        self.events.close()
        self.progress.say(self.best.summary(folder / BEST))
        return folder / BEST

    def _train_epoch(self, epoch: int, stream: Iterator[Any]) -> dict[str, float]:
        """Trains an epoch; returns the mean of each term of the losses."""
        self.progress.begin_epoch(epoch)
        sums: dict[str, float] = {}
        waiting: list[dict[str, Any]] = []
        for step in range(1, self.steps + 1):
            waiting.append(self.backend.step(next(stream)))
            if len(waiting) == _CHECK_EVERY or step == self.steps:
                for logs in waiting:
                    values = {name: float(value) for name, value in logs.items()}
                    sums = {name: sums.get(name, 0.0) + value for name, value in values.items()}
                waiting = []
                self._check_finite(values, epoch, step)
                self.progress.update(step, values)
        self.backend.store()
        return {name: total / self.steps for name, total in sums.items()}

    def _check_finite(self, logs: dict[str, float], epoch: int, step: int) -> None:
        for name, value in logs.items():
            if not math.isfinite(value):
                kept = [f"epoch {epoch - 1} in {self.config.folder / BACKUP}"] if epoch > 1 else []
                kept += [f"the best so far in {self.config.folder / BEST}"] if self.best.found else []
                raise KPaletteError(
                    f"`{name}` became {value} at epoch {epoch}, step {step}: lower `learning_rate`, or keep `clip` "
                    f"above 0; saved weights: {' and '.join(kept) or 'none'}"
                )

    def _validate(self, epoch: int, logs: dict[str, float]) -> None:
        """Validates the averaged weights, saves them if they are the best so far, and writes the logs."""
        judging = partial(judge, self.trainer) if self.trainer.discriminator is not None else None
        with averaged_weights(self.trainer):
            found = validate(self.selection, self.backend.predict, batch_size=_VALIDATION_ROWS, judge=judging)
            self._check_finite(found, epoch, self.steps)
            better = self.best.update(epoch, found)
            if better:
                self._save_best(epoch, found)
            picture, data = preview(self.selection, self.backend.predict, count=self.config.previews)
            if epoch % _HISTOGRAM_EVERY == 0:
                weights = {w.path: np.asarray(w.value) for w in self.trainer.generator.trainable_variables}
                self.events.histograms(weights, epoch=epoch)
        row = {"epoch": epoch, **logs, **found, "learning_rate": self._learning_rate()}
        self._write_logs(epoch, row, picture, data)
        self.progress.say(_line(epoch, row, better))

    def _learning_rate(self) -> float:
        return float(keras.ops.convert_to_numpy(self.trainer.optimizer.learning_rate))

    def _write_logs(self, epoch: int, row: dict[str, float], picture: ImageArray, data: bytes) -> None:
        folder = self.config.folder / "previews"
        folder.mkdir(exist_ok=True)
        (folder / f"epoch-{epoch:04d}.png").write_bytes(data)
        self.log.add({name: f"{value:.8g}" for name, value in row.items()})
        self.events.scalars({name: value for name, value in row.items() if name != "epoch"}, epoch=epoch)
        self.events.image("preview", picture, data, epoch=epoch)

    def _save_best(self, epoch: int, found: dict[str, float]) -> None:
        metrics = {"epoch": epoch, "samples": epoch * self.steps * self.config.batch_size, **found}
        save_checkpoint(self.trainer.generator, self.config.folder / BEST, metrics=metrics, half=False, overwrite=True)


def steps_per_epoch(config: TrainConfig, training: Sampler) -> int:
    """The number of steps between validations, as given or for one pass over the pictures."""
    return config.steps_per_epoch or max(1, len(training.images) // config.batch_size)


def _line(epoch: int, row: dict[str, float], better: bool) -> str:
    names = {
        "loss": "loss", "val_ab_error": "ab_error", "val_ab_error_unrelated": "unrelated", "val_ssim": "ssim",
        "val_palette_de_ab": "palette_de_ab", "val_richness": "richness", "images_per_s": "images/s",
    }  # fmt: skip
    parts = [f"{label} {row[name]:.4g}" for name, label in names.items() if name in row]
    return f"epoch {epoch}: {'  '.join(parts)}{'  (best)' if better else ''}"


def _backend() -> Any:
    name = keras.backend.backend()
    if name == "tensorflow":
        from kpalette.training.tensorflow_step import TensorflowBackend

        return TensorflowBackend
    if name == "jax":
        from kpalette.training.jax_step import JaxBackend

        return JaxBackend
    raise ArgumentError(f"training runs on the Keras backends tensorflow and jax. Received: KERAS_BACKEND={name}")
