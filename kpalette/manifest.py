"""The manifest of a batch: a file of JSON lines beside its results that says what was done, so that it can go on."""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from kpalette.errors import OutputError
from kpalette.files import PART_PREFIX, PART_SUFFIX, reason

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
        self._opened = False

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
        """Whether the result is there, made from the source as it is now."""
        entry = self._entries.get(os.path.abspath(source))
        return (
            entry is not None
            and destination != ""
            and entry["state"] == DONE
            and entry.get("destination") == self._place(destination)
            and os.path.isfile(destination)
            and entry.get("stamp") == _stamp(source)
        )

    def may_replace(self, source: str, destination: str) -> bool:
        """Whether a file at the destination can only be this batch's own: begun or done before under these settings."""
        entry = self._entries.get(os.path.abspath(source))
        if entry is None or not destination or entry.get("destination") != self._place(destination):
            return False
        return entry["state"] in (STARTED, DONE)

    def _place(self, path: str) -> str:
        # Beside the manifest, so that the folder may be moved.
        return os.path.relpath(path, self.path.parent)

    def add(self, state: str, *, source: str, destination: str, error: str | None = None) -> None:
        """Appends a line, whole, and hands it to the system at once.

        Args:
            state: `STARTED`, `DONE` or `FAILED`.
            source: the picture.
            destination: its result.
            error: what went wrong.

        Raises:
            OutputError: if the file cannot be written.
        """
        entry = {
            "run": self._run, "state": state, "source": os.path.abspath(source),
            "destination": self._place(destination), "stamp": _stamp(source),
        }  # fmt: skip
        if error is not None:
            entry["error"] = error
        self._entries[str(entry["source"])] = entry
        self._append([entry])

    def remove(self) -> None:
        """Removes the file, where it holds nothing that a later batch could want."""
        self.path.unlink(missing_ok=True)

    def _append(self, entries: list[dict[str, Any]]) -> None:
        if not self._opened:
            entries = [{"run": self._run, "settings": self._settings}, *entries]
        text = "".join(json.dumps(entry) + "\n" for entry in entries)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a+b") as stream:
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


def remove_parts(folders: Iterable[str]) -> None:
    """Removes what processes that were killed left of files they had begun, where no such process runs any more."""
    for folder in set(folders):
        for path in Path(folder).glob(f"{PART_PREFIX}*{PART_SUFFIX}"):
            number = path.name.removeprefix(PART_PREFIX).split("-")[0]
            if number.isdigit() and not _runs(int(number)):
                path.unlink(missing_ok=True)


def _runs(process: int) -> bool:
    if os.name != "posix":  # where signal 0 is no question
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
