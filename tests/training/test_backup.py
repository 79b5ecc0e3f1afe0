import numpy as np
import pytest

from kpalette.errors import ArgumentError, OutputError
from kpalette.training.backup import read_backup, write_backup

TENSORS = {"a/0000": np.arange(6, dtype=np.float32).reshape(2, 3), "a/0001": np.array(7, dtype=np.int64)}


def write(folder, *epochs):
    for epoch in epochs:
        tensors = {**TENSORS, "a/0001": np.array(epoch, dtype=np.int64)}
        write_backup(folder, epoch=epoch, tensors=tensors, notes={"best": [epoch, None]})


def test_what_was_written_comes_back(tmp_path):
    write(tmp_path / "backup", 3)
    epoch, tensors, notes, passed = read_backup(tmp_path / "backup")
    assert (epoch, notes, passed) == (3, {"best": [3, None]}, [])
    np.testing.assert_array_equal(tensors["a/0000"], TENSORS["a/0000"])
    assert tensors["a/0001"].dtype == np.int64
    assert tensors["a/0001"].shape == ()


def test_arrays_in_any_memory_order_come_back_as_they_were(tmp_path):
    values = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    tensors = {"a": values.T, "b": np.asfortranarray(values), "c": values[:, ::2, ::-1], "d": np.array(3)}
    write_backup(tmp_path, epoch=1, tensors=tensors, notes={})
    _, found, _, passed = read_backup(tmp_path)
    assert passed == []
    for name, array in tensors.items():
        assert found[name].shape == array.shape
        np.testing.assert_array_equal(found[name], array)


def test_the_last_two_are_kept(tmp_path):
    write(tmp_path, 1, 2, 3, 10, 9)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "epoch-000009.safetensors", "epoch-000010.safetensors",
    ]  # fmt: skip
    assert read_backup(tmp_path)[0] == 10


@pytest.mark.parametrize("damage", ["cut", "empty", "changed", "other"])
def test_a_damaged_one_gives_way_to_the_one_before(tmp_path, damage):
    write(tmp_path, 1, 2)
    path = tmp_path / "epoch-000002.safetensors"
    data = bytearray(path.read_bytes())
    if damage == "changed":
        data[-10] ^= 1
    path.write_bytes({"cut": data[:-5], "empty": b"", "other": b"\x08" + b"\0" * 7 + b"{}      "}.get(damage, data))
    epoch, tensors, _, passed = read_backup(tmp_path)
    assert epoch == 1
    assert int(tensors["a/0001"]) == 1
    assert len(passed) == 1
    assert passed[0].startswith(f"{path} is damaged: ")


def test_all_damaged(tmp_path):
    write(tmp_path, 1)
    (tmp_path / "epoch-000001.safetensors").write_bytes(b"x")
    with pytest.raises(ArgumentError, match="no backup can be read: .*epoch-000001.*; start the run anew"):
        read_backup(tmp_path)


@pytest.mark.parametrize("made", [True, False])
def test_no_backup_is_no_error(tmp_path, made):
    if made:
        (tmp_path / "backup").mkdir()
    assert read_backup(tmp_path / "backup") == (0, {}, {}, [])


def test_a_full_disk_leaves_those_before(tmp_path, monkeypatch):
    write(tmp_path, 1, 2)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.open", full)
    with pytest.raises(OutputError, match="cannot write .*epoch-000003.safetensors: No space left on device"):
        write(tmp_path, 3)
    monkeypatch.undo()
    assert read_backup(tmp_path)[0] == 2
