"""Listings of folders and tar files: the name of each file, and a function that reads it, without unpacking."""

import gzip
import os
import stat
import tarfile
import tempfile
import threading
import weakref
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import IO, NamedTuple

from kpalette.errors import ImageError, one_line, reason
from kpalette.files import read_file

_GZIP = b"\x1f\x8b"


class File(NamedTuple):
    """A file in a folder or in a tar file.

    Example:
        >>> file = File("a/b.txt", "2@0", lambda: b"ok")
        >>> file.load()
        b'ok'
    """

    name: str  # path inside the source, with slashes
    stamp: str  # size and time of the last change
    load: Callable[[], bytes]


@dataclass(frozen=True)
class Listing:
    """The files of a source, sorted by name.

    Attributes:
        source: the folder or the tar file.
        files: the files in it.
        skipped: lines "name: reason", one for each file that is incomplete.

    Example:
        >>> len(Listing(Path("pictures"), ()).files)
        0
    """

    source: Path
    files: tuple[File, ...]
    skipped: tuple[str, ...] = ()


def list_files(source: Path) -> Listing:
    """Lists a folder with its subfolders, or a tar file; hidden files and links to folders are left out.

    Args:
        source: a folder, a .tar, or a .tar.gz, which is unpacked into a temporary file.

    Returns:
        The files, sorted by name. Incomplete files of a damaged tar file are skipped.

    Raises:
        ImageError: if the source does not exist, cannot be read, or is of another kind.
    """
    what = one_line(source)
    try:
        if source.is_dir():
            return _list_folder(source)
        if not source.is_file():
            raise ImageError(f"{what} " + ("is no regular file" if source.exists() else "does not exist"))
        with source.open("rb") as stream:
            packed = stream.read(2) == _GZIP
            stream.seek(0)
            if not packed:
                return _list_tar(source, stream)
        with tempfile.TemporaryFile() as unpacked:
            broken = _unpack(source, unpacked)
            listing = _list_tar(source, unpacked)
            return replace(listing, skipped=tuple(dict.fromkeys((*listing.skipped, *broken))))
    except tarfile.TarError as error:
        raise ImageError(f"{what} is neither a folder of pictures nor a .tar or .tar.gz: {reason(error)}") from None
    except (OSError, ValueError) as error:
        raise ImageError(f"cannot read {what}: {reason(error)}") from None


def _hidden(name: str) -> bool:
    return any(part.startswith(".") for part in name.split("/"))


def _stamp(size: int, changed: float) -> str:
    return f"{size}@{changed}"


def _list_folder(folder: Path) -> Listing:
    files, skipped = [], []

    def note(error: OSError) -> None:
        skipped.append(f"{one_line(os.path.relpath(str(error.filename), folder))}: {reason(error)}")

    # Links to folders could lead in circles or out of the folder, so only links to files are followed.
    for parent, folders, names in os.walk(folder, onerror=note):
        folders[:] = [name for name in folders if not _hidden(name)]
        for path in (Path(parent, name) for name in names if not _hidden(name)):
            try:
                status = path.stat()
            except OSError as error:
                note(error)
                continue
            if stat.S_ISREG(status.st_mode):
                load = partial(read_file, path, error=ImageError, what="a picture file")
                name = path.relative_to(folder).as_posix()
                files.append(File(name, _stamp(status.st_size, status.st_mtime_ns), load))
    return Listing(folder, tuple(sorted(files, key=lambda file: file.name)), tuple(sorted(skipped)))


class _Bytes:
    """Reads parts of a file from several threads; works on after the file was renamed or removed."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._descriptor = os.dup(stream.fileno())
        self._lock = threading.Lock()
        weakref.finalize(self, os.close, self._descriptor)

    def read(self, start: int, size: int, name: str) -> bytes:
        try:
            with self._lock:  # Windows has no pread
                os.lseek(self._descriptor, start, os.SEEK_SET)
                return os.read(self._descriptor, size)
        except OSError as error:
            raise ImageError(f"cannot read {one_line(name)}: {reason(error)}") from None


def _unpack(source: Path, unpacked: IO[bytes]) -> tuple[str, ...]:
    """Unpacks a gzip file up to the first damage; returns a line about the damage, if any."""
    try:
        with gzip.open(source) as stream:
            while part := stream.read1(1 << 20):  # `read` would lose the data just before the damage
                unpacked.write(part)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        return (f"{one_line(source.name)}: {reason(error)}",)
    finally:
        unpacked.seek(0)
    return ()


def _list_tar(source: Path, stream: IO[bytes]) -> Listing:
    length = os.fstat(stream.fileno()).st_size
    content, changed = _Bytes(stream), source.stat().st_mtime_ns
    found: dict[str, File] = {}
    skipped = []
    with tarfile.open(fileobj=stream, mode="r:") as archive:
        try:
            # Links are left out: they lead to files that are listed anyway, or out of the tar file.
            for member in (member for member in archive if member.isreg() and not member.issparse()):
                name = member.name.removeprefix("./")
                start, size = member.offset_data, member.size
                if start + size > length:
                    skipped.append(f"{one_line(name)}: {one_line(source.name)} ends in the middle of it")
                elif not _hidden(name):
                    # A later file of the same name replaces the earlier one, as in unpacking.
                    found[name] = File(name, _stamp(size, changed), partial(content.read, start, size, name))
        except tarfile.TarError as error:
            skipped.append(f"{one_line(source.name)}: {reason(error)}")
        # tarfile treats a header that it cannot read as the end.
        stream.seek(archive.offset)
        if any(stream.read(tarfile.BLOCKSIZE)) and not skipped:
            skipped.append(f"{one_line(source.name)}: damaged at byte {archive.offset:,}, the rest is not read")
    return Listing(source, tuple(sorted(found.values(), key=lambda file: file.name)), tuple(skipped))
