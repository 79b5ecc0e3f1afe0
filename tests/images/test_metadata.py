import io
import struct
import time

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms

from kpalette import read_image, write_image
from kpalette.images.encode import encode_image
from kpalette.images.exif import clean_exif
from kpalette.images.metadata import clean_xmp
from tests.images.test_files import saved

XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6" dc:creator="me">'
    b"<xmp:Thumbnails><rdf:li>old colours</rdf:li></xmp:Thumbnails></rdf:Description></x:xmpmeta>"
)
ROOT_TAGS = {0x010E: "a caption", 0x010F: "Maker", 0x0110: "Model", 0x013B: "an artist", 0x8298: "(c) someone"}
INNER_TAGS = {
    0x829A: (1, 250), 0x8827: 400, 0x9003: "2024:05:06 07:08:09", 0x9000: b"0232", 0x920A: (50, 1),
    0x927C: b"maker's own bytes \0\1\2\3", 0x9286: b"ASCII\0\0\0a comment",
}  # fmt: skip
PLACE_TAGS = {1: "N", 2: ((52, 1), (31, 1), (12, 1)), 3: "E", 4: ((13, 1), (24, 1), (36, 1))}


def exif_block(*, order: str = "<", thumbnail: bytes = b"") -> bytes:
    """An EXIF block built by hand: root, Exif, GPS and Interop folders, and a thumbnail in a second folder."""
    writer = Writer(order)
    root = writer.folder({**ROOT_TAGS, 0x0112: 6, 0x8769: 0, 0x8825: 0}, at=8)
    inner = writer.folder({**INNER_TAGS, 0xA001: 0xFFFF, 0xA002: 60, 0xA003: 40, 0xA005: 0})
    gps = writer.folder(PLACE_TAGS)
    rules = writer.folder({1: "R03"})
    writer.point(root[0x8769], inner[None])
    writer.point(root[0x8825], gps[None])
    writer.point(inner[0xA005], rules[None])
    if thumbnail:
        second = writer.folder({0x0103: 6, 0x0201: 0, 0x0202: len(thumbnail)})
        writer.point(second[0x0201], len(writer.data))
        writer.data += thumbnail
        writer.set_long(root["link"], second[None])
    return b"Exif\0\0" + bytes(writer.data)


class Writer:
    """Writes TIFF folders; every value goes behind its folder."""

    def __init__(self, order: str) -> None:
        self.order = order
        self.data = bytearray((b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "L", 8))

    def folder(self, tags: dict, at: int | None = None) -> dict:
        start = len(self.data)
        places = {None: start}
        self.data += struct.pack(self.order + "H", len(tags)) + bytes(12 * len(tags) + 4)
        for i, (tag, value) in enumerate(sorted(tags.items())):
            place = start + 2 + 12 * i
            kind, count, raw = self._encoded(tag, value)
            struct.pack_into(self.order + "HHL", self.data, place, tag, kind, count)
            if len(raw) <= 4:
                self.data[place + 8 : place + 8 + len(raw)] = raw
            else:
                self.set_long(place + 8, len(self.data))
                self.data += raw + bytes(len(raw) % 2)
            places[tag] = place
        places["link"] = start + 2 + 12 * len(tags)
        return places

    def _encoded(self, tag: int, value: object) -> tuple[int, int, bytes]:
        if isinstance(value, str):
            return 2, len(value) + 1, value.encode() + b"\0"
        if isinstance(value, bytes):
            return 7, len(value), value
        if isinstance(value, int):
            long = tag in (0x8769, 0x8825, 0xA005, 0x0201, 0x0202, 0xA002, 0xA003)
            return (
                (4, 1, struct.pack(self.order + "L", value)) if long else (3, 1, struct.pack(self.order + "H", value))
            )
        pairs = value if isinstance(value[0], tuple) else (value,)
        return 5, len(pairs), b"".join(struct.pack(self.order + "LL", *pair) for pair in pairs)

    def point(self, place: int, to: int) -> None:
        self.set_long(place + 8, to)

    def set_long(self, place: int, value: int) -> None:
        struct.pack_into(self.order + "L", self.data, place, value)


def tags_of(image: Image.Image) -> dict:
    """Every tag of every folder; fractions as floats."""
    exif = image.getexif()
    found = {f"root {tag:04x}": value for tag, value in exif.items() if tag not in (0x8769, 0x8825)}
    for folder in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
        found |= {f"{folder.name} {tag:04x}": value for tag, value in exif.get_ifd(folder).items()}
    return found


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "avif"])
def test_exif_is_kept_tag_by_tag_and_byte_by_byte(tmp_path, photo, suffix, order):
    block = exif_block(order=order, thumbnail=b"\xff\xd8 old colours \xff\xd9")
    path = saved(tmp_path / f"a.{suffix}", photo[:40, :60], exif=block)
    write_image(tmp_path / f"b.{suffix}", read_image(path))
    before, after = tags_of(Image.open(path)), tags_of(Image.open(tmp_path / f"b.{suffix}"))
    changed = {"root 0112": 1, "Exif a001": 1, "Exif a002": 40, "Exif a003": 60}  # turned by 90 degrees
    if suffix == "avif":  # which keeps the orientation elsewhere
        changed.pop("root 0112")
        for tag in ("root 0112", "Exif a005"):
            before.pop(tag, None), after.pop(tag, None)
    assert after == {**before, **changed}
    for tag, value in ROOT_TAGS.items():
        assert after[f"root {tag:04x}"] == value
    assert after["Exif 927c"] == INNER_TAGS[0x927C]
    written = (tmp_path / f"b.{suffix}").read_bytes()
    assert b"old colours" not in written
    assert b"R98" in written
    assert b"R03" not in written


def test_a_tiffs_tags_are_kept_and_those_of_its_pixels_are_not(tmp_path, photo):
    source = tmp_path / "a.tif"
    Image.fromarray(photo).save(source, exif=exif_block(), dpi=(300, 300))
    write_image(tmp_path / "b.tif", read_image(source))
    write_image(tmp_path / "b.jpg", read_image(source))
    for name in ("b.tif", "b.jpg"):
        after = tags_of(Image.open(tmp_path / name))
        for tag, value in ROOT_TAGS.items():
            assert after[f"root {tag:04x}"] == value, name
        assert after["Exif 9003"] == INNER_TAGS[0x9003]
        assert after["GPSInfo 0001"] == "N"
        assert Image.open(tmp_path / name).info["dpi"] == (300, 300)
    assert not {"root 0100", "root 0111", "root 0102"} & set(tags_of(Image.open(tmp_path / "b.jpg")))


def test_a_thumbnail_in_the_middle_is_blanked_and_what_follows_stays():
    block = exif_block(thumbnail=b"\xff\xd8 old colours \xff\xd9")
    cleaned = clean_exif(block + b"what follows", size=(40, 60))
    assert b"old colours" not in cleaned
    assert cleaned.endswith(b"what follows")
    assert len(cleaned) == len(block) + len(b"what follows")


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("cut", [0, 3, 9, 20, 60, 150])
def test_exif_that_ends_early_is_no_picture_lost(tmp_path, photo, cut, caplog):
    path = saved(tmp_path / "a.jpg", photo, exif=b"Exif\0\0" + exif_block()[6 : 6 + cut])
    assert read_image(path).rgb.shape == photo.shape


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "avif", "tif"])
def test_xmp_is_kept_without_its_thumbnails(tmp_path, photo, suffix):
    source = read_image(saved(tmp_path / "a.webp", photo, xmp=XMP))
    write_image(tmp_path / f"b.{suffix}", source)
    again = read_image(tmp_path / f"b.{suffix}")
    assert again.metadata["xmp"] == clean_xmp(XMP)
    assert b'tiff:Orientation="1" dc:creator="me"' in again.metadata["xmp"]
    assert b"old colours" not in again.metadata["xmp"]


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "avif", "tif"])
def test_strip_leaves_nothing_behind(tmp_path, photo, suffix):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    source = saved(tmp_path / "a.jpg", photo, exif=exif_block(), icc_profile=profile, dpi=(300, 300), xmp=XMP)
    write_image(tmp_path / f"b.{suffix}", read_image(source), strip=True)
    written = (tmp_path / f"b.{suffix}").read_bytes()
    for trace in (b"an artist", b"dc:creator", b"sRGB", "sRGB".encode("utf-16-be")):
        assert trace not in written
    assert read_image(tmp_path / f"b.{suffix}").metadata.get("dpi", (72, 72)) != (300, 300)


def adobe_rgb() -> bytes:
    """Adobe RGB (1998) as an ICC profile: the primaries of sRGB's exchanged, gamma 563/256."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = struct.unpack(">I", data[128:132])[0]
    tags = {bytes(data[i : i + 4]): struct.unpack_from(">II", data, i + 4) for i in range(132, 132 + 12 * count, 12)}
    primaries = {
        b"rXYZ": (0.60974, 0.31111, 0.01947), b"gXYZ": (0.20528, 0.62567, 0.06087), b"bXYZ": (0.14919, 0.06322, 0.74457)
    }  # fmt: skip
    for tag, xyz in primaries.items():
        struct.pack_into(">3i", data, tags[tag][0] + 8, *(round(value * 65536) for value in xyz))
    curve = tags[b"rTRC"][0]
    data[curve : curve + 16] = b"curv" + struct.pack(">IIH", 0, 1, round(563 / 256 * 256)) + b"\0\0"
    description = data.find("sRGB".encode("utf-16-be"))
    data[description : description + 8] = "aRGB".encode("utf-16-be")
    return bytes(data)


def test_adobe_rgb_becomes_the_same_colours_in_srgb(tmp_path):
    """Against the published matrices: what Adobe RGB calls (200, 120, 80) is a stronger orange in sRGB."""
    adobe = np.array([200, 120, 80]) / 255.0
    xyz = np.array(
        [[0.5767309, 0.1855540, 0.1881852], [0.2973769, 0.6273491, 0.0752741], [0.0270343, 0.0706872, 0.9911085]]
    ) @ adobe ** (563 / 256)
    linear = (
        np.array(
            [
                [3.2404542, -1.5371385, -0.4985314],
                [-0.9692660, 1.8760108, 0.0415560],
                [0.0556434, -0.2040259, 1.0572252],
            ]
        )
        @ xyz
    )
    expected = 255 * np.where(linear > 0.0031308, 1.055 * np.abs(linear) ** (1 / 2.4) - 0.055, 12.92 * linear)
    image = np.full((8, 8, 3), [200, 120, 80], np.uint8)
    picture = read_image(saved(tmp_path / "a.png", image, icc_profile=adobe_rgb()))
    np.testing.assert_allclose(picture.rgb[0, 0], expected, atol=1.5)
    assert np.abs(picture.rgb[0, 0].astype(int) - [200, 120, 80]).max() > 10
    for suffix in ("png", "jpg", "webp", "avif", "tif"):
        write_image(tmp_path / f"b.{suffix}", picture)
        profile = Image.open(tmp_path / f"b.{suffix}").info["icc_profile"]
        assert "sRGB" in ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile)))
        np.testing.assert_allclose(read_image(tmp_path / f"b.{suffix}").rgb[0, 0], picture.rgb[0, 0], atol=4)


def test_a_profile_of_another_kind_of_picture_is_not_used(tmp_path, photo, caplog):
    grey = adobe_rgb().replace(b"RGB XYZ ", b"GRAYXYZ ")
    picture = read_image(saved(tmp_path / "a.png", photo, icc_profile=grey))
    np.testing.assert_array_equal(picture.rgb, photo)
    assert "a.png has a colour profile that cannot be used" in caplog.text


def test_metadata_too_long_for_jpeg_is_left_out_with_a_note(tmp_path, photo, caplog):
    picture = read_image(saved(tmp_path / "a.webp", photo, xmp=b"<x>" + b"-" * 70_000 + b"</x>"))
    encode_image(picture, image_format="JPEG")
    assert "the picture's XMP data is too long for JPEG and is left out" in caplog.text


@pytest.mark.parametrize(
    "tags",
    [
        {0x0100: 60, 0x0101: 40, 0x0112: 6},
        {0x0106: 1, 0x0115: 1, 0x0102: 8},
        {0x0106: 5, 0x0115: 4},
        {0x010A: 2, 0x011C: 2},
        {0x0152: 1, 0x0153: 3},
        {0x013D: 2, 0x0103: 7},
    ],
)
def test_tags_of_how_another_file_stored_its_pixels_do_not_reach_a_tiff(tmp_path, photo, tags):
    """Phones and Photoshop write them into the EXIF of JPEGs."""
    exif = Image.Exif()
    for tag, value in tags.items():
        exif[tag] = value
    exif[0x013B] = "an artist"
    source = read_image(saved(tmp_path / "a.png", photo[:40, :60], exif=exif.tobytes()))
    write_image(tmp_path / "b.tif", source)
    np.testing.assert_array_equal(read_image(tmp_path / "b.tif").rgb, source.rgb)
    assert Image.open(tmp_path / "b.tif").getexif()[0x013B] == "an artist"


def test_the_size_is_true_in_the_first_folder_too(tmp_path, photo):
    exif = Image.Exif()
    exif[0x0100], exif[0x0101], exif[0x0112] = 60, 40, 6
    write_image(tmp_path / "b.jpg", read_image(saved(tmp_path / "a.jpg", photo[:40, :60], exif=exif.tobytes())))
    again = Image.open(tmp_path / "b.jpg")
    assert (again.getexif()[0x0100], again.getexif()[0x0101]) == again.size == (40, 60)


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_changed_tag_keeps_its_kind(order):
    """A001 is a SHORT, and stays one of its two bytes; A002 is a LONG."""
    cleaned = clean_exif(exif_block(order=order), size=(40, 60))
    assert struct.pack(order + "HHLHH", 0xA001, 3, 1, 1, 0) in cleaned
    assert struct.pack(order + "HHLL", 0xA002, 4, 1, 40) in cleaned


def test_metadata_of_just_the_length_that_jpeg_holds_is_kept(tmp_path, photo, caplog):
    for spare, kept in ((0, True), (-1, False)):
        xmp = b"<x>" + b"-" * (65_504 - 7 - spare) + b"</x>"
        picture = read_image(saved(tmp_path / "a.webp", photo, xmp=xmp))
        (tmp_path / "b.jpg").write_bytes(encode_image(picture, image_format="JPEG"))
        assert (read_image(tmp_path / "b.jpg").metadata.get("xmp") == xmp) == kept
    assert "too long for JPEG" in caplog.text


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_thumbnail_in_strips_is_blanked_and_nothing_else(order):
    writer = Writer(order)
    root = writer.folder({**ROOT_TAGS, 0x0112: 1})
    second = writer.folder({0x0111: 0, 0x0117: 0})
    for tag, kind, values in ((0x0111, "L", (0, 0, 0)), (0x0117, "H", (11, 11, 11))):
        struct.pack_into(order + "HL", writer.data, second[tag] + 2, 4 if kind == "L" else 3, 3)
        writer.point(second[tag], len(writer.data))
        writer.data += struct.pack(f"{order}3{kind}", *values) + bytes(2 if kind == "H" else 0)
    (offsets,) = struct.unpack_from(order + "L", writer.data, second[0x0111] + 8)
    for i in range(3):
        writer.set_long(offsets + 4 * i, len(writer.data))
        writer.data += b"old colours" + (b"between" if i < 2 else b"")
    writer.set_long(root["link"], second[None])
    cleaned = clean_exif(bytes(writer.data), size=(1, 1))
    assert b"old" not in cleaned
    assert cleaned.count(b"between") == 2
    found = Image.Exif()
    found.load(cleaned)
    assert {tag: found[tag] for tag in ROOT_TAGS} == ROOT_TAGS


def test_a_linear_profile_named_srgb_is_converted(tmp_path):
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    place = data.find(b"para", 300)
    data[place : place + 16] = b"curv" + struct.pack(">II", 0, 0) + bytes(4)
    image = np.full((8, 8, 3), [200, 100, 50], np.uint8)
    picture = read_image(saved(tmp_path / "a.png", image, icc_profile=bytes(data)))
    linear = np.array([200, 100, 50]) / 255
    np.testing.assert_allclose(picture.rgb[0, 0], 255 * (1.055 * linear ** (1 / 2.4) - 0.055), atol=1.5)
    assert picture.metadata["icc_profile"] != bytes(data)


def test_adobe_rgb_told_by_exif_alone_is_converted(tmp_path):
    image = np.full((8, 8, 3), [200, 120, 80], np.uint8)
    by_exif = read_image(saved(tmp_path / "a.png", image, exif=exif_block()))
    by_profile = read_image(saved(tmp_path / "b.png", image, icc_profile=adobe_rgb()))
    assert np.abs(by_exif.rgb[0, 0].astype(int) - by_profile.rgb[0, 0]).max() <= 1
    assert np.abs(by_exif.rgb[0, 0].astype(int) - [200, 120, 80]).max() > 10


def test_odd_exif_values_cost_no_picture(tmp_path, photo):
    """A resolution or an orientation that is text, as the fuzzing of a review had it."""
    for tag in (0x011A, 0x0112):
        writer = Writer("<")
        root = writer.folder({tag: "oddly", 0x013B: "an artist"}, at=8)
        assert root
        source = read_image(saved(tmp_path / "a.png", photo, exif=b"Exif\0\0" + bytes(writer.data)))
        for suffix in ("tif", "avif", "jpg"):
            write_image(tmp_path / f"b.{suffix}", source, overwrite=True)
            assert read_image(tmp_path / f"b.{suffix}").rgb.shape == photo.shape


def test_a_place_folder_without_its_last_link_is_kept(tmp_path):
    writer = Writer("<")
    root = writer.folder({0x013B: "an artist", 0x8825: 0}, at=8)
    writer.point(root[0x8825], len(writer.data))
    writer.data += struct.pack("<HHHL", 1, 1, 2, 2) + b"N\0\0\0"
    for data in (bytes(writer.data), bytes(writer.data).replace(struct.pack("<HHLL", 0x8825, 4, 1, 0), b"", 0)):
        assert b"an artist" in clean_exif(data, size=(1, 1))


def test_a_thumbnail_folder_that_is_the_first_one_takes_nothing_along():
    writer = Writer("<")
    root = writer.folder({0x013B: "an artist", 0x010E: "a caption"}, at=8)
    writer.set_long(root["link"], 8)
    found = Image.Exif()
    found.load(clean_exif(bytes(writer.data), size=(1, 1)))
    assert dict(found) == {0x013B: "an artist", 0x010E: "a caption"}


def test_many_overlapping_strips_take_no_time():
    writer = Writer("<")
    root = writer.folder({0x013B: "an artist"}, at=8)
    second = writer.folder({0x0111: 0, 0x0117: 0})
    writer.set_long(root["link"], second[None])
    for tag in (0x0111, 0x0117):
        struct.pack_into("<HL", writer.data, second[tag] + 2, 4, 150_000)
        writer.point(second[tag], len(writer.data))
        writer.data += struct.pack("<L", 2000 if tag == 0x0111 else 1_000_000) * 150_000
    start = time.monotonic()
    assert b"an artist" in clean_exif(bytes(writer.data), size=(1, 1))
    assert time.monotonic() - start < 2
