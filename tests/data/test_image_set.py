import gzip
import hashlib
import io
import logging
import os
import subprocess
import sys
import tarfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from kpalette.data.builtin import GENERATED, embedded, paint
from kpalette.data.image_set import ImageSet, Item, hash_share, split
from kpalette.data.sources import open_images
from kpalette.errors import ArgumentError, ImageError
from tests.data.fixtures import encode, image_set, picture, write_folder, write_tar


def named(names: list[str], artists: list[str]) -> ImageSet:
    pairs = zip(names, artists, strict=True)
    return ImageSet("test", tuple(Item(name, "", lambda: b"", artist=artist) for name, artist in pairs))


FILES = {"b/2.png": encode(picture(2)), "a.png": encode(picture(0)), "b/1.png": encode(picture(1))}
CLUTTER = {
    ".hidden.png": b"x", "b/._1.png": b"x", ".git/3.png": b"x", ".DS_Store": b"x", "notes.txt": b"x", "more.tar": b"x",
}  # fmt: skip


@pytest.fixture(params=["folder", "tar", "tar.gz"])
def source(request, tmp_path):
    """A way to write files as a source of each kind."""

    def make(files):
        if request.param == "folder":
            (tmp_path / "source").mkdir()
            return write_folder(tmp_path / "source", files)
        mode = "w:gz" if request.param == "tar.gz" else "w"
        return write_tar(tmp_path / f"source.{request.param}", files, mode=mode)

    return make


def test_pictures_by_name_without_clutter(source):
    images = open_images(source(FILES | CLUTTER))
    assert images.names == ("a.png", "b/1.png", "b/2.png")
    assert images.artists == ("a", "1", "2")
    assert images.styles == images.splits == ("", "", "")
    assert images.skipped == ()
    for i in range(3):
        np.testing.assert_array_equal(images.read(i), picture(i))


def test_names_in_any_script(source):
    names = ["ünïcode/写楽_x.png", "e\u0301.png", "a b\n'\".png"]
    images = open_images(source(dict.fromkeys(names, FILES["a.png"])))
    assert sorted(images.names) == sorted(names)
    assert "\u00e9" in images.artists  # composed
    assert len(images.fingerprint) == 16


def test_names_that_are_no_text(tmp_path):
    folder = os.fsencode(tmp_path)
    with open(folder + b"/\xff\xfe.png", "wb") as stream:
        stream.write(b"no picture")
    (tmp_path / "ok.png").write_bytes(FILES["a.png"])
    images = open_images(tmp_path)
    assert len(images) == 2
    assert images.fingerprint
    assert len(split(images)[1]) == 1
    with pytest.raises(ImageError, match=r"\\udcff\\udcfe.png is not a readable picture"):
        images.read(images.names.index("\udcff\udcfe.png"))


@pytest.mark.parametrize("mode", ["L", "LA", "P", "1", "CMYK", "RGBA", "I;16"])
def test_every_kind_of_picture_becomes_rgb(mode, source):
    level = 255 if mode == "1" else 200
    grey = Image.fromarray(np.full((5, 4), level, np.uint8))
    image = Image.fromarray(np.full((5, 4), level * 257, np.uint16)) if mode == "I;16" else grey.convert(mode)
    form = "TIFF" if mode == "CMYK" else "PNG"
    read = open_images(source({"x.tif": encode(image, form=form)})).read(0)
    assert read.dtype == np.uint8
    np.testing.assert_allclose(read, np.full((5, 4, 3), level), atol=1)


def test_cmyk_jpeg_and_a_single_pixel(source):
    cmyk = encode(Image.new("CMYK", (8, 8), (0, 0, 0, 0)), form="JPEG")
    images = open_images(source({"a.jpg": cmyk, "b.png": encode(picture(0, height=1, width=1))}))
    assert images.read(0).min() > 250
    assert images.read(1).shape == (1, 1, 3)


def test_transparency_is_put_on_white(source):
    rgba = np.zeros((2, 2, 4), np.uint8)
    rgba[0, 0] = (255, 0, 0, 255)
    read = open_images(source({"x.png": encode(rgba)})).read(0)
    assert read[0, 0].tolist() == [255, 0, 0]
    assert read[1, 1].tolist() == [255, 255, 255]


def test_pictures_are_turned_upright(source):
    exif = Image.Exif()
    exif[0x112] = 6
    images = open_images(source({"x.png": encode(picture(0, height=4, width=6), exif=exif)}))
    assert images.read(0).shape == (6, 4, 3)


def test_a_damaged_picture_is_named(source):
    whole = encode(picture(0), form="JPEG")
    images = open_images(source({"a.jpg": whole[: len(whole) // 2], "b.jpg": b"", "c.jpg": whole}))
    with pytest.raises(ImageError, match=r"cannot read a.jpg, the file is damaged"):
        images.read(0)
    with pytest.raises(ImageError, match=r"b.jpg is empty"):
        images.read(1)
    assert images.read(2).shape == (32, 32, 3)
    with pytest.raises(ImageError, match=r"cannot read a.jpg"):
        images.held()


@pytest.mark.parametrize("files", [{}, {"notes.txt": b"x", ".a.png": b"x"}])
def test_sources_without_pictures(source, files):
    with pytest.raises(ImageError, match=r"holds no pictures that can be read \(.avif, .bmp, .*\)"):
        open_images(source(files))


def test_sources_that_are_none(tmp_path):
    with pytest.raises(ImageError, match=r"nowhere does not exist"):
        open_images(tmp_path / "nowhere")
    (tmp_path / "x.png").write_bytes(FILES["a.png"])
    with pytest.raises(ImageError, match=r"x.png is neither a folder of pictures nor a .tar or .tar.gz"):
        open_images(tmp_path / "x.png")
    (tmp_path / "empty.tar").write_bytes(b"")
    with pytest.raises(ImageError, match=r"empty.tar is neither a folder"):
        open_images(tmp_path / "empty.tar")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ImageError, match=r"pipe is no regular file"):
        open_images(tmp_path / "pipe")


def test_links_to_files_are_followed_those_to_folders_are_not(tmp_path):
    outside = write_folder(tmp_path / "outside", {"1.png": FILES["a.png"]})
    folder = write_folder(tmp_path / "in", {"0.png": FILES["a.png"]})
    (folder / "linked.png").symlink_to(outside / "1.png")
    (folder / "broken.png").symlink_to(outside / "none.png")
    (folder / "away").symlink_to(outside)
    (folder / "round").symlink_to(folder)
    os.mkfifo(folder / "pipe.png")
    images = open_images(folder)
    assert images.names == ("0.png", "linked.png")
    assert images.skipped == ("broken.png: No such file or directory",)


def test_links_in_a_tar_file_are_left_out(tmp_path):
    path = write_tar(tmp_path / "x.tar", FILES)
    with tarfile.open(path, "a") as archive:
        link = tarfile.TarInfo("link.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    assert "link.png" not in open_images(path).names


def test_of_files_of_one_name_in_a_tar_the_last_counts(tmp_path):
    path = write_tar(tmp_path / "x.tar", FILES)
    write_tar(path, {"./a.png": encode(picture(9))}, mode="a")
    images = open_images(path)
    assert len(images) == 3
    np.testing.assert_array_equal(images.read(0), picture(9))


@pytest.mark.parametrize("packed", [False, True])
def test_a_truncated_tar_gives_what_is_whole(tmp_path, packed):
    path = write_tar(tmp_path / "x.tar", {f"{i}.png": encode(picture(i)) for i in range(4)})
    data = path.read_bytes()
    with tarfile.open(path) as archive:
        third = archive.getmember("2.png")
    data = data[: third.offset_data + 100]
    if packed:  # a whole tar that is packed, and the end of that lost
        data = gzip.compress(path.read_bytes(), compresslevel=0)[: third.offset_data + 200]
    path.write_bytes(data)
    images = open_images(path)
    assert images.names == ("0.png", "1.png")
    np.testing.assert_array_equal(images.read(1), picture(1))
    assert images.skipped[0] == "2.png: x.tar ends in the middle of it"


def test_a_tar_damaged_in_the_middle_says_so(tmp_path):
    path = write_tar(tmp_path / "x.tar", {f"{i}.png": encode(picture(i)) for i in range(4)})
    with tarfile.open(path) as archive:
        third = archive.getmember("2.png")
    data = bytearray(path.read_bytes())
    data[third.offset : third.offset + 200] = b"\x55" * 200
    path.write_bytes(bytes(data))
    images = open_images(path)
    assert images.names == ("0.png", "1.png")
    assert images.skipped == (f"x.tar: damaged at byte {third.offset:,}, the rest is not read",)


def test_a_source_of_which_nothing_is_whole(tmp_path):
    path = write_tar(tmp_path / "x.tar", {"0.png": encode(picture(0))})
    path.write_bytes(path.read_bytes()[:600])
    with pytest.raises(ImageError, match=r"x.tar holds no pictures .*; 0.png: x.tar ends in the middle of it"):
        open_images(path)


def test_reading_from_many_threads(source):
    images = open_images(source({f"{i:02d}.png": encode(picture(i)) for i in range(20)}))
    with ThreadPoolExecutor(8) as pool:
        for i, image in zip(list(range(20)) * 5, pool.map(images.read, list(range(20)) * 5), strict=True):
            np.testing.assert_array_equal(image, picture(i))


def test_a_tar_whose_name_is_gone_can_still_be_read(source):
    path = source(FILES)
    images = open_images(path)
    if path.is_file():
        path.unlink()
        np.testing.assert_array_equal(images.read(0), picture(0))
    else:
        (path / "a.png").unlink()
        with pytest.raises(ImageError, match=r"a.png does not exist"):
            images.read(0)


def test_subset_keeps_order_and_knows_itself(source):
    images = open_images(source(FILES))
    part = images.subset(np.array([2, 0]))
    assert part.names == ("b/2.png", "a.png")
    np.testing.assert_array_equal(part.read(0), picture(2))
    assert part.fingerprint != images.fingerprint
    assert images.subset(range(3)).fingerprint == images.fingerprint


def test_fingerprint_sees_changes(tmp_path):
    write_folder(tmp_path, FILES)
    before = open_images(tmp_path).fingerprint
    assert before == open_images(tmp_path).fingerprint
    os.utime(tmp_path / "a.png", ns=(0, 0))
    assert before != open_images(tmp_path).fingerprint


@pytest.mark.parametrize(("size", "shrunk"), [((40, 60), (20, 30)), ((61, 40), (30, 20)), ((20, 90), (20, 90))])
def test_held_pictures_are_shrunk_by_their_short_side(size, shrunk):
    images = image_set(picture(0, height=size[0], width=size[1]))
    held = images.held(short_side=20)
    assert held.read(0).shape == (*shrunk, 3)
    assert not held.read(0).flags.writeable
    assert held.fingerprint != images.fingerprint
    assert images.held().read(0).shape == (*size, 3)
    assert images.held().fingerprint == images.fingerprint


def test_held_decodes_once(monkeypatch):
    calls = []
    item = Item("x.png", "", lambda: calls.append(1) or FILES["a.png"])
    held = ImageSet("x", (item,)).held()
    assert held.read(0) is held.read(0)
    assert len(calls) == 1
    with pytest.raises(ArgumentError, match="`short_side` must be at least 1. Received: 0"):
        held.held(short_side=0)


def test_the_built_in_set():
    images = embedded()
    assert len(images) >= GENERATED + 3
    assert {"astronaut.png", "coffee.png", "painted-00"} <= set(images.names)
    assert open_images(None).fingerprint == images.fingerprint
    for name in ("astronaut.png", "painted-07"):
        image = images.read(images.names.index(name))
        assert min(image.shape[:2]) >= 256
        assert image.std() > 10
    np.testing.assert_array_equal(paint(3), paint(3))
    assert np.abs(paint(3).astype(int) - paint(4)).mean() > 10


def test_painted_pictures_are_the_same_in_every_process():
    code = "import hashlib; from kpalette.data.builtin import paint; print(hashlib.sha256(paint(5)).hexdigest())"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert other.stdout.strip() == hashlib.sha256(paint(5)).hexdigest()


def test_split_keeps_artists_together():
    artists = [f"artist {i % 40}" for i in range(400)]
    images = named([f"{i}.png" for i in range(400)], artists)
    training, choosing = split(images)
    assert set(training.artists).isdisjoint(choosing.artists)
    assert sorted(training.names + choosing.names) == sorted(images.names)
    expected = {a for a in set(artists) if hash_share(f"kpalette/{a.replace(' ', '-')}") < 0.1}
    assert set(choosing.artists) == expected
    assert split(images, seed="other")[1].names != choosing.names
    assert len(split(images, share=0.5)[1]) > len(choosing)


def test_split_is_the_same_on_every_machine():
    # By hand: the first six bytes of `printf 'kpalette/paul-gauguin' | sha256sum`, over 2^48.
    assert hash_share("kpalette/paul-gauguin") == int("264112df6577", 16) / 2**48
    both = named(["1", "2", "3", "4"], ["Paul  Gauguin", "paul-gauguin", "PAUL GAUGUIN", "Hiroshige"])
    parts = split(both, share=0.5)
    assert {len(parts[0]), len(parts[1])} == {1, 3}


@pytest.mark.parametrize("share", [1e-9, 0.1, 1 - 1e-9])
@pytest.mark.parametrize("artists", [["a", "b"], ["a", "a"], ["", ""], ["a", "a", "b"]])
def test_no_part_is_empty(share, artists):
    images = named([f"{i}.png" for i in range(len(artists))], artists)
    training, choosing = split(images, share=share)
    assert len(training) >= 1
    assert len(choosing) >= 1
    assert len(training) + len(choosing) == len(images)
    twice = images.subset([0, 0])
    assert [len(part) for part in split(twice, share=share)] == [1, 1]


def test_split_options():
    images = named(["1", "2"], ["a", "b"])
    with pytest.raises(ArgumentError, match="`images` must hold at least 2 pictures to be split. Received: 1"):
        split(images.subset([0]))
    with pytest.raises(ArgumentError, match="`share` must be above 0 and below 1. Received: 1"):
        split(images, share=1)


def test_animations_are_read_with_a_note(source, caplog):
    stream = io.BytesIO()
    frames = [Image.fromarray(picture(i)) for i in range(2)]
    frames[0].save(stream, "GIF", save_all=True, append_images=frames[1:])
    with caplog.at_level(logging.WARNING):
        assert open_images(source({"x.gif": stream.getvalue()})).read(0).shape == (32, 32, 3)
    assert "x.gif is animated" in caplog.text
