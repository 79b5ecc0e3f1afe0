import itertools
import json
import logging
import os
import subprocess
import sys
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial

import numpy as np
import pytest

from kpalette.color.spaces import rgb_to_lab
from kpalette.data import swatches
from kpalette.data.builtin import paint
from kpalette.data.designed import choose, designed_palettes
from kpalette.data.image_set import ImageSet, Item, hash_share
from kpalette.data.swatches import cache_folder, extract_swatches
from kpalette.errors import ArgumentError, ImageError, PaletteError
from kpalette.images.picture import resize
from kpalette.palettes.extract import extract_palette
from kpalette.palettes.presets import list_presets
from tests.data.fixtures import encode, image_set, picture

ONE_COLOR = np.full((8, 8, 3), 90, np.uint8)
THREE_COLORS = np.repeat(np.array([[[255, 0, 0], [0, 0, 0], [255, 255, 255]]], np.uint8), 4, axis=0)


@pytest.fixture
def unread(monkeypatch):
    """From here on, whoever decodes a picture fails."""

    def forbid():
        monkeypatch.setattr("kpalette.data.swatches.decode", lambda *_, **__: pytest.fail("decoded again"))

    return forbid


def test_palettes_are_those_of_single_calls(tmp_path, photo):
    images = image_set(photo[::2, ::2], THREE_COLORS, encode(picture(1)))
    usable, table, skipped = extract_swatches(images, cache=tmp_path)
    assert usable.names == images.names
    assert skipped == ()
    assert (len(table), table.lab.shape, table.lab.dtype) == (3, (3, 7, 8, 3), np.float32)
    assert (table.count.shape, table.count.dtype) == ((3, 7), np.uint8)
    for n, k in np.ndindex(3, 7):
        expected = extract_palette(images.read(n), size=k + 2, method="kmeans")
        assert table.count[n, k] == len(expected)
        np.testing.assert_array_equal(table.lab[n, k, : len(expected)], expected.lab.astype(np.float32))
        assert (np.diff(table.lab[n, k, : len(expected), 0]) >= 0).all()
        assert not table.lab[n, k, len(expected) :].any()
    assert table.count[1].tolist() == [2, 3, 3, 3, 3, 3, 3]


def test_large_pictures_are_shrunk_first(tmp_path):
    large = picture(0, height=300, width=40)
    _, table, _ = extract_swatches(image_set(large).held(), cache=tmp_path)
    expected = extract_palette(resize(large, longest=256), size=8, method="kmeans")
    np.testing.assert_array_equal(table.lab[0, 6], expected.lab.astype(np.float32))


def broken() -> bytes:
    raise ImageError("no.png does not exist")


def test_unusable_pictures_are_named(tmp_path, unread):
    whole = encode(picture(0), form="JPEG")
    images = image_set(ONE_COLOR, whole, whole[:300], b"", THREE_COLORS, names=["a", "b", "c\n", "d", "e"])
    images = type(images)("x", (*images.items, Item("no.png", "", broken)))
    usable, table, skipped = extract_swatches(images, cache=tmp_path)
    assert usable.names == ("b", "e")
    assert len(table) == 2
    assert skipped[0] == "a: the picture has a single colour"
    assert skipped[1].startswith("c\\n: cannot read the picture, the file is damaged: ")
    assert skipped[2:] == ("d: the picture is empty (0 bytes)", "no.png: no.png does not exist")
    unread()
    again, same, lines = extract_swatches(images, cache=tmp_path)
    assert again.names == usable.names
    assert lines == skipped
    np.testing.assert_array_equal(same.lab, table.lab)
    np.testing.assert_array_equal(same.count, table.count)


def test_nothing_usable_is_an_error(tmp_path):
    with pytest.raises(ImageError, match=r"memory has no usable picture: 0.png: the picture is empty .*, and 1 more"):
        extract_swatches(image_set(b"", ONE_COLOR), cache=tmp_path)
    with pytest.raises(ImageError, match=r"memory has no usable picture: 0.png: the picture has a single colour$"):
        extract_swatches(image_set(ONE_COLOR), cache=tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_cache_knows_the_set(tmp_path, unread):
    images = image_set(THREE_COLORS, encode(picture(0, height=8, width=8)))
    extract_swatches(images, cache=tmp_path / "new" / "folder")
    extract_swatches(images.subset([1]), cache=tmp_path / "new" / "folder")
    assert len(list((tmp_path / "new" / "folder").glob("swatches-*.npz"))) == 2
    unread()
    assert len(extract_swatches(images, cache=tmp_path / "new" / "folder")[1]) == 2
    assert len(extract_swatches(images.subset([1]), cache=tmp_path / "new" / "folder")[1]) == 1


def damages(file):
    whole = file.read_bytes()
    with np.load(file) as data:
        parts = dict(data)
    yield b""
    yield b"garbage"
    yield whole[: len(whole) // 2]
    for change in (
        {"lab": parts["lab"][:, :6]},
        {"lab": parts["lab"].astype(np.float64)},
        {"usable": np.array([0, 7])},
        {"usable": np.array([0])},
        {"count": np.array([None] * 14).reshape(2, 7)},
    ):
        np.savez(file, **(parts | change))
        yield file.read_bytes()
    del parts["count"]
    np.savez(file, **parts)
    yield file.read_bytes()


def test_a_damaged_cache_is_made_anew(tmp_path):
    images = image_set(THREE_COLORS, encode(picture(0, height=8, width=8)))
    _, table, _ = extract_swatches(images, cache=tmp_path)
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    for data in [*damages(file)]:
        file.write_bytes(data)
        np.testing.assert_array_equal(extract_swatches(images, cache=tmp_path)[1].lab, table.lab)
        assert file.read_bytes() == whole


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path, caplog):
    (tmp_path / "file").write_bytes(b"")
    assert len(extract_swatches(image_set(THREE_COLORS), cache=tmp_path / "file" / "x")[1]) == 1
    assert "palettes will be extracted again next time, the cache cannot be written: " in caplog.text


def test_where_the_cache_lies(tmp_path, monkeypatch, unread):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert cache_folder() == tmp_path / "cache" / "kpalette"
    extract_swatches(image_set(THREE_COLORS))
    assert [path.parent for path in tmp_path.rglob("*.npz")] == [cache_folder()]
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "kpalette"


def test_progress_and_worker_processes_change_nothing(tmp_path):
    pictures = [encode(picture(i, height=2, width=3)) for i in range(49)] + [b"broken"]
    seen: list[tuple[int, int]] = []
    images = image_set(*pictures)
    usable, table, skipped = extract_swatches(
        images, cache=tmp_path / "a", workers=2, progress=lambda *done: seen.append(done)
    )
    _, alone, lines = extract_swatches(images, cache=tmp_path / "b", workers=1)
    np.testing.assert_array_equal(table.lab, alone.lab)
    assert len(usable) == 49
    assert skipped == lines
    assert seen == [(16, 50), (32, 50), (48, 50), (50, 50)]


def test_a_program_without_a_guard_runs_once(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        "from kpalette.data.builtin import paint\n"
        "from kpalette.data.image_set import ImageSet, Item\n"
        "from kpalette.data.swatches import extract_swatches\n"
        "items = tuple(Item(str(i), '', lambda i=i: paint(i)[:6, :6]) for i in range(20))\n"
        f"print(len(extract_swatches(ImageSet('x', items), cache={str(tmp_path)!r}, workers=2)[1]))\n"
    )
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, env=environment, timeout=60)
    assert (done.stdout, done.stderr) == ("20\n", "")


def test_workers_that_die_are_replaced_by_this_process(tmp_path, monkeypatch, caplog):
    items = tuple(Item(str(i), "", partial(picture_of, i)) for i in range(20))
    real = swatches.worker_pool

    @contextmanager
    def dying(workers, **options):
        with real(1, **options) as submit:
            calls = itertools.count()

            def call(*arguments):
                if workers > 1 and next(calls) > 0:
                    failed: Future = Future()
                    failed.set_exception(BrokenProcessPool("a worker died"))
                    return failed
                return submit(*arguments)

            yield call

    monkeypatch.setattr(swatches, "worker_pool", dying)
    with caplog.at_level(logging.WARNING):
        usable, table, skipped = extract_swatches(ImageSet("x", items), cache=tmp_path, workers=2)
    assert (len(usable), len(table), skipped) == (20, 20, ())
    assert ["worker processes ended early" in message for message in caplog.messages] == [True]
    monkeypatch.undo()
    again = extract_swatches(ImageSet("x", items), cache=tmp_path / "again", workers=1)[1]
    np.testing.assert_array_equal(again.lab, table.lab)


def picture_of(number: int) -> np.ndarray:
    return paint(number)[:6, :6]


def write_palettes(path, palettes):
    path.write_text(json.dumps({"notes": "x", "palettes": palettes}))
    return path


def test_designed_palettes_are_split_by_name(tmp_path):
    colors = ["#ff0000", "#00ff00", "#0000ff", "#fff"]
    entries = [{"name": f"p{i}", "colors": colors[: 2 + i % 3], "kind": "palette"} for i in range(60)]
    path = write_palettes(tmp_path / "x.json", [*entries, {"name": "one", "colors": ["#fff"]}])
    parts = [designed_palettes(path, part=part) for part in ("train", "report", "all")]
    in_train = [hash_share(f"p{i}") < 0.5 for i in range(60)]
    assert [len(part) for part in parts] == [sum(in_train), 60 - sum(in_train), 60]
    assert [len(lab) for lab in parts[2]] == [len(entry["colors"]) for entry in entries]
    np.testing.assert_array_equal(parts[2][0], rgb_to_lab(np.array([[1.0, 0, 0], [0, 1, 0]])))
    assert parts[2][0].dtype == np.float64


def test_presets_stand_in(monkeypatch, tmp_path):
    monkeypatch.setenv("KPALETTE_HOME", str(tmp_path))
    halves = [designed_palettes(None, part=part) for part in ("train", "report")]
    assert min(map(len, halves)) >= 4
    assert sum(map(len, halves)) == len(designed_palettes(None, part="all")) == len(list_presets())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "[]",
        "{}",
        '{"palettes": 3}',
        '{"palettes": [{"name": "a"}]}',
        '{"palettes": [3]}',
        "\udcff",
        "[" * 9999,
    ],
)
def test_files_of_another_form(tmp_path, text):
    path = tmp_path / "x.json"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(PaletteError, match=r"x.json (is empty|is not of the form \{.palettes.: \[)"):
        designed_palettes(path)


def test_wrong_colours_and_parts(tmp_path):
    path = write_palettes(tmp_path / "x.json", [{"name": "sky", "colors": ["#fff", "blau"]}])
    with pytest.raises(PaletteError, match=r"x.json: the palette 'sky': .*blau"):
        designed_palettes(path)
    with pytest.raises(PaletteError, match=r"x.json: the palette 'sky': "):
        designed_palettes(write_palettes(path, [{"name": "sky", "colors": [3]}]))
    with pytest.raises(PaletteError, match=r"x.json: no palette is in the part 'all'"):
        designed_palettes(write_palettes(path, []), part="all")
    with pytest.raises(PaletteError, match="nowhere.json does not exist"):
        designed_palettes(tmp_path / "nowhere.json")
    with pytest.raises(ArgumentError, match="`part` must be one of train, report, all. Received: 'test'"):
        designed_palettes(None, part="test")


def test_choose():
    palette = np.arange(15.0).reshape(5, 3)
    generator = np.random.default_rng(0)
    assert choose(palette, 6, generator) is None
    np.testing.assert_array_equal(choose(palette, 5, generator), palette)
    first = choose(palette, 3, np.random.default_rng(4))
    np.testing.assert_array_equal(first, choose(palette, 3, np.random.default_rng(4)))
    assert (np.diff(first[:, 0]) > 0).all()
    seen = {tuple(choose(palette, 1, generator)[0]) for _ in range(99)}
    assert len(seen) == 5
