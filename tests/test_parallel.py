"""The bounded window over a worker pool."""

import math
import os
import signal
import subprocess
import sys
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool

import pytest

from kpalette.parallel import _core_limit, in_order, thread_count, worker_pool


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_results_come_in_the_order_of_the_items_and_no_more_than_the_window_runs():
    begun, running, most = [], [], 0

    def begin(item):
        nonlocal most
        begun.append(item)
        future = Future()
        running.append(future)
        most = max(most, sum(not f.done() for f in running))
        if len(begun) >= 3:  # the later of the window first
            for waiting in reversed(running):
                if not waiting.done():
                    waiting.set_result(None)
        return future

    assert [item for item, future in in_order(begin, iter(range(10)), window=3) if future.done()] == list(range(10))
    assert most <= 3


@pytest.mark.parametrize("window", [1, 4])
def test_calls_in_this_process_are_returned_at_once(window):
    taken = []
    with worker_pool(1, preload=__name__) as submit:
        for item, future in in_order(
            lambda x: submit(abs, -x), (taken.append(x) or x for x in range(3)), window=window
        ):
            assert (future.result(), taken[-1]) == (item, item)


def test_an_item_with_nothing_to_do_keeps_its_place():
    with worker_pool(1, preload=__name__) as submit:
        found = in_order(lambda x: submit(abs, x) if x % 2 else None, range(5), window=2)
        assert [(item, future and future.result()) for item, future in found] == [
            (0, None), (1, 1), (2, None), (3, 3), (4, None),
        ]  # fmt: skip


def test_an_error_belongs_to_its_item():
    with worker_pool(2, preload=__name__) as submit:
        found = {x: future.exception() for x, future in in_order(lambda x: submit(int, x), ["1", "x", "3"], window=2)}
    assert [type(found[x]) for x in ("1", "x", "3")] == [type(None), ValueError, type(None)]


@pytest.mark.skipif(os.name != "posix", reason="kills a process")
def test_a_dead_worker_breaks_its_call_and_all_later_ones():
    with worker_pool(2, preload=__name__) as submit:
        futures = [future for _, future in in_order(lambda _: submit(die), range(6), window=2)]
    assert all(isinstance(future.exception(), BrokenProcessPool) for future in futures)


@pytest.mark.parametrize(("with_main", "runs"), [(False, 1), (True, 3)])
def test_workers_run_a_script_without_a_main_guard_only_if_they_need_it(tmp_path, with_main, runs):
    script = tmp_path / "script.py"
    script.write_text(
        "import os, sys\n"
        f"open(os.path.join({str(tmp_path)!r}, f'run{{os.getpid()}}'), 'w').close()\n"
        "from kpalette.parallel import worker_pool\n"
        "if __name__ == '__main__':\n"
        f"    with worker_pool(2, preload='kpalette.errors', with_main={with_main}) as submit:\n"
        "        print(sorted(f.result() for f in [submit(abs, -1), submit(abs, -2)]))\n"
        "    assert __file__ == sys.argv[0] and sys.modules['__main__'].__spec__ is None\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("[1, 2]\n", 0), done.stderr
    assert len(list(tmp_path.glob("run*"))) == runs


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({}, math.inf),
        ({"cpu.max": "max 100000\n"}, math.inf),
        ({"cpu.max": "50000 100000\n"}, 0.5),
        ({"a/b/cpu.max": "max 100000\n", "a/cpu.max": "250000 100000\n", "cpu.max": "max 100000"}, 2.5),
        ({"a/b/cpu.max": "100000 100000\n", "a/cpu.max": "250000 100000\n"}, 1.0),
        ({"other/cpu.max": "1000 100000"}, math.inf),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, math.inf),
        ({"cpu/cpu.cfs_quota_us": "150000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 1.5),
        ({"cpu.max": "what is this"}, math.inf),
    ],
)
def test_the_limit_of_a_container(tmp_path, files, cores):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    own = tmp_path / "own"
    own.write_text("12:cpu:/x\n0::/a/b\n")
    assert _core_limit(tmp_path, own) == cores


@pytest.mark.parametrize(("limit", "threads"), [(0.1, 1), (0.5, 1), (1.0, 1), (1.5, 2), (math.inf, 4)])
def test_threads_follow_the_container(monkeypatch, limit, threads):
    monkeypatch.delenv("KPALETTE_THREADS", raising=False)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: range(4), raising=False)
    monkeypatch.setattr("kpalette.parallel._core_limit", lambda *_: limit)
    assert thread_count() == threads
