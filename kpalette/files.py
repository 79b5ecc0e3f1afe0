"""Files and folders of any kind: read whole, written whole or not at all, held by a lock, replaced as a whole."""

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

from kpalette.errors import ExistsError, KPaletteError, OutputError, reason

PART_PREFIX = ".kpalette-"
PART_SUFFIX = ".part"
"""The name of a temporary file is prefix, host, process, thread, suffix. A killed process leaves it behind."""

LOCK = ".lock"
"""The lock file of a folder that one process at a time works in."""

_OLD = "-old"


def read_file(path: str | os.PathLike[str], *, error: type[KPaletteError], what: str) -> bytes:
    """Reads a whole file.

    Args:
        path: the file.
        error: the class of the error that is raised.
        what: what the file should be, for the message, such as "a picture file".

    Returns:
        The bytes of the file, at least one.

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
    """Identifies this machine by eight hexadecimal digits, the same in every process.

    Process numbers in a folder that several machines share mean something only together with the machine.
    """
    return f"{zlib.crc32(platform.node().encode()):08x}"


def check_free(path: Path, *, overwrite: bool) -> None:
    """Checks, before any work is done, whether a file may be written to a path.

    Args:
        path: the file.
        overwrite: whether an existing file may be replaced.

    Raises:
        ExistsError: if the file exists and `overwrite` is false.
        OutputError: if the path is a folder or a special file, or cannot be looked at.
    """
    try:
        if path.is_dir():
            raise OutputError(f"cannot write {path}: it is a folder")
        if path.exists() and not path.is_file():
            raise OutputError(f"cannot write {path}: it is no regular file")
        exists = path.is_file() or path.is_symlink()
    except (OSError, ValueError, RuntimeError) as error:
        raise OutputError(f"cannot write {path}: {reason(error)}") from None
    if exists and not overwrite:
        raise ExistsError(path)


def check_writable(folder: Path) -> None:
    """Checks, before any work is done, whether files may be written into a folder.

    Args:
        folder: the folder; it need not exist.

    Raises:
        OutputError: if the folder, or the nearest existing folder above it, is not writable.
    """
    existing = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not os.access(existing, os.W_OK):
        raise OutputError(f"cannot write to {existing}: {os.strerror(errno.EACCES)}")


@contextlib.contextmanager
def hold_lock(path: Path, *, taken: str) -> Iterator[None]:
    """Holds a lock while a block runs, so that no other process of this machine enters it.

    The operating system releases the lock of a process that ends. Windows has no such locks: nothing is held there.

    Args:
        path: the lock file, in a folder that exists.
        taken: the message if another process holds the lock.

    Raises:
        OutputError: if another process holds the lock, or the lock file cannot be written.
    """
    try:
        lock = open(path, "w")
    except OSError as error:
        raise OutputError(f"cannot write {path}: {reason(error)}") from None
    with lock:
        try:
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except ImportError:  # Windows
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
        target: the folder; `replaced_folder` replaces no other folder beside it.
    """
    old = sorted(target.parent.glob(f"{PART_PREFIX}*{_OLD}"))
    if old and not target.exists():
        old[-1].rename(target)


def write_file(path: str | os.PathLike[str], data: bytes, *, overwrite: bool) -> None:
    """Writes a file whole or not at all: a temporary file beside it is written first, and then renamed.

    Args:
        path: the file; of a symbolic link, the file that it points to.
        data: the bytes of the file.
        overwrite: whether an existing file may be replaced; its permissions are kept.

    Raises:
        ExistsError: if the file exists and `overwrite` is false.
        OutputError: if writing fails.
    """
    target = Path(path)
    check_free(target, overwrite=overwrite)
    try:
        _write_atomically(Path(os.path.realpath(target)), data, overwrite=overwrite)
    except FileExistsError:
        raise ExistsError(target) from None
    except OSError as error:
        raise OutputError(f"cannot write {target}: {reason(error)}") from None


def _place_new(temporary: Path, path: Path) -> None:
    """Renames a temporary file to a name that is free; FileExistsError if another program has just taken the name."""
    try:
        path.hardlink_to(temporary)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        temporary.replace(path)


def _write_atomically(path: Path, data: bytes, *, overwrite: bool) -> None:
    # The temporary name does not contain the file's own: a legal name of the greatest length would become too long.
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
    """Makes the folder of a file, and those above it, if they are missing.

    Args:
        destination: the file.

    Raises:
        OutputError: if the folder cannot be made.
    """
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make the folder {destination.parent}: {reason(error)}") from None


def remove_parts(folders: Iterable[str]) -> None:
    """Removes the temporary files that killed processes of this machine left in folders.

    Args:
        folders: where to look. Temporary files of processes that still run stay.
    """
    for folder in set(folders):
        for path in Path(folder).glob(f"{PART_PREFIX}*{PART_SUFFIX}"):
            host, number, *_ = [*path.name.removeprefix(PART_PREFIX).split("-"), ""]
            if host == host_mark() and number.isdigit() and not _is_running(int(number)):
                path.unlink(missing_ok=True)


def _is_running(process: int) -> bool:
    if os.name != "posix":  # elsewhere, signal 0 ends the process
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
