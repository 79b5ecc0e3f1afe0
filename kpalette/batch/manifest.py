"""The manifest of a batch: a file beside its results that records what was done, so that the batch can be resumed.

It has one JSON object a line. The first line of a batch holds its settings; the others are entries, each for one state
of one picture:

    {"run": digest of the settings, "state": "started", "done" or "failed",
     "source": absolute path, "destination": path from the manifest's folder, "stamp": [size, time] of the source,
     "result": path of the file that was written, "written": [size, time] of that file, "error": message}

The last entry of a picture counts. Lines are only appended: a batch that is killed damages at most its last line, and
the pictures that it was working on have the state "started". A resumed batch does

- nothing, if the entry is "done", and source and result are unchanged since;
- the job again, and may replace the result, if the result is unchanged since the batch wrote it;
- the job again, and keeps the result if it has the right content, if the entry is "started".
"""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kpalette.errors import OutputError, reason

MANIFEST_NAME = ".kpalette-batch.jsonl"
DONE, STARTED, FAILED = "done", "started", "failed"


class Manifest:
    """The record of a batch; see the head of this module.

    Args:
        folder: the folder of the results, where the file is.
        settings: everything that the results depend on except their sources. Entries of other settings are ignored.

    Example:
        >>> manifest = Manifest(".", {"seed": 0})
        >>> manifest.add(DONE, source="photo.jpg", destination="photo.jpg", result="photo.jpg")
        >>> manifest.is_done("photo.jpg", "photo.jpg")
        True
    """

    def __init__(self, folder: str | os.PathLike[str], settings: Mapping[str, Any]) -> None:
        """See the class."""
        self.path = Path(folder) / MANIFEST_NAME
        text = json.dumps(settings, sort_keys=True)
        self._run = hashlib.sha256(text.encode()).hexdigest()[:16]
        self._settings = dict(settings)
        self._entries: dict[str, dict[str, Any]] = {}
        self._stamps: dict[str, list[int] | None] = {}
        self._opened = False
        self._new = False

    def read(self) -> None:
        """Reads the entries of earlier batches. Damaged lines are skipped.

        Raises:
            OutputError: if the file exists and cannot be read.
        """
        try:
            lines = self.path.read_text(encoding="utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            return
        except OSError as error:
            raise OutputError(f"cannot read {self.path}: {reason(error)}") from None
        for line in lines:
            try:
                entry = json.loads(line)
                if entry["run"] == self._run and entry.get("state"):
                    self._entries[str(entry["source"])] = entry
            except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
                continue

    def is_done(self, source: str, destination: str) -> bool:
        """Whether the result is done: source and result are unchanged since."""
        entry = self._entry(source, destination)
        return (
            entry is not None
            and entry["state"] == DONE
            and self._is_own(entry)
            and entry.get("stamp") == _stamp(source)
        )

    def may_replace(self, source: str, destination: str) -> bool:
        """Whether the result may be replaced: the batch wrote it, and it is unchanged since."""
        entry = self._entry(source, destination)
        return entry is not None and self._is_own(entry)

    def was_begun(self, source: str, destination: str) -> bool:
        """Whether the batch stopped during this job."""
        entry = self._entry(source, destination)
        return entry is not None and entry["state"] == STARTED

    def _entry(self, source: str, destination: str) -> dict[str, Any] | None:
        """The entry of a picture; None if there is none for this destination."""
        entry = self._entries.get(os.path.abspath(source))
        if entry is None or not destination or entry.get("destination") != self._relative(destination):
            return None
        return entry

    def _is_own(self, entry: dict[str, Any]) -> bool:
        """Whether the result of an entry is unchanged since the batch wrote it."""
        if not isinstance(entry.get("result"), str):
            return False
        written = _stamp(os.path.join(self.path.parent, entry["result"]))
        return written is not None and written == entry.get("written")

    def _relative(self, path: str) -> str:
        """The path from the manifest's folder, so that the folder may be moved."""
        return os.path.relpath(path, self.path.parent)

    def add(
        self, state: str, *, source: str, destination: str, result: str | None = None, error: str | None = None
    ) -> None:
        """Appends an entry.

        Args:
            state: `STARTED`, `DONE` or `FAILED`.
            source: the picture. Its stamp is that at the start of the job.
            destination: the destination of the job.
            result: the file that was written, with `DONE`.
            error: the message, with `FAILED`.

        Raises:
            OutputError: if the file cannot be written.
        """
        name = os.path.abspath(source)
        if state == STARTED:
            self._stamps[name] = _stamp(source)
        stamp = self._stamps[name] if state == STARTED else self._stamps.pop(name, _stamp(source))
        entry = {
            "run": self._run,
            "state": state,
            "source": name,
            "destination": self._relative(destination),
            "stamp": stamp,
        }
        before = self._entry(source, destination)
        if state in (STARTED, FAILED) and before is not None and self._is_own(before):
            entry |= {"result": before["result"], "written": before["written"]}  # may still be replaced
        if result is not None:
            entry |= {"result": self._relative(result), "written": _stamp(result)}
        if error is not None:
            entry["error"] = error
        self._entries[name] = entry
        self._append([entry])

    def can_be_written(self) -> bool:
        """Whether entries can be appended; writes the settings."""
        try:
            self._append([])
        except OutputError:
            return False
        return True

    def remove(self) -> None:
        """Removes the file, if this batch created it."""
        if self._new:
            self.path.unlink(missing_ok=True)

    def _append(self, entries: list[dict[str, Any]]) -> None:
        """Appends lines by one write; the first time after a line with the settings."""
        if not self._opened:
            entries = [{"run": self._run, "settings": self._settings}, *entries]
        text = "".join(json.dumps(entry) + "\n" for entry in entries)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a+b") as stream:
                if not self._opened:
                    self._new = stream.tell() == 0
                if not self._opened and stream.tell() > 0:
                    stream.seek(-1, os.SEEK_END)
                    text = text if stream.read(1) == b"\n" else "\n" + text  # after a damaged line
                stream.write(text.encode())
        except OSError as error:
            raise OutputError(f"cannot write {self.path}: {reason(error)}") from None
        self._opened = True


def _stamp(path: str) -> list[int] | None:
    """Size and time of change of a file, by which a replaced file is noticed; None if there is no such file."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return [found.st_size, found.st_mtime_ns]
