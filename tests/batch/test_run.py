import gc
import os
import pickle
import time

import numpy as np
import pytest

from kpalette import read_image, recolor, write_image
from kpalette.batch.job import Job, RecolorFile
from kpalette.batch.manifest import Manifest
from kpalette.batch.run import default_workers, run_batch
from kpalette.errors import ImageError, KPaletteError
from kpalette.palettes.palette import Palette
from kpalette.recolorers.recipe import Recipe


def resident() -> int:
    """Bytes of memory that this process holds now."""
    with open("/proc/self/statm") as stream:
        return int(stream.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def name_of(job: Job) -> str:
    """Later jobs end sooner: the order of outcomes must not depend on it."""
    time.sleep(max(0.0, 0.05 - int(job.source) * 0.01))
    if job.source == "3":
        raise ImageError("three is bad")
    return f"{job.destination}!"


def die(job: Job) -> str:
    os._exit(9)


def write_pictures(count: int, photo: np.ndarray) -> list[Job]:
    """Writes so many small pictures, no two alike, by number, into the working folder."""
    os.mkdir("in")
    for number in range(count):
        y, x = divmod(number, 32)
        write_image(f"in/{number:04}.png", np.ascontiguousarray(np.roll(photo, (-3 * y, -3 * x), (0, 1))[:16, :16]))
    return [Job(f"in/{number:04}.png", f"out/{number:04}.png") for number in range(count)]


@pytest.fixture
def pictures(tmp_path, photo, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return write_pictures(60, photo)


@pytest.mark.parametrize("workers", [1, 3])
def test_outcomes_are_in_order_and_failures_do_not_stop_a_batch(workers):
    jobs = [Job(str(number), f"to {number}") for number in range(6)]
    outcomes = list(run_batch(jobs, name_of, workers=workers))
    assert [outcome.job for outcome in outcomes] == jobs
    assert [outcome.error for outcome in outcomes] == [None, None, None, "3: three is bad", None, None]
    assert outcomes[4].destination == "to 4!"


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="no /proc here")
def test_a_thousand_pictures_in_order_and_in_bounded_memory(tmp_path, photo, monkeypatch, four):
    monkeypatch.chdir(tmp_path)
    pictures = write_pictures(1000, photo)
    outcomes = run_batch(iter(pictures), RecolorFile(Recipe(four, "soft")), workers=1)
    sizes = []
    for number, outcome in enumerate(outcomes):
        assert (outcome.job, outcome.error) == (pictures[number], None)
        if number % 100 == 99:
            gc.collect()
            sizes.append(resident())
    assert len(os.listdir("out")) == 1000
    assert sizes[-1] - sizes[1] < 8 << 20, [size >> 20 for size in sizes]
    for number in (0, 503, 999):
        job = pictures[number]
        np.testing.assert_array_equal(
            read_image(job.destination).rgb, recolor(read_image(job.source).rgb, four, model="soft")
        )


def test_two_processes_give_the_same_results_and_take_jobs_only_as_needed(pictures, four):
    taken = 0

    def counted():
        nonlocal taken
        for job in pictures[:60]:
            taken += 1
            yield job

    for number, outcome in enumerate(run_batch(counted(), RecolorFile(Recipe(four)), workers=2)):
        assert outcome.job == pictures[number]
        assert taken <= number + 1 + 2 * 2
    for job in pictures[:60:7]:
        np.testing.assert_array_equal(read_image(job.destination).rgb, recolor(read_image(job.source).rgb, four))


def test_a_stopped_batch_is_resumed(pictures, four):
    jobs, work = pictures[:20], RecolorFile(Recipe(four))
    record = Manifest("out", work.settings())
    running = run_batch(jobs, work, record=record)
    for _ in range(7):
        next(running)
    running.close()
    times = {name: os.stat(f"out/{name}").st_mtime_ns for name in os.listdir("out") if name.endswith("png")}
    record = Manifest("out", work.settings())
    record.read()
    outcomes = list(run_batch(jobs, work, record=record))
    assert [outcome.skipped for outcome in outcomes[:6]] == [True] * 6
    assert not outcomes[-1].skipped
    assert [outcome.error for outcome in outcomes] == [None] * 20
    for name in sorted(times)[:6]:
        assert os.stat(f"out/{name}").st_mtime_ns == times[name]


def test_without_a_record_existing_results_are_left_alone(pictures, four):
    list(run_batch(pictures[:1], RecolorFile(Recipe(four))))
    (outcome,) = run_batch(pictures[:1], RecolorFile(Recipe(four)), record=Manifest("out", {}))
    assert "out/0000.png exists already" in outcome.error


def test_a_worker_that_dies_is_named(tmp_path):
    with pytest.raises(KPaletteError, match="a worker process died at 0 or soon after it, perhaps out of memory: use"):
        list(run_batch([Job("0", "a"), Job("1", "b")], die, workers=2))


def test_the_environment_is_unchanged(monkeypatch):
    monkeypatch.setenv("KPALETTE_THREADS", "5")
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    list(run_batch([Job("0", "a")], name_of, workers=2))
    assert os.environ["KPALETTE_THREADS"] == "5"
    assert "OPENBLAS_NUM_THREADS" not in os.environ


def test_settings_are_plain_and_complete(four):
    work = RecolorFile(Recipe(four, source=Palette.parse("red blue"), lightness=0.5))
    assert pickle.loads(pickle.dumps(work)).settings() == work.settings()
    assert work.settings() != RecolorFile(Recipe(four, source=Palette.parse("red green"), lightness=0.5)).settings()
    assert set(work.settings()) == {
        "target", "model", "source", "match", "lightness", "seed", "background", "strip", "runtime", "tone"
    }  # fmt: skip


def test_small_batches_get_fewer_processes(monkeypatch):
    monkeypatch.setenv("KPALETTE_THREADS", "4")
    assert [default_workers(count) for count in (1, 7, 8, 15, 100)] == [1, 1, 2, 3, 4]
