import itertools
import json
import os
import pickle

import numpy as np
import pytest

from kpalette.data.image_set import split
from kpalette.data.sources import open_images
from kpalette.errors import ArgumentError, ImageError
from tests.data.fixtures import (
    STYLES,
    batches,
    cifar_binary,
    cifar_python,
    encode,
    image_folder,
    picture,
    pixels,
    planes,
    table,
    works,
    write_folder,
    write_tar,
)

FORMS = {
    "split": lambda: image_folder(split=True),
    "unsplit": lambda: image_folder(split=False),
    "python": cifar_python,
    "binary": cifar_binary,
}
META = "artbench-10-batches-py/meta"
BATCH = "artbench-10-batches-py/data_batch_1"


def write(tmp_path, files, kind):
    name = next(iter(files)).split("/")[0]
    if kind == "folder":  # as it is unpacked
        write_folder(tmp_path, files)
        return tmp_path / name
    return write_tar(tmp_path / f"renamed.{kind}", files, mode="w:gz" if kind == "tar.gz" else "w")


@pytest.mark.parametrize("kind", ["folder", "tar", "tar.gz"])
@pytest.mark.parametrize("form", FORMS)
def test_all_forms_hold_the_same_works(tmp_path, form, kind):
    (tmp_path / "ArtBench-10.csv").write_bytes(table(works()))
    images = open_images(write(tmp_path, FORMS[form](), kind))
    assert len(images) == 12
    rows = {row["name"]: row for row in works()}
    for i, name in enumerate(images.names):
        row = rows[name.rsplit("/", 1)[-1]]
        assert (images.artists[i], images.styles[i], images.splits[i]) == (row["artist"], row["label"], row["split"])
        np.testing.assert_array_equal(images.read(i), pixels(row))


@pytest.mark.parametrize("form", FORMS)
def test_partitions_and_public_domain(tmp_path, form):
    (tmp_path / "artbench-10.CSV").write_bytes(table(works()))
    path = write(tmp_path, FORMS[form](), "tar")
    assert len(open_images(path, partition="train")) == 8
    assert set(open_images(path, partition="test").splits) == {"test"}
    public = open_images(path, public_domain_only=True, partition="test")
    assert {name.rsplit("/", 1)[-1] for name in public.names} == {
        row["name"] for row in works() if row["is_public_domain"] == "True" and row["split"] == "test"
    }


def test_the_same_artists_are_chosen_in_every_form(tmp_path):
    (tmp_path / "ArtBench-10.csv").write_bytes(table(works()))
    chosen = set()
    for form, files in FORMS.items():
        path = write_tar(tmp_path / f"{form}.tar", files())
        chosen.add(frozenset(split(open_images(path), share=0.5)[1].artists))
    assert len(chosen) == 1


@pytest.mark.parametrize("form", FORMS)
def test_without_a_table(tmp_path, form):
    images = open_images(write(tmp_path, FORMS[form](), "tar"))
    assert len(images) == 12
    assert set(images.styles) == set(STYLES)
    if form in ("split", "unsplit"):
        assert "théodore-(père)" in images.artists
        assert set(images.splits) == ({"train", "test"} if form == "split" else {""})
    else:
        assert images.artists[:2] == ("train-00000", "train-00001")
        assert images.names[8] == "test-00000"
    with pytest.raises(ImageError, match=r"has no table with a column is_public_domain, such as ArtBench-10.csv"):
        open_images(tmp_path / "renamed.tar", public_domain_only=True)
    if form == "unsplit":
        with pytest.raises(ImageError, match=r"renamed.tar holds no pictures of the part 'test'"):
            open_images(tmp_path / "renamed.tar", partition="test")


def test_a_style_folder_is_known_by_its_names(tmp_path):
    files = {name.split("/", 1)[1]: data for name, data in image_folder(split=True).items()}
    images = open_images(write_folder(tmp_path / "art", files))
    assert "artist-1" in images.artists
    assert set(images.splits) == {"train", "test"}
    # Elsewhere an underscore ends no artist, unless the caller says so.
    other = write_folder(tmp_path / "photos", {f"trip/IMG_{i}.png": encode(picture(i)) for i in range(3)})
    assert open_images(other).artists == ("IMG_0", "IMG_1", "IMG_2")
    assert open_images(other, layout="imagefolder").artists == ("IMG", "IMG", "IMG")
    assert open_images(other, layout="imagefolder").styles == ("trip",) * 3


def test_the_mirror_with_both_small_forms(tmp_path):
    small = [
        {f"artbench-10-{kind}/{name}": data for name, data in FORMS[kind]().items()} for kind in ("python", "binary")
    ]
    root = write_folder(tmp_path / "ArtBench-10", small[0] | small[1] | {"ArtBench-10.csv": table(works())})
    images = open_images(root)
    assert len(images) == 12
    assert images.artists[0] == "théodore-(père)"
    binary = open_images(root, layout="cifar-binary")
    assert binary.names == images.names
    assert all((binary.read(i) == images.read(i)).all() for i in range(12))
    batches_alone = open_images(
        root / "artbench-10-python" / "artbench-10-batches-py"
    )  # the table is two folders above
    assert batches_alone.artists == images.artists


@pytest.mark.parametrize(("keys", "protocol"), [*itertools.product([str, bytes], range(6))])
def test_batches_of_every_pickle_protocol(tmp_path, keys, protocol):
    images = open_images(write_folder(tmp_path, cifar_python(keys=keys, protocol=protocol)))
    np.testing.assert_array_equal(images.read(9), pixels(works()[9]))
    assert images.styles[:2] == tuple(STYLES)


@pytest.mark.parametrize("home", ["numpy.core", "numpy._core"])
def test_batches_of_any_numpy(tmp_path, home):
    files = {n: d.replace(b"numpy._core", b"numpy.core").replace(b"numpy.core", home.encode())
             for n, d in cifar_python(protocol=0).items()}  # fmt: skip
    assert home.encode() in files[BATCH]
    assert len(open_images(write_folder(tmp_path, files))) == 12


def test_a_batch_as_python_2_wrote_it(tmp_path):
    rows = batches()["data_batch_1"]
    raw = planes(rows).tobytes()
    text = pickle.dumps(raw.decode("latin1"), 0)[:-3].split(b"\n")[0]  # not used by NumPy 2: built by hand below
    assert text

    # Protocol 2 with the string opcodes of Python 2: T is a byte string of four-byte length.
    def string(data):
        return b"T" + len(data).to_bytes(4, "little") + data

    labels = b"".join(b"K" + bytes([STYLES.index(row["label"])]) for row in rows)
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85" + string(b"b") + b"\x87R"
        b"(K\x01K\x04M\x00\x0c\x86cnumpy\ndtype\n" + string(b"u1") + b"K\x00K\x01\x87R"
        b"(K\x03" + string(b"|") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89" + string(raw) + b"tb"
    )
    batch = b"\x80\x02}(" + string(b"data") + array + string(b"labels") + b"](" + labels + b"eu."
    files = {META: b"\x80\x02}" + string(b"styles") + b"](" + b"".join(map(string, [b"baroque", b"ukiyo_e"])) + b"es."}
    images = open_images(write_folder(tmp_path, files | {BATCH: batch}))
    assert images.styles == tuple(row["label"] for row in rows)
    np.testing.assert_array_equal(images.read(3), pixels(rows[3]))


class Call:
    """Pickles as a call of a function."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", [0, 2, 5])
@pytest.mark.parametrize(
    ("function", "arguments", "name"),
    [
        (os.system, ["touch {}"], "posix.system"),
        (eval, ["open({!r}, 'w')"], "(__builtin__|builtins).eval"),
        (exec, ["open({!r}, 'w')"], "(__builtin__|builtins).exec"),
        (getattr, ["os", "system"], "(__builtin__|builtins).getattr"),
        (np.load, ["{}"], "numpy.load"),
        (pickle.loads, [b""], "(_pickle|pickle).loads"),
    ],
)
@pytest.mark.parametrize("file", [META, BATCH])
def test_hostile_pickles_are_not_run(tmp_path, file, function, arguments, name, protocol):
    mark = tmp_path / "mark"
    arguments = [a.format(str(mark)) if isinstance(a, str) else a for a in arguments]
    files = cifar_python() | {file: pickle.dumps({"data": Call(function, *arguments)}, protocol)}
    with pytest.raises(ImageError, match=rf"{file.split('/')[1]} is not read: it calls {name}, which no batch needs"):
        open_images(write_folder(tmp_path / "x", files))
    assert not mark.exists()


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x04\x8c\x05numpy\x8c\x0fdtype.__class__\x93.",  # a dotted name, protocol 4
        b"cnumpy.core.multiarray\nscalar\n.",
        b"\x80\x02\x82\x01.",  # an extension code
        b"c__main__\nx\n.",
        b"Pid\n.",  # a persistent id
        b"c_codecs\nencode\n(Vx\nVzip\ntR.",
        b"cnumpy\nndarray\n((J\xff\xff\xff\x7fJ\xff\xff\xff\x7fttR.",
        b"",
        b"\x80",
        b"garbage",
        b"\x80\x04]\x94(" + b"(" * 5000,
        pickle.dumps([1, 2]),
        pickle.dumps({"data": 1, "labels": 2}),
    ],
)
@pytest.mark.parametrize("file", [META, BATCH])
def test_damaged_pickles_are_one_clear_line(tmp_path, file, data):
    with pytest.raises(ImageError, match=file.split("/")[1]) as caught:
        open_images(write_folder(tmp_path, cifar_python() | {file: data}))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"data": np.zeros((4, 3071), np.uint8)},
            r"'data' must be uint8 of shape \(n, 3072\). Received: uint8 \(4, 3071\)",
        ),
        ({"data": np.zeros((4, 3072), np.int8)}, r"'data' must be uint8"),
        ({"data": np.zeros((0, 3072), np.uint8), "labels": []}, r"'data' must be uint8"),
        ({"data": [[0] * 3072] * 4}, r"'data' must be uint8 .* Received: list"),
        ({"labels": [0, 1, 0]}, "'labels' must be a list of 4 whole numbers"),
        ({"labels": [0, 1, 0, "1"]}, "'labels' must be a list of 4 whole numbers"),
        ({"labels": [0, 1, 0, True]}, "'labels' must be a list of 4 whole numbers"),
        ({"labels": None}, "'labels' must be a list of 4 whole numbers"),
        ({"labels": [0, 1, 0, 2]}, "data_batch_1 has a label 2, but there are 2 styles"),
        ({"labels": [0, -1, 0, 1]}, "data_batch_1 has a label -1, but there are 2 styles"),
    ],
)
def test_batches_of_another_form(tmp_path, change, message):
    files = cifar_python()
    files[BATCH] = pickle.dumps(pickle.loads(files[BATCH]) | change)
    with pytest.raises(ImageError, match=message):
        open_images(write_folder(tmp_path, files))


def test_labels_may_be_an_array_and_meta_may_be_cifar_10s(tmp_path):
    files = cifar_python()
    batch = pickle.loads(files[BATCH])
    files[BATCH] = pickle.dumps(batch | {"labels": np.array(batch["labels"])})
    del files[META]
    with pytest.raises(ImageError, match=r"has batches but no file meta that names their styles"):
        open_images(write_folder(tmp_path / "without", files))
    files["artbench-10-batches-py/batches.meta"] = pickle.dumps({"label_names": [b"cat", b"dog"]})
    assert open_images(write_folder(tmp_path / "with", files)).styles[:2] == ("cat", "dog")


@pytest.mark.parametrize("styles", [{}, {"styles": "ab"}, {"styles": []}, {"styles": [1, 2]}])
def test_meta_of_another_form(tmp_path, styles):
    with pytest.raises(ImageError, match=r"meta(: 'styles' must be a list of names| has no list 'styles')"):
        open_images(write_folder(tmp_path, cifar_python() | {META: pickle.dumps(styles)}))


@pytest.mark.parametrize("form", ["python", "binary"])
def test_a_missing_batch(tmp_path, form):
    files = {name: data for name, data in FORMS[form]().items() if "data_batch_1" not in name}
    with pytest.raises(ImageError, match="lacks data_batch_1"):
        open_images(write_folder(tmp_path / "a", files))
    files = {name: data for name, data in files.items() if "data_batch_2" not in name}
    assert open_images(write_folder(tmp_path / "b", files)).splits == ("test",) * 4


def test_binary_batches_of_another_form(tmp_path):
    files = cifar_binary()
    name = "artbench-10-batches-bin/test_batch.bin"
    with pytest.raises(ImageError, match=r"test_batch.bin is damaged: 12,291 bytes are not a multiple of 3073"):
        open_images(write_folder(tmp_path / "a", files | {name: files[name][:-1]}))
    with pytest.raises(ImageError, match="test_batch.bin has a label 7, but there are 2 styles"):
        open_images(write_folder(tmp_path / "b", files | {name: b"\7" + files[name][1:]}))
    del files["artbench-10-batches-bin/batches.meta.txt"]
    assert set(open_images(write_folder(tmp_path / "c", files)).styles) == {""}
    (tmp_path / "ArtBench-10.csv").write_bytes(table(works()))
    assert set(open_images(tmp_path / "c").styles) == set(STYLES)


def test_a_table_of_other_batches(tmp_path):
    rows = works()
    rows[3]["label"] = STYLES[0]
    files = cifar_python() | {"ArtBench-10.csv": table(rows)}
    with pytest.raises(ImageError, match="the table is not that of these batches: .* is baroque in one and ukiyo_e in"):
        open_images(write_folder(tmp_path, files))


def test_a_table_of_fewer_works(tmp_path):
    images = open_images(write_folder(tmp_path, cifar_python() | {"ArtBench-10.csv": table(works()[:1])}))
    assert images.artists[:2] == ("théodore-(père)", "train-00001")


@pytest.mark.parametrize("damage", [b"\xff\xfe\x00", b'name,split,cifar_index\n"a,train,1\n' + b"x" * 200_000, b"NaN"])
def test_damaged_tables(tmp_path, damage):
    data = b"name,split,cifar_index\na,train,x\n" if damage == b"NaN" else damage
    files = cifar_python() | {"ArtBench-10.csv": data}
    with pytest.raises(ImageError, match=r"cannot read the table ArtBench-10.csv: "):
        open_images(write_folder(tmp_path, files))


def test_one_name_in_two_styles(tmp_path):
    rows = [{"name": "a-b_c.jpg", "artist": f"artist {i}", "label": STYLES[i]} for i in range(2)]
    files = {f"{style}/a-b_c.jpg": encode(picture(i)) for i, style in enumerate(STYLES)}
    full = [dict.fromkeys(works()[0], "") | row for row in rows]
    images = open_images(write_folder(tmp_path, files | {"ArtBench-10.csv": table(full)}))
    assert images.artists == ("artist 0", "artist 1")
    assert images.styles == tuple(STYLES)


NUMBERED = ["00001_post_impressionism_paul-gauguin.webp", "00002_unlabelled_louvre.webp", "00003_ukiyo_e_hokusai.webp"]
MANIFEST = (
    "\ufefffile,split,title,artist,style\n"
    'train/00001_post_impressionism_paul-gauguin.jpg,train,"x, y",Paul Gauguin (1848-1903),post_impressionism\n'
    "train/00002_unlabelled_louvre.jpg,val,z,unknown (Louvre inventory 12),unlabelled\n"
)


@pytest.mark.parametrize("place", ["inside", "beside"])
def test_a_manifest_tells_more_than_names(tmp_path, place):
    files = {f"train/{name}": encode(picture(0)) for name in NUMBERED}
    if place == "inside":
        files["manifest.csv"] = MANIFEST.encode()
    else:
        (tmp_path / "manifest.csv").write_bytes(MANIFEST.encode())
    images = open_images(write_tar(tmp_path / "x.tar", files))
    assert images.artists == ("Paul Gauguin (1848-1903)", "00002_unlabelled_louvre", "hokusai")
    assert images.styles == ("post_impressionism", "", "ukiyo_e")
    assert images.splits == ("train", "train", "train")


def test_numbered_names_alone(tmp_path):
    files = {name: encode(picture(0)) for name in [*NUMBERED, "20240101_120000_001.png", "IMG_00001_x.png"]}
    images = open_images(write_tar(tmp_path / "x.tar", files))
    assert dict(zip(images.names, images.artists, strict=True)) == {
        NUMBERED[0]: "paul-gauguin",
        NUMBERED[1]: "00002_unlabelled_louvre",
        NUMBERED[2]: "hokusai",
        "20240101_120000_001.png": "20240101_120000_001",
        "IMG_00001_x.png": "IMG_00001_x",
    }
    assert images.styles == ("post_impressionism", "", "ukiyo_e", "", "")


def test_a_manifest_of_something_else(tmp_path):
    (tmp_path / "manifest.csv").write_text("id,price\n1,2\n")
    (tmp_path / "manifest.json").write_text(json.dumps({}))
    images = open_images(write_tar(tmp_path / "x.tar", {"a.png": encode(picture(0))}))
    assert images.artists == ("a",)


def test_options(tmp_path):
    path = write_tar(tmp_path / "x.tar", {"a.png": encode(picture(0))})
    with pytest.raises(ArgumentError, match="`layout` must be one of auto, pictures, .* Received: 'lmdb'"):
        open_images(path, layout="lmdb")
    with pytest.raises(ArgumentError, match="`partition` must be one of train, test, or None. Received: 'val'"):
        open_images(path, partition="val")
    with pytest.raises(ImageError, match=r"x.tar holds no batches of the form cifar-python"):
        open_images(path, layout="cifar-python")
    with pytest.raises(ImageError, match=r"holds no pictures that can be read"):
        open_images(write_folder(tmp_path / "c", cifar_binary()), layout="pictures")
    with pytest.raises(ImageError, match=r"the embedded pictures has no table with a column is_public_domain"):
        open_images(None, public_domain_only=True)
