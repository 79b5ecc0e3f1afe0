"""Folders that are held by a lock, or replaced whole."""

import pytest

from kpalette.errors import OutputError
from kpalette.files import held_folder, replaced_folder, restore_folder
from tests.conftest import load


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_held_folder_that_stays_empty_is_removed(tmp_path):
    with held_folder(tmp_path / "a" / "b", taken="in use"):
        assert (tmp_path / "a" / "b").is_dir()
    assert names(tmp_path) == ["a"]
    with held_folder(tmp_path / "b", taken="in use"):
        (tmp_path / "b" / "result").touch()
    assert names(tmp_path / "b") == [".lock", "result"]


def test_a_folder_that_was_there_stays(tmp_path):
    with held_folder(tmp_path, taken="in use"):
        pass
    assert names(tmp_path) == [".lock"]


def test_a_folder_is_held_by_one_process(tmp_path):
    fcntl = load("fcntl")
    with (tmp_path / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(OutputError, match="^in use$"), held_folder(tmp_path, taken="in use"):
            pass


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot make .*file/run"), held_folder(tmp_path / "file" / "run", taken=""):
        pass


def test_a_folder_is_replaced_whole(tmp_path):
    for content in ("one", "two"):
        with replaced_folder(tmp_path / "up" / "target") as new:
            (new / content).touch()
        assert names(tmp_path / "up") == ["target"]
        assert names(tmp_path / "up" / "target") == [content]


def test_a_folder_stays_as_it_was_where_the_new_one_fails(tmp_path):
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "old").touch()

    def fill():
        with replaced_folder(tmp_path / "target") as new:
            (new / "half").touch()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fill()
    assert names(tmp_path) == ["target"]
    assert names(tmp_path / "target") == ["old"]


def test_a_folder_comes_back_where_a_kill_came_between_two_renames(tmp_path):
    (tmp_path / ".kpalette-abc-old").mkdir()
    restore_folder(tmp_path / "best")
    assert names(tmp_path) == ["best"]
    (tmp_path / ".kpalette-def-old").mkdir()
    restore_folder(tmp_path / "best")
    assert names(tmp_path) == [".kpalette-def-old", "best"]
