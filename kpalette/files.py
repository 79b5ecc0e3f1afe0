"""Files of any kind: read whole with errors by kind, written whole or not at all."""

import contextlib
import errno
import os
import platform
import stat
import threading
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from kpalette.errors import KPaletteError, OutputError, reason

PART_PREFIX = ".kpalette-"

PART_SUFFIX = ".part"
"""What a file is called until it is whole: prefix, host, process, thread, suffix. Killed ones leave it behind."""


def read_file(path: str | os.PathLike[str], *, error: type[KPaletteError], what: str) -> bytes:
    """Reads a whole file.

    Args:
        path: where it lies.
        error: the class of what is raised.
        what: what the file should be, "a picture file" for instance, for the message.

    Returns:
        Its bytes, at least one.

    Raises:
        KPaletteError: of class `error`, if the file is missing, empty, a folder, or cannot be read.
    """
    if not str(path):
        raise error("the file name is empty")
    try:
        folder = Path(path).is_dir()
        data = b"" if folder else Path(path).read_bytes()
    except FileNotFoundError:
        raise error(f"{path} does not exist") from None
    except (OSError, ValueError) as failure:
        raise error(f"cannot read {path}: {reason(failure)}") from None
    if folder:
        raise error(f"{path} is a folder, not {what}")
    if not data:
        raise error(f"{path} is empty (0 bytes)")
    return data


def host_mark() -> str:
    """Eight digits that stand for this machine: numbers of processes mean nothing on another that shares a folder."""
    return f"{zlib.crc32(platform.node().encode()):08x}"


def check_free(path: Path, *, overwrite: bool) -> None:
    """OutputError where a file cannot go to `path` by its name alone: worth asking before any work is done."""
    try:
        if path.is_dir():
            raise OutputError(f"cannot write {path}: it is a folder")
        if path.exists() and not path.is_file():
            raise OutputError(f"cannot write {path}: it is no regular file")
        exists = path.is_file() or path.is_symlink()
    except (OSError, ValueError, RuntimeError) as error:
        raise OutputError(f"cannot write {path}: {reason(error)}") from None
    if exists and not overwrite:
        raise _exists(path)


def check_writable(folder: Path) -> None:
    """OutputError where nothing can be put into a folder, or where it would be made: worth asking before any work."""
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not os.access(there, os.W_OK):
        raise OutputError(f"cannot write to {there}: {os.strerror(errno.EACCES)}")


@contextlib.contextmanager
def hold_lock(path: Path, *, taken: str) -> Iterator[None]:
    """Keeps other processes of this machine out of a block; the system forgets the lock of a process that ends.

    Args:
        path: of the lock's file, in a folder that exists.
        taken: what is said where another process holds it.

    Raises:
        OutputError: if another process holds the lock, or its file cannot be written.
    """
    try:
        lock = open(path, "w")
    except OSError as error:
        raise OutputError(f"cannot write {path}: {reason(error)}") from None
    with lock:
        try:
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except ImportError:  # Windows has no such locks
            pass
        except OSError:
            raise OutputError(taken) from None
        yield


def write_file(path: str | os.PathLike[str], data: bytes, *, overwrite: bool) -> None:
    """Writes a file whole or not at all: into a neighbouring file first, which is then renamed.

    Args:
        path: where to; a link is written through.
        data: its bytes.
        overwrite: whether a file that exists may be replaced, its permissions kept.

    Raises:
        OutputError: if the file exists and may not be replaced, or writing fails.
    """
    target = Path(path)
    check_free(target, overwrite=overwrite)
    try:
        _write_atomically(Path(os.path.realpath(target)), data, overwrite=overwrite)
    except FileExistsError:
        raise _exists(target) from None
    except OSError as error:
        raise OutputError(f"cannot write {target}: {reason(error)}") from None


def _exists(path: Path) -> OutputError:
    return OutputError(f"{path} exists already: use --force (overwrite=True) to replace it")


def _place_new(temporary: Path, path: Path) -> None:
    """Gives the file its name; FileExistsError where another program was faster to take it."""
    try:
        path.hardlink_to(temporary)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        temporary.replace(path)


def _write_atomically(path: Path, data: bytes, *, overwrite: bool) -> None:
    # A name of its own length limit, so that a long but legal name does not fail here.
    temporary = path.with_name(f"{PART_PREFIX}{host_mark()}-{os.getpid()}-{threading.get_ident()}{PART_SUFFIX}")
    try:
        with temporary.open("xb") as stream:
            stream.write(data)
        if overwrite:
            with contextlib.suppress(FileNotFoundError):
                temporary.chmod(stat.S_IMODE(path.stat().st_mode))
            temporary.replace(path)
        else:
            _place_new(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def make_parent(destination: Path) -> None:
    """Makes the folder that a file goes to, once there is something to put there; OutputError if it cannot be."""
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make the folder {destination.parent}: {reason(error)}") from None


def remove_parts(folders: Iterable[str]) -> None:
    """Removes what processes that were killed left of files they had begun, where no such process runs any more."""
    for folder in set(folders):
        for path in Path(folder).glob(f"{PART_PREFIX}*{PART_SUFFIX}"):
            host, number, *_ = [*path.name.removeprefix(PART_PREFIX).split("-"), ""]
            if host == host_mark() and number.isdigit() and not _runs(int(number)):
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
