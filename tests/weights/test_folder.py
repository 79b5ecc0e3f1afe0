"""Checkpoints as folders: exact round trips, whole or not at all, and nothing in a file is trusted."""

import errno
import hashlib
import json
import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from kpalette.errors import ArgumentError, KPaletteError, OutputError
from kpalette.weights import folder as weights
from kpalette.weights import presets
from kpalette.weights import tensors as weights_files
from kpalette.weights.config import MAX_VALUES, CheckpointError
from kpalette.weights.folder import read_checkpoint, write_checkpoint
from kpalette.weights.presets import find_preset, list_checkpoints

CONFIG = {"model": "PaletteNet", "config": {"filters": 4, "conditioning": "pairs", "l2": 0.5, "flag": True, "no": None}}
NAMES = ["MODEL.md", "config.json", "metrics.json", "weights.safetensors"]


def make_tensors(seed: int = 0) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(seed)
    shapes = {"b/kernel": (3, 3, 2, 4), "b/bias": (4,), "a/dense/kernel": (5, 7), "scalar": (), "ä/u": (1, 2)}
    return {name: generator.normal(0, 1, shape).astype(np.float32) for name, shape in shapes.items()}


def write(folder: Path, **options) -> Path:
    return write_checkpoint(folder, **{"config": CONFIG, "tensors": make_tensors(), "half": False, **options})


@pytest.fixture
def folder(tmp_path) -> Path:
    return write(tmp_path / "made")


def edit(folder: Path, change) -> None:
    """Changes what config.json holds."""
    path = folder / "config.json"
    document = json.loads(path.read_text())
    path.write_text(json.dumps(change(document) or document))


def put_weights(folder: Path, data: bytes) -> None:
    """Puts other bytes in place of the weights, with a config.json that vouches for them."""
    (folder / "weights.safetensors").write_bytes(data)
    entry = {"name": "weights.safetensors", "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    edit(folder, lambda document: document.update(files=[entry]))


def fails(folder: Path, *parts: str) -> None:
    """Reading fails in one line that holds these parts."""
    with pytest.raises(CheckpointError) as caught:
        read_checkpoint(folder)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 500
    for part in parts:
        assert part in message


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


class TestRoundTrip:
    def test_float32_is_exact(self, folder):
        found = read_checkpoint(folder)
        wanted = make_tensors()
        assert list(found.tensors) == sorted(wanted)
        for name, array in wanted.items():
            assert found.tensors[name].dtype == np.float32
            np.testing.assert_array_equal(found.tensors[name], array, strict=True)
        assert {key: found.config[key] for key in CONFIG} == CONFIG
        assert found.folder == folder

    def test_float16_is_the_nearest_there_is(self, tmp_path):
        found = read_checkpoint(write(tmp_path / "x", half=True))
        assert found.config["dtype"] == "float16"
        for name, array in make_tensors().items():
            np.testing.assert_array_equal(found.tensors[name], array.astype(np.float16).astype(np.float32), strict=True)

    def test_what_was_read_can_be_written(self, folder, tmp_path):
        found = read_checkpoint(folder)
        write(tmp_path / "again", config=found.config, tensors=found.tensors, metrics=found.metrics)
        assert contents(tmp_path / "again").keys() == contents(folder).keys()
        for name in ("config.json", "weights.safetensors"):
            assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes()

    def test_files_and_their_text(self, tmp_path):
        metrics = {"ssim": np.float32(0.5), "by_size": {"256": [1, 2.5]}, "n": np.int64(3)}
        folder = write(tmp_path / "above" / "made", metrics=metrics, about="Trained on nothing.\n")
        assert sorted(contents(folder)) == NAMES
        assert read_checkpoint(folder).metrics == {"ssim": 0.5, "by_size": {"256": [1, 2.5]}, "n": 3}
        text = (folder / "config.json").read_text()
        assert text == json.dumps(json.loads(text), sort_keys=True, indent=2) + "\n"
        about = (folder / "MODEL.md").read_text()
        assert about.startswith("# made\n\nTrained on nothing.\n\n`PaletteNet(conditioning='pairs', filters=4, ")
        assert "114 weights in 5 tensors, float32" in about

    def test_order_and_layout_of_arrays_do_not_matter(self, folder, tmp_path):
        others = {name: np.array(array, order="F") for name, array in reversed(make_tensors().items())}
        others["b/kernel"] = np.repeat(others["b/kernel"], 2, axis=-1)[..., ::2].astype(">f8")
        write(tmp_path / "other", tensors=others)
        assert (tmp_path / "other/weights.safetensors").read_bytes() == (folder / "weights.safetensors").read_bytes()

    def test_many_files_of_limited_size(self, tmp_path, monkeypatch):
        monkeypatch.setattr(weights_files, "FILE_BYTES", 1000)
        tensors = {f"layer{i}/kernel": np.full((i, 10), i, np.float32) for i in range(1, 20)}
        tensors["huge"] = np.ones((50, 10), np.float32)
        found = read_checkpoint(write(tmp_path / "x", tensors=tensors))
        files = found.config["files"]
        assert [f["name"] for f in files] == [
            f"weights-{i + 1:05}-of-{len(files):05}.safetensors" for i in range(len(files))
        ]
        assert len(files) > 3
        alone = found.config["tensors"]["huge"]["file"]
        for file in files:
            assert (found.folder / file["name"]).stat().st_size == file["bytes"]
            assert file["bytes"] <= 1000 or file["name"] == alone
        for name, array in tensors.items():
            np.testing.assert_array_equal(found.tensors[name], array)

    def test_missing_metrics_are_none(self, folder):
        (folder / "metrics.json").unlink()
        assert read_checkpoint(folder).metrics == {}


class TestWhatCannotBeStored:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"tensors": {"a/b": [7e4]}, "half": True}, "'a/b' holds 70000, and float16 ends at 65504: use half=False"),
            ({"tensors": {"a/b": [np.nan]}}, "'a/b' holds numbers that are not finite"),
            ({"tensors": {"a/b": [1e300]}}, "'a/b' holds numbers that are not finite"),
            ({"tensors": {"a/b": ["x"]}}, "'a/b' is no array of numbers"),
            ({"tensors": {}}, '"tensors" is empty'),
            ({"tensors": {"a": np.zeros((0, 2))}}, "must be sizes above 0"),
            ({"tensors": {"a\n": [1]}}, "has a wrong name: 'a\\n'"),
            ({"tensors": {"__metadata__": [1]}}, "has a wrong name"),
            ({"config": {"model": "x", "config": {"a": [1]}}}, "'a' must be a plain value"),
            ({"config": {"model": "x"}}, '`config` must hold "model" and "config"'),
            ({"metrics": {"x": np.nan}}, "`metrics` must be what JSON can hold"),
            ({"metrics": {"x": {1, 2}}}, "`metrics` must be what JSON can hold: set is not"),
        ],
    )
    def test_is_told(self, tmp_path, options, message):
        with pytest.raises(ArgumentError, match=re.escape(message)):
            write(tmp_path / "x", **options)
        assert not list(tmp_path.iterdir())

    def test_the_end_of_float16_fits(self, tmp_path):
        found = read_checkpoint(write(tmp_path / "x", tensors={"a": [-65504.0, 65504.0]}, half=True))
        np.testing.assert_array_equal(found.tensors["a"], [-65504, 65504])


class TestWholeOrNotAtAll:
    @pytest.fixture(params=["weights-00002", "config.json", "metrics.json", "MODEL.md"])
    def full_disk(self, request, monkeypatch):
        """The disk is full at one of the files: half of it is written."""
        monkeypatch.setattr(weights_files, "FILE_BYTES", 400)

        def limited(method):
            def write(path, data, *rest):
                if not path.name.startswith(request.param):
                    return method(path, data, *rest)
                method(path, data[: len(data) // 2], *rest)
                raise OSError(errno.ENOSPC, "No space left on device")

            return write

        for name in ("write_bytes", "write_text"):
            monkeypatch.setattr(Path, name, limited(getattr(Path, name)))

    def test_full_disk_leaves_nothing(self, tmp_path, full_disk):
        with pytest.raises(OutputError, match="cannot write .*new: No space left on device"):
            write(tmp_path / "new")
        assert not list(tmp_path.iterdir())

    def test_full_disk_keeps_the_old(self, tmp_path, folder, full_disk):
        before = contents(folder)
        with pytest.raises(OutputError, match="No space left on device"):
            write(folder, tensors=make_tensors(1), overwrite=True)
        assert contents(folder) == before
        assert list(tmp_path.iterdir()) == [folder]

    @pytest.mark.parametrize("failure", [OSError(errno.EIO, "I/O error"), KeyboardInterrupt()])
    def test_failure_of_the_last_step_puts_the_old_back(self, tmp_path, folder, monkeypatch, failure):
        before = contents(folder)
        rename = Path.rename

        def fail(path, target):
            if target == folder and not path.name.endswith("-old"):
                raise failure
            return rename(path, target)

        monkeypatch.setattr(Path, "rename", fail)
        with pytest.raises(OutputError if isinstance(failure, OSError) else KeyboardInterrupt):
            write(folder, tensors=make_tensors(1), overwrite=True)
        assert contents(folder) == before
        assert list(tmp_path.iterdir()) == [folder]

    def test_another_program_that_was_faster_wins(self, tmp_path, monkeypatch):
        def slow(*arguments):
            (tmp_path / "x").mkdir()
            (tmp_path / "x/theirs").write_text("theirs")
            return "about"

        monkeypatch.setattr(weights, "_model_card", slow)
        with pytest.raises(OutputError, match="no checkpoint"):
            write(tmp_path / "x", overwrite=True)
        assert contents(tmp_path / "x") == {"theirs": b"theirs"}
        assert [path.name for path in tmp_path.iterdir()] == ["x"]


class TestOverwriting:
    def test_needs_to_be_asked_for(self, tmp_path, folder):
        before = contents(folder)
        with pytest.raises(OutputError, match="made exists already: use overwrite=True"):
            write(folder, tensors=make_tensors(1))
        assert contents(folder) == before
        write(folder, tensors={"other": [1.0]}, overwrite=True)
        assert list(read_checkpoint(folder).tensors) == ["other"]
        assert list(tmp_path.iterdir()) == [folder]

    def test_replaces_all_files_and_damaged_ones(self, tmp_path, folder, monkeypatch):
        with monkeypatch.context() as patch:
            patch.setattr(weights_files, "FILE_BYTES", 400)
            write(tmp_path / "many")
        (tmp_path / "many/weights-00001-of-00002.safetensors").write_bytes(b"damaged")
        write(tmp_path / "many", overwrite=True)
        assert sorted(contents(tmp_path / "many")) == NAMES

    @pytest.mark.parametrize("overwrite", [False, True])
    def test_never_replaces_what_is_no_checkpoint(self, tmp_path, overwrite):
        (tmp_path / "pictures").mkdir()
        (tmp_path / "pictures/a.png").write_bytes(b"x")
        (tmp_path / "other_model").mkdir()
        (tmp_path / "other_model/config.json").write_text('{"model": "resnet"}')
        (tmp_path / "file").write_bytes(b"x")
        for name, message in (
            ("pictures", "no checkpoint"),
            ("other_model", "no checkpoint"),
            ("file", "it is a file"),
        ):
            with pytest.raises(OutputError, match=message):
                write(tmp_path / name, overwrite=overwrite)
        assert (tmp_path / "pictures/a.png").exists()
        assert len(list(tmp_path.iterdir())) == 3

    def test_never_removes_other_files(self, folder):
        (folder / "notes.txt").write_text("mine")
        with pytest.raises(OutputError, match="notes.txt in it is no part of a checkpoint"):
            write(folder, overwrite=True)
        assert (folder / "notes.txt").read_text() == "mine"

    def test_an_empty_folder_is_nothing(self, tmp_path):
        (tmp_path / "empty").mkdir()
        read_checkpoint(write(tmp_path / "empty"))
        assert [path.name for path in tmp_path.iterdir()] == ["empty"]

    def test_links_are_written_through(self, tmp_path, folder):
        (tmp_path / "link").symlink_to(folder)
        write(tmp_path / "link", tensors={"other": [1.0]}, overwrite=True)
        assert (tmp_path / "link").is_symlink()
        assert list(read_checkpoint(folder).tensors) == ["other"]

    @pytest.mark.parametrize(
        ("name", "message"), [("", "name is empty"), ("a\0b", "null (byte|character)"), ("x" * 300, "too long")]
    )
    def test_names_that_cannot_be(self, tmp_path, monkeypatch, name, message):
        monkeypatch.chdir(tmp_path)
        with pytest.raises(OutputError, match=message):
            write(name)
        assert not list(tmp_path.iterdir())


def _set(*keys, to):
    def change(document):
        place = document
        for key in keys[:-1]:
            place = place[key]
        place[keys[-1]] = to

    return change


class TestMalformedConfig:
    @pytest.mark.parametrize(
        ("text", "part"),
        [
            ("", "is empty"),
            ("{", "is no JSON"),
            ("[1]", "must hold a JSON object"),
            ('{"format": NaN}', "NaN is no number"),
            ("[" * 100_000, "is no JSON"),
            ("\udcff", "is no JSON"),
            ("1" * 5000, "is no JSON"),
            (" " * (5 << 20), "more than the 4194304 it may have"),
        ],
        ids=lambda value: value[:20].strip() if isinstance(value, str) else None,
    )
    def test_no_json(self, folder, text, part):
        (folder / "config.json").write_bytes(text.encode("utf-8", "surrogateescape"))
        fails(folder, "config.json", part)

    @pytest.mark.parametrize("key", ["format", "model", "config", "dtype", "files", "tensors"])
    def test_missing_and_wrong_keys(self, folder, key):
        original = (folder / "config.json").read_text()
        edit(folder, lambda document: document.pop(key) and None)
        fails(folder, "config.json", f'"{key}" is missing')
        for wrong in (None, True, 1.5, {"x": "y"} if key in ("files", "format") else [1]):
            (folder / "config.json").write_text(original)
            edit(folder, _set(key, to=wrong))
            fails(folder, "config.json", f'"{key}" must be ')

    @pytest.mark.parametrize(
        ("change", "part"),
        [
            (_set("format", to=2), '"format" must be 1: a newer kpalette wrote it'),
            (_set("dtype", to="object"), '"dtype" must be float16 or float32'),
            (_set("config", "l2", to={"class_name": "Lambda"}), "'l2' must be a plain value"),
            (_set("files", to=[]), '"file" is not one of "files"'),
            (_set("files", 0, to="weights.safetensors"), '"files"[0]: must be an object'),
            (_set("files", 0, "sha256", to="A" * 64), '"sha256" must be 64 digits'),
            (_set("files", 0, "bytes", to=0), '"bytes" is out of range'),
            (_set("files", 0, "bytes", to=10**30), '"bytes" is out of range'),
            (lambda document: document["files"].append(document["files"][0]), "weights.safetensors is listed twice"),
            (_set("tensors", to={}), '"tensors" is empty'),
            (_set("tensors", "scalar", to=[]), "must be an object"),
            (_set("tensors", "scalar", "shape", to=[-1]), "must be sizes above 0"),
            (_set("tensors", "scalar", "shape", to=[True]), "must be sizes above 0"),
            (_set("tensors", "scalar", "shape", to=[1] * 99), "must be sizes above 0"),
            (_set("tensors", "scalar", "shape", to=[10**12, 10**12]), "is too large for weights.safetensors"),
            (_set("tensors", "scalar", "file", to="../x"), '"file" is not one of "files"'),
        ],
    )
    def test_wrong_entries(self, folder, change, part):
        edit(folder, lambda document: change(document) and None)
        fails(folder, f"{folder / 'config.json'}: ", part)

    @pytest.mark.parametrize(
        "name",
        ["../weights.safetensors", "/etc/passwd", "a/weights.safetensors", "..", "", "C:\\weights.safetensors",
         "weights.h5", "model.keras", "weights.safetensors\n", "weights-1-of-2.safetensors"],
    )  # fmt: skip
    def test_file_names_that_lead_elsewhere(self, folder, name):
        (folder.parent / "weights.safetensors").write_bytes((folder / "weights.safetensors").read_bytes())
        edit(folder, _set("files", 0, "name", to=name))
        fails(folder, "config.json", '"name" must be weights.safetensors or')

    def test_shapes_beyond_all_memory_are_never_made(self, folder):
        edit(folder, _set("files", 0, "bytes", to=8 * MAX_VALUES))
        edit(folder, _set("tensors", "scalar", "shape", to=[MAX_VALUES]))
        fails(folder, "config.json", "too large")

    def test_metrics(self, folder):
        (folder / "metrics.json").write_text("[]")
        fails(folder, "metrics.json", "must hold a JSON object")


def test_a_run_folder_is_not_taken_for_a_checkpoint(folder, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    (run / "config.json").write_text('{"phase": "pretrain"}')
    folder.rename(run / "best")
    fails(run, f"{run} is a run folder, not a checkpoint: its best weights are in {run / 'best'}")


class TestDamagedWeights:
    @pytest.mark.parametrize("place", [0, 100, -1])
    def test_a_changed_byte(self, folder, place):
        data = bytearray((folder / "weights.safetensors").read_bytes())
        data[place] ^= 1
        (folder / "weights.safetensors").write_bytes(data)
        fails(folder, "weights.safetensors", "SHA-256")

    def test_cut_lengthened_missing(self, folder):
        path = folder / "weights.safetensors"
        data = path.read_bytes()
        path.write_bytes(data[:-1])
        fails(folder, f"{path} has {len(data) - 1} bytes, not {len(data)}: it is cut short")
        path.write_bytes(data + b"x")
        fails(folder, f"{path} has {len(data) + 1} bytes, more than")
        path.write_bytes(b"")
        fails(folder, f"{path} is empty")
        path.unlink()
        fails(folder, f"{path} does not exist")
        path.mkdir()
        fails(folder, f"{path} is no regular file")

    def test_a_pickle_is_never_unpickled(self, folder, tmp_path):
        class Evil:
            def __reduce__(self):
                return (Path.touch, (tmp_path / "ran",))

        for data in (pickle.dumps(Evil()), pickle.dumps([Evil()] * 99) + b"\0" * 1000):
            put_weights(folder, data)
            fails(folder, "weights.safetensors")
        np.save(tmp_path / "x.npy", np.array([Evil()], object), allow_pickle=True)
        put_weights(folder, (tmp_path / "x.npy").read_bytes() + b"\0" * 1000)
        fails(folder, "weights.safetensors is no safetensors file")
        assert not (tmp_path / "ran").exists()

    @pytest.mark.parametrize(
        ("change", "part"),
        [
            (lambda t: t.pop("b/bias"), "tensor 'b/bias' is missing"),
            (lambda t: t.update(more=np.zeros(2, np.float32)), "tensor 'more' is not in config.json"),
            (lambda t: t.update({"b/bias": np.zeros((2, 2), np.float32)}), "shape [2, 2], not float32 of shape [4]"),
            (lambda t: t.update({"b/bias": np.zeros(4, np.int32)}), "'b/bias' is int32 of shape [4], not float32"),
        ],
    )
    def test_tensors_other_than_config_says(self, folder, change, part):
        tensors = make_tensors()
        change(tensors)
        tensors["b/kernel"] = np.ascontiguousarray(tensors["b/kernel"])
        # Long enough for the shapes of config.json, so that the file itself is looked at.
        put_weights(folder, safetensors.numpy.save(tensors, metadata={"room": " " * 500}))
        fails(folder, f"{folder / 'weights.safetensors'}: ", part)

    def test_a_type_that_numpy_has_not(self, folder):
        head = json.dumps({"x": {"dtype": "BF16", "shape": [300], "data_offsets": [0, 600]}}).encode()
        put_weights(folder, len(head).to_bytes(8, "little") + head + b"\0" * 600)
        fails(folder, "weights.safetensors")


class TestPresets:
    @pytest.fixture
    def clone(self, tmp_path, monkeypatch) -> Path:
        """A clone of its own, without presets."""
        (tmp_path / "clone/kpalette").mkdir(parents=True)
        (tmp_path / "clone/pyproject.toml").touch()
        monkeypatch.setattr(presets, "_PACKAGE", tmp_path / "clone/kpalette")
        monkeypatch.chdir(tmp_path)
        return tmp_path / "clone"

    def test_without_weights_the_command_is_named(self, clone):
        assert list_checkpoints() == ()
        for name, phase in (("palettenet", "adversarial --from RUN"), ("ablated", "pretrain")):
            for call in (find_preset, read_checkpoint):
                with pytest.raises(CheckpointError) as caught:
                    call(name)
                assert f"weights of '{name}' are not there" in str(caught.value)
                assert f"`python -m kpalette.train --phase {phase}`" in str(caught.value)
                assert "or give a checkpoint folder" in str(caught.value)

    def test_found_in_the_package_then_in_the_clone(self, clone):
        write(clone / "checkpoints/ablated")
        assert find_preset("ablated") == clone / "checkpoints/ablated"
        assert list_checkpoints() == ("ablated",)
        write(clone / "kpalette/checkpoints/ablated")
        write(clone / "kpalette/checkpoints/palettenet")
        assert find_preset("ablated") == clone / "kpalette/checkpoints/ablated"
        assert read_checkpoint("ablated").folder == clone / "kpalette/checkpoints/ablated"
        assert list_checkpoints() == ("palettenet", "ablated")

    def test_beside_an_installed_package_is_no_clone(self, clone):
        (clone / "pyproject.toml").unlink()
        write(clone / "checkpoints/ablated")
        assert list_checkpoints() == ()

    def test_names_and_folders(self, clone, tmp_path):
        write(clone / "checkpoints/ablated")
        (tmp_path / "ablated").mkdir()
        assert read_checkpoint("ablated").folder == clone / "checkpoints/ablated"
        with pytest.raises(CheckpointError, match="ablated is no checkpoint: it has no config.json"):
            read_checkpoint(Path("ablated"))
        write(tmp_path / "ablated")
        assert read_checkpoint("ablated").folder == Path("ablated")
        write(tmp_path / "mine")
        assert read_checkpoint("mine").folder == Path("mine")
        assert read_checkpoint("clone/checkpoints/ablated").tensors

    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("nothing", "no checkpoint 'nothing': give one of palettenet, ablated, or a checkpoint folder"),
            ("", "no checkpoint ''"),
            (3, "must be a preset's name or a folder. Received: 3"),
            ("a/b", "a/b is no folder"),
            ("clone", "clone is no checkpoint"),
            (Path("nothing"), "nothing is no folder"),
            ("a\0b", "no checkpoint"),
            ("x" * 300, "too long"),
        ],
        ids=str,
    )
    def test_what_there_is_not(self, clone, name, message):
        with pytest.raises(KPaletteError, match=message):
            read_checkpoint(name)


def test_no_backend_is_needed(folder):
    code = (
        "import sys; from kpalette.weights.folder import read_checkpoint\n"
        f"read_checkpoint({str(folder)!r}); assert not {{'keras', 'tensorflow', 'jax', 'torch'}} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_arrays_in_any_memory_order_come_back_as_they_were(tmp_path):
    values = np.arange(24.0).reshape(2, 3, 4)
    stored = {
        "plain": values, "transposed": values.T, "fortran": np.asfortranarray(values), "strided": values[:, ::2, ::-1],
        "scalar": np.float64(3), "row": np.asfortranarray(values[0]).astype(np.float16).T,
    }  # fmt: skip
    for half in (True, False):
        folder = write(tmp_path / str(half), tensors=stored, half=half)
        for name, array in read_checkpoint(folder).tensors.items():
            assert array.shape == np.shape(stored[name])
            np.testing.assert_array_equal(array, stored[name])
