"""The manifest of a batch: a file of JSON lines beside its results that says what was done, so that it can go on."""

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
    """What became of each picture under given settings.

    Lines are only ever appended, so that a killed batch loses at most its last one, which says that a result was
    begun: such a result may be made again in its place.

    Args:
        folder: where it lies, the folder of the results.
        settings: all that the results depend on besides their sources; an entry counts for equal settings alone.
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
        """Takes over what an earlier batch wrote; lines that are torn or no entries are passed over.

        Raises:
            OutputError: if the file is there and cannot be read.
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
        """Whether the result is there as it was written, made from the source as it is now."""
        entry = self._entry(source, destination)
        return (
            entry is not None
            and entry["state"] == DONE
            and self._is_own(entry)
            and entry.get("stamp") == _stamp(source)
        )

    def may_replace(self, source: str, destination: str) -> bool:
        """Whether the file at the destination is this batch's own, of an older source, untouched since."""
        entry = self._entry(source, destination)
        return entry is not None and self._is_own(entry)

    def was_begun(self, source: str, destination: str) -> bool:
        """Whether the batch ended while at it: a file there is its own, if it is what would be written again."""
        entry = self._entry(source, destination)
        return entry is not None and entry["state"] == STARTED

    def _entry(self, source: str, destination: str) -> dict[str, Any] | None:
        entry = self._entries.get(os.path.abspath(source))
        if entry is None or not destination or entry.get("destination") != self._place(destination):
            return None
        return entry

    def _is_own(self, entry: dict[str, Any]) -> bool:
        if not isinstance(entry.get("result"), str):
            return False
        written = _stamp(os.path.join(self.path.parent, entry["result"]))
        return written is not None and written == entry.get("written")

    def _place(self, path: str) -> str:
        # Beside the manifest, so that the folder may be moved.
        return os.path.relpath(path, self.path.parent)

    def add(
        self, state: str, *, source: str, destination: str, result: str | None = None, error: str | None = None
    ) -> None:
        """Appends a line, whole, and hands it to the system at once.

        Args:
            state: `STARTED`, `DONE` or `FAILED`.
            source: the picture; how it was when it was started is what counts later.
            destination: where its result was to go.
            result: the file that was written, with `DONE`.
            error: what went wrong.

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
            "destination": self._place(destination),
            "stamp": stamp,
        }
        before = self._entry(source, destination)
        if state in (STARTED, FAILED) and before is not None and self._is_own(before):
            entry |= {"result": before["result"], "written": before["written"]}  # what it is to replace
        if result is not None:
            entry |= {"result": self._place(result), "written": _stamp(result)}
        if error is not None:
            entry["error"] = error
        self._entries[name] = entry
        self._append([entry])

    def can_be_written(self) -> bool:
        """Whether lines can be appended: asked once, before any work."""
        try:
            self._append([])
        except OutputError:
            return False
        return True

    def remove(self) -> None:
        """Removes the file, unless an earlier batch had begun it."""
        if self._new:
            self.path.unlink(missing_ok=True)

    def _append(self, entries: list[dict[str, Any]]) -> None:
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
                    text = text if stream.read(1) == b"\n" else "\n" + text  # behind a torn line
                stream.write(text.encode())
        except OSError as error:
            raise OutputError(f"cannot write {self.path}: {reason(error)}") from None
        self._opened = True


def _stamp(source: str) -> list[int] | None:
    """Size and time of change: what tells that a source was replaced."""
    try:
        found = os.stat(source)
    except (OSError, ValueError):
        return None
    return [found.st_size, found.st_mtime_ns]
