"""Worker processes: started quickly, deaf to Ctrl-C, gone with their parent."""

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_all_start_methods, get_context, parent_process
from typing import Any

MAX_WORKERS = 256
_BLAS_VARIABLE = "OPENBLAS_NUM_THREADS"


@contextlib.contextmanager
def worker_pool(
    workers: int, *, preload: str, set_up: Callable[[], None] | None = None
) -> Iterator[Callable[..., Future[Any]]]:
    """A way to call functions in other processes.

    Args:
        workers: how many; 1 calls in this one.
        preload: a module that all of them need, imported once where the system can fork.
        set_up: called in each, picklable.

    Yields:
        submit(function, *arguments), which returns a future. When the block is left early, calls under way are
        finished, those waiting are dropped.
    """
    if workers <= 1:
        yield _now
        return
    share = max(1, thread_count() // workers)
    # A process to fork from that holds no threads: forking this one would not carry NumPy's and OpenCV's along.
    forking = "forkserver" in get_all_start_methods()
    context = get_context("forkserver" if forking else "spawn")
    if forking:
        context.set_forkserver_preload([preload])
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start, initargs=(share, set_up))

    def submit(function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        with _no_interrupts(), _one_blas_thread():
            return pool.submit(function, *arguments)

    try:
        yield submit
    finally:
        with _no_interrupts():
            pool.shutdown(wait=True, cancel_futures=True)


@contextlib.contextmanager
def _no_interrupts() -> Iterator[None]:
    """Ctrl-C waits; processes started meanwhile never hear of it: the parent decides, so that results are whole."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pressed = False

    def remember(*_: object) -> None:
        nonlocal pressed
        pressed = True

    # The handler for this process, whose other threads may get the signal; the mask for those that are started.
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
def _one_blas_thread() -> Iterator[None]:
    """For processes started meanwhile: theirs is the only thread of a core."""
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
        future.set_exception(error)
    return future


def _start(share: int, set_up: Callable[[], None] | None) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ[THREADS_VARIABLE] = str(share)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if set_up is not None:
        set_up()


def _end_with_parent() -> None:
    """A worker whose parent was killed would wait for its next call for ever."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


THREADS_VARIABLE = "KPALETTE_THREADS"


def thread_count() -> int:
    """Threads that one call may use: KPALETTE_THREADS where it is a positive whole number, else one a core."""
    text = os.environ.get(THREADS_VARIABLE, "")
    if text.isascii() and text.isdigit() and 0 < len(text) < 5 and int(text) > 0:
        return int(text)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_parts(work: Callable[[slice], None], count: int, size: int) -> None:
    """Works through `count` items in parts, on all cores: NumPy and Pillow let go of the interpreter lock.

    Args:
        work: does one part, in a thread.
        count: of all items.
        size: items of a part.
    """
    parts = [slice(start, min(start + size, count)) for start in range(0, count, size)]
    threads = min(thread_count(), len(parts))
    if threads <= 1:
        for part in parts:
            work(part)
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, parts))
