"""Worker processes (fork server, ignore SIGINT, exit when the parent dies) and threads."""

import contextlib
import math
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from functools import cache
from multiprocessing import get_all_start_methods, get_context, parent_process
from pathlib import Path
from typing import Any, TypeVar

MAX_WORKERS = 256

THREADS_VARIABLE = "KPALETTE_THREADS"
"""The environment variable that limits the threads of one process."""

_CGROUPS, _OWN_CGROUP = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
_BLAS_VARIABLE = "OPENBLAS_NUM_THREADS"

_Item = TypeVar("_Item")
_Begun = TypeVar("_Begun", bound="Future[Any] | None")


@contextlib.contextmanager
def worker_pool(
    workers: int, *, preload: str, set_up: Callable[[], None] | None = None, with_main: bool = False
) -> Iterator[Callable[..., Future[Any]]]:
    """Opens a pool of worker processes.

    Args:
        workers: number of processes; 1 makes every call in this process, at once.
        preload: a module that all workers need. Where the system can fork, it is imported once for all of them.
        set_up: called first in each worker; picklable.
        with_main: whether workers run the program's main file once more, for functions and classes that are defined
            there. A script without `if __name__ == "__main__"` would start all its work anew in each of them.

    Yields:
        submit(function, *arguments), which returns a future. If a worker dies, its futures and all later ones raise
        `BrokenProcessPool`. When the block is left early, running calls finish and waiting calls are dropped.
    """
    if workers <= 1:
        yield _now
        return
    share = max(1, thread_count() // workers)
    # Workers are forked from a server process without threads: a fork of this one would lose NumPy's and OpenCV's.
    forking = "forkserver" in get_all_start_methods()
    context = get_context("forkserver" if forking else "spawn")
    if forking:
        context.set_forkserver_preload([preload])
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start, initargs=(share, set_up))

    def submit(function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        main = contextlib.nullcontext() if with_main else _main_hidden()
        with _no_interrupts(), _one_blas_thread(), main:
            try:
                return pool.submit(function, *arguments)
            except BrokenProcessPool as error:
                return _failed(error)

    try:
        yield submit
    finally:
        with _no_interrupts():
            pool.shutdown(wait=True, cancel_futures=True)


def in_order(
    begin: Callable[[_Item], _Begun], items: Iterable[_Item], *, window: int
) -> Iterator[tuple[_Item, _Begun]]:
    """Works through items in a pool and returns the results in the order of the items.

    Memory stays bounded however many items there are: the next item is taken only when there is room for it.

    Args:
        begin: starts the work on an item and returns its future, or None if there is nothing to do.
        items: taken one by one, as needed.
        window: how many items may be running or waiting at a time, at least 1.

    Yields:
        (item, what `begin` returned for it); a future is finished by then.
    """
    running: deque[tuple[_Item, _Begun]] = deque()
    for item in items:
        running.append((item, begin(item)))
        while running and (len(running) >= window or _is_done(running[0][1])):
            yield _waited(*running.popleft())
    while running:
        yield _waited(*running.popleft())


def _is_done(future: Future[Any] | None) -> bool:
    return future is None or future.done()


def _waited(item: _Item, future: _Begun) -> tuple[_Item, _Begun]:
    if future is not None:
        wait([future])
    return item, future


@contextlib.contextmanager
def _no_interrupts() -> Iterator[None]:
    """Delays Ctrl-C until the block ends, and starts processes that ignore it: only the parent decides when to stop."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pressed = False

    def remember(*_: object) -> None:
        nonlocal pressed
        pressed = True

    # The handler is for this process, whose other threads may get the signal; new processes inherit the mask.
    before = signal.signal(signal.SIGINT, remember)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}) if hasattr(signal, "pthread_sigmask") else None
    try:
        yield
    finally:
        if mask is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGINT, before)
        if pressed and callable(before):
            before(signal.SIGINT, None)


@contextlib.contextmanager
def _main_hidden() -> Iterator[None]:
    """Hides the file of the main module from multiprocessing, which would run it in each process that is started."""
    main = sys.modules["__main__"]
    hidden = {name: getattr(main, name) for name in ("__file__", "__spec__") if hasattr(main, name)}
    main.__spec__ = None
    if "__file__" in hidden:
        del main.__file__
    try:
        yield
    finally:
        for name, value in hidden.items():
            setattr(main, name, value)


@contextlib.contextmanager
def _one_blas_thread() -> Iterator[None]:
    """Gives processes that start in the block a single BLAS thread each."""
    before = os.environ.get(_BLAS_VARIABLE)
    os.environ[_BLAS_VARIABLE] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_BLAS_VARIABLE]
        else:
            os.environ[_BLAS_VARIABLE] = before


def _now(function: Callable[..., Any], *arguments: Any) -> Future[Any]:
    future: Future[Any] = Future()
    try:
        future.set_result(function(*arguments))
    except Exception as error:
        return _failed(error)
    return future


def _failed(error: Exception) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_exception(error)
    return future


def _start(share: int, set_up: Callable[[], None] | None) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ[THREADS_VARIABLE] = str(share)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if set_up is not None:
        set_up()


def _end_with_parent() -> None:
    """Ends this worker when its parent dies: it would wait for its next call without end."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def thread_count() -> int:
    """Number of threads for one call: KPALETTE_THREADS if it is a positive whole number, else one per core.

    A container that may use half a core, or two and a half, counts as one core, or three.
    """
    text = os.environ.get(THREADS_VARIABLE, "")
    if text.isascii() and text.isdigit() and 0 < len(text) < 5 and int(text) > 0:
        return int(text)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, math.ceil(min(cores, _core_limit(_CGROUPS, _OWN_CGROUP))))


@cache
def _core_limit(root: Path, own: Path) -> float:
    """The cores that control groups of Linux allow this process; infinite without a limit.

    Version 2 has `cpu.max` with quota and period in the process's group and in each above it; version 1 has two files.
    """
    limits = [math.inf]
    with contextlib.suppress(OSError, ValueError):
        period = int((root / "cpu" / "cpu.cfs_period_us").read_text())
        quota = int((root / "cpu" / "cpu.cfs_quota_us").read_text())
        limits.append(quota / period if quota > 0 else math.inf)
    group = root
    with contextlib.suppress(OSError):
        names = next((line[3:] for line in own.read_text().splitlines() if line.startswith("0::")), "/")
        group = root / names.strip("/")
    for folder in (group, *group.parents):
        with contextlib.suppress(OSError, ValueError):
            quota_text, period_text = (folder / "cpu.max").read_text().split()
            limits.append(int(quota_text) / int(period_text))  # "max" is no number: no limit
        if folder == root:
            break
    return min(limits)


def in_parts(work: Callable[[slice], None], count: int, size: int) -> None:
    """Works through `count` items in threads, part by part; NumPy and Pillow release the interpreter lock.

    Args:
        work: does one part; receives its slice.
        count: number of items.
        size: number of items in a part.
    """
    parts = [slice(start, min(start + size, count)) for start in range(0, count, size)]
    threads = min(thread_count(), len(parts))
    if threads <= 1:
        for part in parts:
            work(part)
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, parts))
