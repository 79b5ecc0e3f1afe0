"""Logs of a training run: log.csv, TensorBoard's events, and progress on standard error."""

import csv
import io
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from kpalette.errors import OutputError
from kpalette.files import read_file, write_file
from kpalette.report.progress import ProgressBar, duration
from kpalette.types import ImageArray

_INTERVAL = 60.0  # seconds between lines where there is no terminal


class CsvLog:
    """log.csv: a row for each epoch, columns in the order of the first row.

    Args:
        path: the file.
        done: epochs that a resumed run has done. Later rows are dropped: an epoch without a backup is run again.

    Example:
        >>> CsvLog(Path("log.csv")).add({"epoch": 1, "loss": 0.5})
        >>> print(Path("log.csv").read_text())
        epoch,loss
        1,0.5
    """

    def __init__(self, path: Path, *, done: int = 0) -> None:
        """See the class."""
        self.path = path
        self.rows: list[dict[str, Any]] = []
        if done and path.is_file():
            text = read_file(path, error=OutputError, what="log.csv").decode()
            self.rows = [dict(row) for row in csv.DictReader(io.StringIO(text)) if int(row["epoch"]) <= done]

    def add(self, row: Mapping[str, Any]) -> None:
        """Adds a row and writes the file."""
        self.rows.append(dict(row))
        columns = list(dict.fromkeys(name for each in self.rows for name in each))
        stream = io.StringIO()
        writer = csv.DictWriter(stream, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        write_file(self.path, stream.getvalue().encode(), overwrite=True)


class EventLog:
    """TensorBoard's event files. Writes nothing if tensorboard is not installed; TensorFlow is not needed.

    Args:
        folder: where the event files go.
        suffix: end of the event file's name.

    Example:
        >>> log = EventLog(Path("tensorboard"))
        >>> log.scalars({"loss": 0.5}, epoch=1)
        >>> log.close()
    """

    def __init__(self, folder: Path, *, suffix: str = "") -> None:
        """See the class."""
        self.writer: Any = None
        try:
            from tensorboard.summary.writer.event_file_writer import EventFileWriter
        except ImportError:
            return
        self.writer = EventFileWriter(str(folder), filename_suffix=suffix)

    def scalars(self, values: Mapping[str, Any], *, epoch: int) -> None:
        """Writes numbers by name."""
        self._write(epoch, [{"tag": name, "simple_value": float(value)} for name, value in values.items()])

    def image(self, tag: str, image: ImageArray, data: bytes, *, epoch: int) -> None:
        """Writes a picture, uint8 (H, W, 3); `data` is the same picture as PNG."""
        height, width = image.shape[:2]
        picture = {"height": height, "width": width, "colorspace": 3, "encoded_image_string": data}
        self._write(epoch, [{"tag": tag, "image": picture}])

    def histograms(self, tensors: Mapping[str, Any], *, epoch: int) -> None:
        """Writes histograms of tensors by name."""
        self._write(epoch, [{"tag": name, "histo": _histogram(np.asarray(x))} for name, x in tensors.items()])

    def _write(self, epoch: int, values: list[dict[str, Any]]) -> None:
        if self.writer is None:
            return
        from tensorboard.compat.proto.summary_pb2 import Summary

        self.add(Summary(value=[Summary.Value(**value) for value in values]), epoch=epoch)

    def add(self, summary: Any, *, epoch: int = 0) -> None:
        """Writes a summary, a protocol buffer of TensorBoard's."""
        if self.writer is None:
            return
        from tensorboard.compat.proto.event_pb2 import Event

        self.writer.add_event(Event(wall_time=time.time(), step=epoch, summary=summary))
        self.writer.flush()

    def close(self) -> None:
        """Writes buffered events and closes the file."""
        if self.writer is not None:
            self.writer.close()


def _histogram(values: Any) -> dict[str, Any]:
    flat = np.asarray(values, dtype=np.float64).ravel()
    counts, edges = np.histogram(flat, bins=30)
    return {
        "min": float(flat.min()), "max": float(flat.max()), "num": float(flat.size), "sum": float(flat.sum()),
        "sum_squares": float((flat**2).sum()), "bucket_limit": edges[1:].tolist(), "bucket": counts.tolist(),
    }  # fmt: skip


class TrainingProgress:
    """Progress of a run on standard error: a bar over the epochs of all phases, with images per second and loss.

    Args:
        epochs: number of epochs of each phase.
        steps: steps of an epoch.
        batch_size: images of a step.
        quiet: whether to print nothing.

    Example:
        >>> with TrainingProgress([1, 2], steps=10, batch_size=8, quiet=True) as progress:
        ...     progress.begin_phase(1)
        ...     progress.begin_epoch(1)
        ...     progress.update(5, {"loss": 0.5})
    """

    def __init__(self, epochs: Sequence[int], *, steps: int, batch_size: int, quiet: bool = False) -> None:
        """See the class."""
        self.epochs, self.steps, self.batch_size = epochs, steps, batch_size
        self.bar = ProgressBar(total=sum(epochs) * steps, interval=_INTERVAL, quiet=quiet)
        self.number = 0

    def __enter__(self) -> "TrainingProgress":
        """Progress itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends the bar."""
        self.bar.__exit__(kind, error, trace)

    def begin_phase(self, number: int) -> None:
        """Starts a phase, counted from 0."""
        self.number = number

    def begin_epoch(self, epoch: int) -> None:
        """Starts an epoch of the phase, counted from 1."""
        self.epoch, self.started = epoch, time.perf_counter()

    def say(self, text: str) -> None:
        """Prints a line above the bar; it names the phase if the run has two."""
        self.bar.say(f"{self._phase}{text}")

    def update(self, step: int, logs: Mapping[str, float]) -> None:
        """Shows that so many steps of the epoch are done, with the speed and the loss."""
        speed = step * self.batch_size / (time.perf_counter() - self.started)
        name = f"{self._phase}epoch {self.epoch}/{self.epochs[self.number]}"
        text = f"{speed:.1f} images/s  loss {logs.get('loss', 0.0):.4f}"
        done = (sum(self.epochs[: self.number]) + self.epoch - 1) * self.steps + step
        left = duration((sum(self.epochs) * self.steps - done) * self.batch_size / speed)
        line = f"{name}: step {step}/{self.steps}  {text}  {left} left"
        self.bar.update(done, note=f"{name}  {text}", line=line)

    @property
    def _phase(self) -> str:
        return f"phase {self.number + 1}: " if len(self.epochs) > 1 else ""
