"""What a run writes for people: log.csv, TensorBoard's events, preview pictures, the progress bar."""

import csv
import io
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from kpalette.errors import OutputError
from kpalette.files import read_file, write_file
from kpalette.types import ImageArray

_SILENCE = 60.0  # seconds between lines where there is no terminal to show a bar


class CsvLog:
    """log.csv: a row for each epoch, columns in the order of the first row.

    Args:
        path: of the file.
        done: epochs that a resumed run has behind it: rows beyond are dropped, an epoch without a backup is run again.
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
    """TensorBoard's events, by its own writer, which needs no TensorFlow; nothing where tensorboard is missing.

    Args:
        folder: of the event files.
        suffix: of the event file's name.
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
        """Writes a picture (H, W, 3) that is encoded already."""
        height, width = image.shape[:2]
        picture = {"height": height, "width": width, "colorspace": 3, "encoded_image_string": data}
        self._write(epoch, [{"tag": tag, "image": picture}])

    def histograms(self, tensors: Mapping[str, Any], *, epoch: int) -> None:
        """Writes how the values of tensors are spread."""
        self._write(epoch, [{"tag": name, "histo": _histogram(np.asarray(x))} for name, x in tensors.items()])

    def _write(self, epoch: int, values: list[dict[str, Any]]) -> None:
        if self.writer is None:
            return
        from tensorboard.compat.proto.summary_pb2 import Summary

        self.add(Summary(value=[Summary.Value(**value) for value in values]), epoch=epoch)

    def add(self, summary: Any, *, epoch: int = 0) -> None:
        """Writes a summary, TensorBoard's protocol buffer."""
        if self.writer is None:
            return
        from tensorboard.compat.proto.event_pb2 import Event

        self.writer.add_event(Event(wall_time=time.time(), step=epoch, summary=summary))
        self.writer.flush()

    def close(self) -> None:
        """Writes what waits."""
        if self.writer is not None:
            self.writer.close()


def _histogram(values: Any) -> dict[str, Any]:
    flat = np.asarray(values, dtype=np.float64).ravel()
    counts, edges = np.histogram(flat, bins=30)
    return {
        "min": float(flat.min()), "max": float(flat.max()), "num": float(flat.size), "sum": float(flat.sum()),
        "sum_squares": float((flat**2).sum()), "bucket_limit": edges[1:].tolist(), "bucket": counts.tolist(),
    }  # fmt: skip


class Talk:
    """Progress on standard error: a bar with images a second and time left; lines where it is no terminal.

    Args:
        steps: of an epoch.
        epochs: of the run.
        batch_size: images of a step.
        quiet: whether nothing is said.
    """

    def __init__(self, *, steps: int, epochs: int, batch_size: int, quiet: bool = False) -> None:
        """See the class."""
        self.console = Console(stderr=True, quiet=quiet, highlight=False, soft_wrap=True)
        self.bar = self.console.is_terminal and not quiet
        columns = (
            TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[speed]}"),
            TimeElapsedColumn(), TimeRemainingColumn(),
        )  # fmt: skip
        self.progress = Progress(*columns, console=self.console, transient=True, disable=not self.bar)
        self.steps, self.epochs, self.batch_size = steps, epochs, batch_size
        self.task = self.progress.add_task("", total=epochs * steps, speed="")
        self.said = time.monotonic()

    def __enter__(self) -> "Talk":
        """Shows the bar."""
        self.progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Takes the bar away."""
        self.progress.stop()

    def say(self, text: str) -> None:
        """Writes a line above the bar."""
        self.console.print(text, markup=False)

    def begin(self, epoch: int) -> None:
        """A new epoch."""
        self.epoch, self.started = epoch, time.perf_counter()

    def step(self, done: int, logs: Mapping[str, float]) -> None:
        """So many steps of the epoch are done."""
        speed = done * self.batch_size / (time.perf_counter() - self.started)
        name, text = f"epoch {self.epoch}/{self.epochs}", f"{speed:.1f} images/s  loss {logs.get('loss', 0.0):.4f}"
        completed = (self.epoch - 1) * self.steps + done
        self.progress.update(self.task, description=name, completed=completed, speed=text)
        if not self.bar and time.monotonic() - self.said > _SILENCE:
            left = (self.epochs * self.steps - completed) * self.batch_size / speed
            self.say(f"{name}: step {done}/{self.steps}  {text}  {left / 60:.0f} minutes left")
            self.said = time.monotonic()
