"""The loop behind `kpalette.train`: epochs, validation, what is kept, and how a killed run goes on."""

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
from kpalette.files import PART_PREFIX
from kpalette.models.checkpoint import save_checkpoint
from kpalette.training.backup import Tensors, read_backup, restore_trainer, trainer_tensors, write_backup
from kpalette.training.config import TrainConfig
from kpalette.training.logs import CsvLog, EventLog, Talk
from kpalette.training.networks import averaged_weights, build_trainer, judge, load_start, sharpen_choice
from kpalette.training.previews import preview
from kpalette.training.scores import Best
from kpalette.training.validation import validate
from kpalette.weights.config import BEST

_LOOK = 20  # steps between looks at the loss: each waits for the device
_VALIDATION_ROWS = 16
_HISTOGRAMS = 10  # epochs between histograms of the weights


class Backend(Protocol):
    """What a framework does for a run."""

    trainer: Any

    def batches(self, start: int) -> Iterator[Any]:
        """The stream from batch `start` on, endless."""

    def step(self, batch: Any) -> dict[str, Any]:
        """One step; the terms of the losses by name."""

    def predict(self, inputs: dict[str, Any]) -> Any:
        """The generator's ab as NumPy, by Keras' variables as they are."""

    def store(self) -> None:
        """Brings Keras' variables up to date."""

    def reload(self) -> None:
        """Takes Keras' variables as they are now."""


class Run:
    """A run that is ready: its data, its networks, where it stands.

    Args:
        config: of the run, as its config.json says.
        training: draws the training samples.
        selection: holds the pictures that choose the best weights.
        quiet: whether nothing is said.
    """

    def __init__(self, config: TrainConfig, training: Sampler, selection: Sampler, *, quiet: bool = False) -> None:
        """See the class."""
        self.config, self.selection = config, selection
        self.steps = config.steps_per_epoch or max(1, len(training.images) // config.batch_size)
        self.backend = _backend()(config, training, partial(build_trainer, config, steps_per_epoch=self.steps))
        self.trainer = self.backend.trainer
        self.talk = Talk(steps=self.steps, epochs=int(config.epochs or 0), batch_size=config.batch_size, quiet=quiet)
        self.best = Best(config.phase)
        self.data = [training.digest, selection.digest]
        self.done = self._restore()
        self.log = CsvLog(config.folder / "log.csv", done=self.done)
        self.events = EventLog(config.folder / "tensorboard")

    def _restore(self) -> int:
        bring_back(self.config.folder)
        empty: tuple[int, Tensors, dict[str, Any], list[str]] = (0, {}, {}, [])
        done, tensors, notes, passed = read_backup(self.config.folder / "backup") if self.config.resume else empty
        for line in passed:
            self.talk.say(f"{line}: going on from the one before")
        if done:
            if notes["data"] != self.data:
                raise ArgumentError(
                    f"the pictures of the run in {self.config.folder} have changed since epoch {done}: bring back "
                    "those that it began with, or start anew in another folder"
                )
            restore_trainer(self.trainer, tensors)
            self.best.restore(notes["best"])
            self.talk.say(f"going on after epoch {done}")
        else:
            load_start(self.trainer, self.config)
        self.backend.reload()
        return done

    def train(self) -> Path:
        """Runs the epochs that are left; returns the folder of the best weights."""
        epochs = int(self.config.epochs or 0)
        with self.talk:
            if self.done == 0:
                if self.config.phase == "adversarial":
                    self._judge_epoch(0, {})  # what phase 1 is worth, which phase 2 must better
                sharpen_choice(self.trainer.generator, float(self.config.sharpen or 0))
                self.backend.reload()
            stream = self.backend.batches(self.done * self.steps) if self.done < epochs else iter(())
            for epoch in range(self.done + 1, epochs + 1):
                if self.best.tired(epoch - 1, int(self.config.patience or 0)):
                    self.talk.say(f"no better for {self.config.patience} epochs: stopped after epoch {epoch - 1}")
                    break
                started = time.perf_counter()
                logs = self._epoch(epoch, stream)
                logs["images_per_s"] = self.steps * self.config.batch_size / (time.perf_counter() - started)
                self._judge_epoch(epoch, logs)
                notes = {"best": self.best.notes(), "data": self.data}
                write_backup(
                    self.config.folder / "backup", epoch=epoch, tensors=trainer_tensors(self.trainer), notes=notes
                )
        self.events.close()
        self.talk.say(self.best.verdict(self.config.folder / BEST))
        return self.config.folder / BEST

    def _epoch(self, epoch: int, stream: Iterator[Any]) -> dict[str, float]:
        """Means of the terms of the losses over an epoch."""
        self.talk.begin(epoch)
        sums: dict[str, float] = {}
        waiting: list[dict[str, Any]] = []
        for step in range(1, self.steps + 1):
            waiting.append(self.backend.step(next(stream)))
            if len(waiting) == _LOOK or step == self.steps:
                for logs in waiting:
                    values = {name: float(value) for name, value in logs.items()}
                    sums = {name: sums.get(name, 0.0) + value for name, value in values.items()}
                waiting = []
                self._check(values, epoch, step)
                self.talk.step(step, values)
        self.backend.store()
        return {name: total / self.steps for name, total in sums.items()}

    def _check(self, logs: dict[str, float], epoch: int, step: int) -> None:
        for name, value in logs.items():
            if not math.isfinite(value):
                kept = [f"epoch {epoch - 1} in {self.config.folder / 'backup'}"] if epoch > 1 else []
                kept += [f"the best so far in {self.config.folder / BEST}"] if self.best.found else []
                raise KPaletteError(
                    f"`{name}` became {value} at epoch {epoch}, step {step}: lower --learning-rate, or keep --clip "
                    f"above 0; weights that are kept: {' and '.join(kept) or 'none'}"
                )

    def _judge_epoch(self, epoch: int, logs: dict[str, float]) -> None:
        """Validates the averaged weights, writes logs, and keeps them where they are the best so far."""
        judging = partial(judge, self.trainer) if self.trainer.discriminator is not None else None
        with averaged_weights(self.trainer):
            found = validate(self.selection, self.backend.predict, batch_size=_VALIDATION_ROWS, judge=judging)
            self._check(found, epoch, self.steps)
            better = self.best.take(epoch, found)
            if better:
                self._keep(epoch, found)
            picture, data = preview(self.selection, self.backend.predict, count=self.config.previews)
            if epoch % _HISTOGRAMS == 0:
                weights = {w.path: np.asarray(w.value) for w in self.trainer.generator.trainable_variables}
                self.events.histograms(weights, epoch=epoch)
        folder = self.config.folder / "previews"
        folder.mkdir(exist_ok=True)
        (folder / f"epoch-{epoch:04d}.png").write_bytes(data)
        rate = float(keras.ops.convert_to_numpy(self.trainer.optimizer.learning_rate))
        row = {"epoch": epoch, **logs, **found, "learning_rate": rate}
        self.log.add({name: f"{value:.8g}" for name, value in row.items()})
        self.events.scalars({name: value for name, value in row.items() if name != "epoch"}, epoch=epoch)
        self.events.image("preview", picture, data, epoch=epoch)
        self.talk.say(_line(epoch, row, better))

    def _keep(self, epoch: int, found: dict[str, float]) -> None:
        metrics = {"epoch": epoch, "samples": epoch * self.steps * self.config.batch_size, **found}
        save_checkpoint(self.trainer.generator, self.config.folder / BEST, metrics=metrics, half=False, overwrite=True)


def bring_back(folder: Path) -> None:
    """Gives a run's best/ its name again, where a run was killed between the two renames that replace it."""
    aside = sorted(folder.glob(f"{PART_PREFIX}*-old"))
    if aside and not (folder / BEST).exists():
        aside[-1].rename(folder / BEST)


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
