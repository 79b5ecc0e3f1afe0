"""Files of any kind: read whole with errors by kind, written whole or not at all."""

import contextlib
import errno
import os
import platform
import shutil
import stat
import threading
import uuid
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from kpalette.errors import KPaletteError, OutputError, reason

PART_PREFIX = ".kpalette-"

PART_SUFFIX = ".part"
"""What a file is called until it is whole: prefix, host, process, thread, suffix. Killed ones leave it behind."""

LOCK = ".lock"
"""The lock file of a folder that one process at a time works in."""

_OLD = "-old"


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


@contextlib.contextmanager
def held_folder(folder: Path, *, taken: str) -> Iterator[None]:
    """Makes a folder if needed and keeps other processes of this machine out of it, by `hold_lock`.

    A folder that was made here is removed again if the block leaves nothing in it.

    Args:
        folder: with the folders above it.
        taken: the message if another process holds the folder.

    Raises:
        OutputError: if another process holds the folder, or it cannot be made.
    """
    made = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make {folder}: {reason(error)}") from None
    with hold_lock(folder / LOCK, taken=taken):
        try:
            yield
        finally:
            if made:
                _remove_if_empty(folder)


def _remove_if_empty(folder: Path) -> None:
    """Removes a folder that holds nothing but its lock."""
    with contextlib.suppress(OSError):
        if [path.name for path in folder.iterdir()] == [LOCK]:
            (folder / LOCK).unlink()
            folder.rmdir()


@contextlib.contextmanager
def replaced_folder(target: Path) -> Iterator[Path]:
    """Fills a folder whole or not at all: a temporary neighbour takes the target's place when the block ends.

    If the block raises an error, the neighbour is removed and the target stays as it was. A process killed between the
    two renames leaves the old folder under another name: `restore_folder` brings it back.

    Args:
        target: the folder; it may exist, and the folders above it are made.

    Yields:
        The neighbour, an empty folder.
    """
    temporary = target.with_name(f"{PART_PREFIX}{uuid.uuid4().hex}")
    try:
        temporary.mkdir(parents=True)
        yield temporary
        _put_in_place(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _put_in_place(new: Path, target: Path) -> None:
    if not target.exists():
        new.rename(target)
        return
    old = new.with_name(f"{new.name}{_OLD}")
    target.rename(old)
    try:
        new.rename(target)
    except BaseException:
        old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def restore_folder(target: Path) -> None:
    """Gives a folder its name back if a process was killed between the two renames of `replaced_folder`.

    Args:
        target: the only folder beside others that `replaced_folder` replaces there.
    """
    old = sorted(target.parent.glob(f"{PART_PREFIX}*{_OLD}"))
    if old and not target.exists():
        old[-1].rename(target)


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
