import json
import os
import subprocess
import sys

import pytest

from kpalette.batch.manifest import DONE, FAILED, MANIFEST_NAME, STARTED, Manifest
from kpalette.errors import OutputError
from kpalette.files import host_mark, remove_parts

MARK = host_mark()


@pytest.fixture
def made(tmp_path, monkeypatch):
    """A source and its result."""
    monkeypatch.chdir(tmp_path)
    os.mkdir("out")
    for name in ("a.png", "out/a.png"):
        with open(name, "wb") as stream:
            stream.write(b"data")
    return "a.png", "out/a.png"


def again(settings=(("seed", 0),)) -> Manifest:
    record = Manifest("out", dict(settings))
    record.read()
    return record


def test_a_picture_is_done_for_the_same_settings_source_and_result(made):
    source, result = made
    Manifest("out", {"seed": 0}).add(DONE, source=source, destination=result, result=result)
    assert again().is_done(source, result)
    assert not again([("seed", 1)]).is_done(source, result)
    assert not again().is_done(source, "out/b.png")
    assert not again().is_done("b.png", result)
    with open(source, "ab") as stream:
        stream.write(b"more")
    assert not again().is_done(source, result)
    assert again().may_replace(source, result)


def test_a_result_that_was_removed_is_not_done(made):
    source, result = made
    Manifest("out", {"seed": 0}).add(DONE, source=source, destination=result, result=result)
    os.remove(result)
    assert not again().is_done(source, result)


def test_only_what_the_batch_wrote_itself_may_be_replaced(made):
    source, result = made
    record = Manifest("out", {"seed": 0})
    assert not record.may_replace(source, result)
    record.add(STARTED, source=source, destination=result)
    assert again().was_begun(source, result)
    assert not again().may_replace(source, result)
    record.add(DONE, source=source, destination=result, result=result)
    assert again().may_replace(source, result)
    record.add(STARTED, source=source, destination=result)  # the source has changed, and the batch stopped
    assert again().may_replace(source, result)
    assert not again().is_done(source, result)
    with open(result, "ab") as stream:
        stream.write(b"retouched")
    assert not again().may_replace(source, result)
    record.add(FAILED, source=source, destination=result, error="no")
    assert not again().was_begun(source, result)
    assert not again().may_replace(source, result)


def test_after_a_failure_the_result_may_still_be_replaced(made):
    source, result = made
    record = Manifest("out", {"seed": 0})
    record.add(DONE, source=source, destination=result, result=result)
    record.add(STARTED, source=source, destination=result)
    record.add(FAILED, source=source, destination=result, error="the source is damaged")
    assert again().may_replace(source, result)


def test_a_changed_result_is_not_done(made):
    """Changed by the user, or by a batch of other settings."""
    source, result = made
    Manifest("out", {"seed": 0}).add(DONE, source=source, destination=result, result=result)
    with open(result, "wb") as stream:
        stream.write(b"other")
    assert not again().is_done(source, result)


def test_a_source_that_changes_during_the_job_is_not_done(made):
    source, result = made
    record = Manifest("out", {"seed": 0})
    record.add(STARTED, source=source, destination=result)
    with open(source, "ab") as stream:
        stream.write(b"more")
    record.add(DONE, source=source, destination=result, result=result)
    assert not again().is_done(source, result)


def test_a_manifest_of_an_earlier_batch_is_not_removed(made):
    source, result = made
    first, second = Manifest("out", {"seed": 0}), Manifest("out", {"seed": 1})
    first.add(STARTED, source=source, destination=result)
    second.add(STARTED, source=source, destination=result)
    second.remove()
    assert os.path.exists(f"out/{MANIFEST_NAME}")
    first.remove()
    assert not os.path.exists(f"out/{MANIFEST_NAME}")


def test_the_result_may_have_another_name_than_the_destination(made):
    source, result = made
    Manifest("out", {"seed": 0}).add(DONE, source=source, destination="out/a", result=result)
    assert again().is_done(source, "out/a")


def test_the_folder_may_be_moved(made):
    source, result = made
    Manifest("out", {"seed": 0}).add(DONE, source=source, destination=result, result=result)
    os.rename("out", "moved")
    record = Manifest("moved", {"seed": 0})
    record.read()
    assert record.is_done(source, "moved/a.png")


def test_damaged_and_foreign_lines_are_skipped(made):
    source, result = made
    Manifest("out", {"seed": 0}).add(DONE, source=source, destination=result, result=result)
    path = f"out/{MANIFEST_NAME}"
    with open(path, "a") as stream:
        stream.write('7\n[]\n{"run": 3}\n\xff\n{"state": "done", "run"')
    record = again()
    assert record.is_done(source, result)
    record.add(DONE, source="b.png", destination="out/b.png", result="out/b.png")
    lines = open(path).read().splitlines()
    assert json.loads(lines[-1])["destination"] == "b.png"
    assert json.loads(lines[0])["settings"] == {"seed": 0}
    assert again().is_done(source, result)


def test_a_folder_that_cannot_be_written(made):
    with pytest.raises(OutputError, match="cannot write a.png/x/.kpalette-batch.jsonl: Not a directory"):
        Manifest("a.png/x", {}).add(DONE, source="a.png", destination="a.png/x/a.png")
    os.mkdir(f"out/{MANIFEST_NAME}")
    with pytest.raises(OutputError, match="cannot read out/.kpalette-batch.jsonl: Is a directory"):
        again()


def test_unfinished_files_of_dead_processes_are_removed_and_those_of_living_ones_are_not(made):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    for name in (
        f".kpalette-{MARK}-{dead.pid}-1.part",
        f".kpalette-{MARK}-{os.getpid()}-1.part",
        f".kpalette-0-{dead.pid}-1.part",
        "b.part",
    ):
        open(f"out/{name}", "w").close()
    remove_parts(["out", "out", "none"])
    kept = [f".kpalette-0-{dead.pid}-1.part", f".kpalette-{MARK}-{os.getpid()}-1.part", "a.png", "b.part"]
    assert sorted(os.listdir("out")) == kept
