import contextlib
import io
import os
import struct
import zlib

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from kpalette.color.spaces import rgb_to_lab
from kpalette.errors import ArgumentError, ImageError, OutputError, PaletteError
from kpalette.images import decode as image_decode
from kpalette.images import encode as image_encode
from kpalette.images import files as image_files
from kpalette.images import picture as images
from kpalette.images import samples
from kpalette.images.files import read_image, write_image
from kpalette.images.picture import Picture


@pytest.fixture
def rgba(photo) -> np.ndarray:
    alpha = np.random.default_rng(0).integers(0, 256, photo.shape[:2], dtype=np.uint8)
    return np.dstack([photo, alpha])


def saved(path, array, **options):
    Image.fromarray(array).save(path, **options)
    return path


@pytest.mark.parametrize(
    ("name", "worst"),
    [
        ("a.png", 0),
        ("a.webp", 60),
        ("a.jpg", 60),
        ("a.JPEG", 60),
        ("a.tif", 0),
        ("a.TIFF", 0),
        ("a.bmp", 0),
        ("a.avif", 60),
        ("a.gif", 120),
    ],
)
def test_round_trip(tmp_path, photo, name, worst):
    write_image(tmp_path / name, photo)
    picture = read_image(tmp_path / name)
    difference = np.abs(picture.rgb.astype(int) - photo)
    assert difference.max() <= worst
    assert difference.mean() < (
        8 if name == "a.gif" else 3
    )  # WebP halves the resolution of chroma, GIF has 256 colours
    assert picture.alpha is None
    assert picture.format == image_files.SUFFIXES[(tmp_path / name).suffix.lower()]


@pytest.mark.parametrize("name", ["a.png", "a.webp", "a.tif", "a.avif"])
def test_alpha_survives_to_the_bit(tmp_path, rgba, name):
    write_image(tmp_path / name, rgba)
    picture = read_image(tmp_path / name)
    np.testing.assert_array_equal(picture.alpha, rgba[..., 3])
    assert np.asarray(picture).shape == rgba.shape


def test_gif_holds_alpha_that_is_all_or_nothing(tmp_path, rgba):
    with pytest.raises(OutputError, match="GIF cannot hold the picture's half-transparent pixels: write .png"):
        write_image(tmp_path / "a.gif", rgba)
    rgba[..., 3] = np.where(rgba[..., 3] > 127, 255, 0)
    write_image(tmp_path / "a.gif", rgba)
    np.testing.assert_array_equal(read_image(tmp_path / "a.gif").alpha, rgba[..., 3])


@pytest.mark.parametrize("name", ["a.jpg", "a.bmp", "a.gif", "a.png"])
def test_a_background_takes_the_place_of_transparency(tmp_path, rgba, name):
    write_image(tmp_path / name, rgba, background="rgb(10, 200, 30)")
    picture = read_image(tmp_path / name)
    assert picture.alpha is None
    share = rgba[..., 3:] / 255
    expected = rgba[..., :3] * share + np.array([10, 200, 30]) * (1 - share)
    assert np.abs(picture.rgb - expected).mean() < (9 if name == "a.gif" else 4 if name == "a.jpg" else 0.51)
    with pytest.raises(PaletteError, match="unknown colour 'whit': did you mean 'white'"):
        write_image(tmp_path / "b.png", rgba, background="whit")
    assert not (tmp_path / "b.png").exists()


def test_png_keeps_colours_under_transparent_pixels(tmp_path, rgba):
    rgba[:20, :, 3] = 0
    write_image(tmp_path / "a.png", rgba)
    np.testing.assert_array_equal(np.asarray(read_image(tmp_path / "a.png")), rgba)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_once(tmp_path, photo, orientation):
    image = photo[:40, :60].copy()
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010E] = "a caption"
    source = saved(tmp_path / "a.png", image, exif=exif)
    turned = {
        1: image, 2: image[:, ::-1], 3: image[::-1, ::-1], 4: image[::-1], 5: image.swapaxes(0, 1),
        6: image.swapaxes(0, 1)[:, ::-1], 7: image.swapaxes(0, 1)[::-1, ::-1], 8: image.swapaxes(0, 1)[::-1],
    }  # fmt: skip
    picture = read_image(source)
    np.testing.assert_array_equal(picture.rgb, turned[orientation])
    write_image(tmp_path / "b.png", picture)
    again = Image.open(tmp_path / "b.png")
    assert again.getexif().get(0x0112, 1) == 1
    assert again.getexif()[0x010E] == "a caption"
    np.testing.assert_array_equal(read_image(tmp_path / "b.png").rgb, turned[orientation])


def test_resolution_and_profile_are_carried_over(tmp_path, photo):
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    write_image(tmp_path / "b.jpg", read_image(saved(tmp_path / "a.jpg", photo, dpi=(300, 300), icc_profile=profile)))
    info = Image.open(tmp_path / "b.jpg").info
    assert info["dpi"] == (300, 300)
    assert info["icc_profile"] == profile


MODES = [
    *((mode, "png") for mode in ("L", "LA", "P", "1", "RGBA", "I;16")),
    *((mode, "tif") for mode in ("L", "LA", "P", "1", "RGBA", "I;16", "CMYK", "LAB")),
    ("CMYK", "jpg"), ("L", "jpg"), ("L", "webp"), ("L", "avif"), ("P", "gif"), ("L", "bmp"), ("1", "bmp"), ("P", "bmp"),
]  # fmt: skip


@pytest.mark.parametrize(("mode", "suffix"), MODES)
def test_other_modes_become_rgb(tmp_path, photo, mode, suffix):
    if mode == "I;16":
        image = Image.fromarray((photo[..., 0].astype(np.uint16) << 8) | 77)
    elif mode == "LAB":
        lab = rgb_to_lab(images.image_to_rgb(photo))
        image = Image.fromarray(np.rint(lab * [2.55, 1, 1]).astype(np.int16).astype(np.uint8), "LAB")
    else:
        image = Image.fromarray(photo).convert("RGBA" if mode == "LA" else "RGB").convert(mode)
    path = tmp_path / f"a.{suffix}"
    image.save(path, **({"quality": 95} if suffix == "jpg" else {}))
    picture = read_image(path)
    assert picture.rgb.shape == photo.shape
    assert picture.rgb.dtype == np.uint8
    assert (picture.alpha is not None) == (mode in ("LA", "RGBA"))
    if mode == "CMYK":
        assert np.abs(picture.rgb.astype(int) - photo).mean() < 3
    if mode == "LAB":  # by D50 and 8 bits
        assert np.abs(picture.rgb.astype(int) - photo).mean() < 8
    if mode in ("L", "I;16") and suffix in ("png", "tif", "bmp"):
        expected = np.asarray(image) if mode == "L" else photo[..., 0]
        np.testing.assert_array_equal(picture.rgb[..., 1], expected)


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("channels", [3, 4])
def test_sixteen_bits_a_channel_become_eight(tmp_path, photo, suffix, channels):
    deep = np.dstack([photo, 255 - photo[..., 0]])[..., :channels].astype(np.uint16) * 257
    order = [2, 1, 0, 3][:channels]
    (tmp_path / f"a.{suffix}").write_bytes(cv2.imencode(f".{suffix}", deep[..., order])[1].tobytes())
    picture = read_image(tmp_path / f"a.{suffix}")
    np.testing.assert_array_equal(np.asarray(picture), (deep // 257).astype(np.uint8))


ODD_TIFFS = {
    "float grey": lambda grey: (grey / np.float32(255), {}),
    "float rgb": lambda grey: (np.dstack([grey / np.float32(255)] * 3), {"photometric": "rgb"}),
    "32 bits": lambda grey: (grey.astype(np.uint32) << 24, {}),
    "signed 16 bits": lambda grey: (grey.astype(np.int16), {}),
    "signed 8 bits": lambda grey: (grey.astype(np.int8), {}),
    "16 bits, planes": lambda grey: (
        np.stack([grey.astype(np.uint16) * 257] * 3), {"photometric": "rgb", "planarconfig": "separate"}
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", ODD_TIFFS)
def test_tiffs_that_pillow_would_misread_are_refused_in_one_line(tmp_path, photo, kind):
    array, options = ODD_TIFFS[kind](photo[..., 0])
    tifffile.imwrite(tmp_path / "a.tif", array, **options)
    with pytest.raises(ImageError, match="a.tif is a TIFF that is damaged, or not of 8 or 16 bits a chan"):
        read_image(tmp_path / "a.tif")


@pytest.mark.parametrize("bits", [8, 16])
def test_white_may_be_zero(tmp_path, photo, bits):
    grey = photo[..., 0].astype(np.uint16) * 257 if bits == 16 else photo[..., 0]
    tifffile.imwrite(tmp_path / "a.tif", grey, photometric="miniswhite")
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif").rgb[..., 1], 255 - photo[..., 0])


@pytest.mark.parametrize("deep", [False, True])
def test_a_grey_that_is_transparent(tmp_path, photo, deep):
    grey = photo[..., 0].astype(np.uint16) * 257 if deep else photo[..., 0]
    Image.fromarray(grey).save(tmp_path / "a.png", transparency=int(grey[0, 0]))
    np.testing.assert_array_equal(read_image(tmp_path / "a.png").alpha == 0, photo[..., 0] == photo[0, 0, 0])


@pytest.mark.parametrize(("name", "longest"), [("a.jpg", 65_500), ("a.webp", 16_383), ("a.gif", 65_535)])
def test_sides_that_a_format_cannot_hold(tmp_path, name, longest):
    wide = np.zeros((1, longest + 1, 3), np.uint8)
    with pytest.raises(OutputError, match=f"cannot hold sides of more than {longest:,} pixels: write .png or .tif"):
        write_image(tmp_path / name, wide)
    write_image(tmp_path / name, wide[:, 1:])


def test_of_several_pages_the_first_is_read_and_a_note_logged(tmp_path, photo, caplog):
    Image.fromarray(photo).save(tmp_path / "a.tif", save_all=True, append_images=[Image.fromarray(255 - photo)])
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif").rgb, photo)
    assert "a.tif has several pages: only its first page is read" in caplog.text


def test_palette_transparency_becomes_alpha(tmp_path):
    image = Image.new("P", (4, 4), 0)
    image.putpalette([255, 0, 0, 0, 255, 0])
    image.save(tmp_path / "a.png", transparency=0)
    assert (read_image(tmp_path / "a.png").alpha == 0).all()


@pytest.mark.parametrize("name", ["a.png", "a.webp"])
def test_of_an_animation_the_first_frame_is_read_and_a_note_logged(tmp_path, photo, caplog, name):
    frames = [Image.fromarray(photo), Image.fromarray(255 - photo)]
    frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], lossless=True)
    np.testing.assert_array_equal(read_image(tmp_path / name).rgb, photo)
    assert f"{name} is animated: only its first frame is read" in caplog.text


def test_colours_under_another_profile_are_converted(tmp_path, photo, caplog):
    from PIL import ImageCms

    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    picture = read_image(saved(tmp_path / "lab.png", photo, icc_profile=lab))
    np.testing.assert_array_equal(picture.rgb, photo)
    assert "icc_profile" not in picture.metadata
    assert "lab.png has a colour profile that cannot be used: its colours are taken as sRGB" in caplog.text

    # sRGB with its red and blue primaries exchanged: the conversion must exchange them back.
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = struct.unpack(">I", data[128:132])[0]
    tags = {bytes(data[i : i + 4]): i for i in range(132, 132 + 12 * count, 12)}
    red, blue = tags[b"rXYZ"], tags[b"bXYZ"]
    data[red : red + 4], data[blue : blue + 4] = b"bXYZ", b"rXYZ"
    description = data.find("sRGB".encode("utf-16-be"))
    data[description : description + 2] = "x".encode("utf-16-be")
    path = saved(tmp_path / "swapped.png", photo, icc_profile=bytes(data))
    picture = read_image(path)
    assert np.abs(picture.rgb.astype(int) - photo[..., ::-1]).max() <= 3
    write_image(tmp_path / "out.png", picture)
    written = ImageCms.ImageCmsProfile(io.BytesIO(Image.open(tmp_path / "out.png").info["icc_profile"]))
    assert "sRGB" in ImageCms.getProfileDescription(written)


def test_damaged_exif_is_dropped_with_a_note(tmp_path, photo, caplog):
    path = saved(tmp_path / "a.png", photo, exif=b"Exif\0\0no TIFF header here")
    picture = read_image(path)
    np.testing.assert_array_equal(picture.rgb, photo)
    assert "exif" not in picture.metadata
    assert "a.png has damaged EXIF data, which is dropped" in caplog.text


def test_pil_images_keep_their_depth(photo):
    deep = Image.fromarray((photo[..., 0].astype(np.uint16) << 8) | 77)
    np.testing.assert_array_equal(image_decode.picture_from_pil(deep).rgb[..., 2], photo[..., 0])
    for mode in ("I", "F"):
        with pytest.raises(ArgumentError, match=f"PIL images of mode '{mode}' have no known range: convert to 'RGB'"):
            image_decode.picture_from_pil(Image.new(mode, (4, 4)))
    half = Image.open(io.BytesIO(image_encode.encode_image(photo, image_format="JPEG")[:3000]))
    with pytest.raises(ImageError, match="cannot decode the PIL image: image file is truncated"):
        image_decode.picture_from_pil(half)


def test_links_are_written_through_and_permissions_kept(tmp_path, photo):
    real, link, dangling = tmp_path / "real.png", tmp_path / "link.png", tmp_path / "dangling.png"
    write_image(real, photo)
    real.chmod(0o600)
    link.symlink_to(real)
    dangling.symlink_to(tmp_path / "nowhere.png")
    write_image(link, 255 - photo, overwrite=True)
    assert link.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o600
    np.testing.assert_array_equal(read_image(real).rgb, 255 - photo)
    for path in (link, dangling):
        with pytest.raises(OutputError, match="exists already"):
            write_image(path, photo)
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(OutputError, match="pipe.png: it is no regular file"):
        write_image(tmp_path / "pipe.png", photo, overwrite=True)


def test_a_file_that_appears_meanwhile_is_kept(tmp_path, photo, monkeypatch):
    path = tmp_path / "a.png"
    encode = image_encode.encode_image

    def slow(*arguments, **options):
        path.write_bytes(b"precious")
        return encode(*arguments, **options)

    monkeypatch.setattr("kpalette.images.files.encode_image", slow)
    with pytest.raises(OutputError, match="a.png exists already"):
        write_image(path, photo)
    assert path.read_bytes() == b"precious"
    assert os.listdir(tmp_path) == ["a.png"]


def test_jpeg_takes_alpha_that_hides_nothing(tmp_path, photo):
    write_image(tmp_path / "a.jpg", np.dstack([photo, np.full(photo.shape[:2], 255, np.uint8)]))
    assert read_image(tmp_path / "a.jpg").alpha is None


def test_streams_are_read(photo):
    data = image_encode.encode_image(photo, image_format="PNG")
    np.testing.assert_array_equal(read_image(io.BytesIO(data)).rgb, photo)
    with pytest.raises(ImageError, match=r"the stream is empty \(0 bytes\)"):
        read_image(io.BytesIO(b""))


def claimed_png(width: int, height: int) -> bytes:
    """A PNG whose header promises any size, with next to no data behind it."""
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(b"0"))]
    body = b"".join(struct.pack(">I", len(d)) + t + d + struct.pack(">I", zlib.crc32(t + d)) for t, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + body


def test_files_that_are_no_pictures(tmp_path, photo):
    cases = {
        "empty.png": (b"", r"empty.png is empty \(0 bytes\)"),
        "text.png": (
            b"hello",
            "text.png is not a readable picture: only AVIF, BMP, GIF, JPEG, PNG, TIFF, WEBP can be read",
        ),
        "bomb.png": (claimed_png(60_000, 60_000), "bomb.png has 60000x60000 pixels, over the limit of 100,000,000"),
        "short.png": (claimed_png(30, 30), "cannot read .*short.png, the file is damaged"),
        "half.jpg": (
            image_encode.encode_image(photo, image_format="JPEG")[:3000],
            "half.jpg, the file is damaged: .*truncated",
        ),
        "half.webp": (image_encode.encode_image(photo, image_format="WEBP")[:900], "half.webp"),
    }
    for name, (data, message) in cases.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ImageError, match=message) as error:
            read_image(tmp_path / name)
        assert "\n" not in str(error.value)
    with pytest.raises(ImageError, match=r"none.png does not exist"):
        read_image(tmp_path / "none.png")
    with pytest.raises(ImageError, match=r"is a folder, not a picture file"):
        read_image(tmp_path)
    for name in ("a\0b.png", "n" * 300 + ".png"):
        with pytest.raises(ImageError, match=f"cannot read {name[:1]}"):
            read_image(name)
    with pytest.raises(ImageError, match="the file name is empty"):
        read_image("")
    for value in (None, 5):
        with pytest.raises(ArgumentError, match="`path` must be a path or a binary stream. Received: "):
            read_image(value)


def test_formats_off_the_list_are_refused(tmp_path, photo):
    for suffix in ("ppm", "tga", "pcx"):
        with pytest.raises(ImageError, match="only AVIF, BMP, GIF, JPEG, PNG, TIFF, WEBP can be read"):
            read_image(saved(tmp_path / f"a.{suffix}", photo))


def test_the_pixel_limit_can_be_set(tmp_path, photo, monkeypatch):
    path = saved(tmp_path / "a.png", photo)
    monkeypatch.setenv("KPALETTE_MAX_PIXELS", "1000")
    with pytest.raises(
        ImageError, match="128x128 pixels, over the limit of 1,000: set KPALETTE_MAX_PIXELS to allow more"
    ):
        read_image(path)
    monkeypatch.setenv("KPALETTE_MAX_PIXELS", "16384")
    assert read_image(path).rgb.shape == photo.shape
    for value in ("lots", "0", "-5", "²", "9" * 5000):
        monkeypatch.setenv("KPALETTE_MAX_PIXELS", value)
        with pytest.raises(ArgumentError, match="KPALETTE_MAX_PIXELS must be a positive whole number. Received: "):
            read_image(path)


def test_pillows_own_limit_is_left_as_it_was(tmp_path, photo):
    before = Image.MAX_IMAGE_PIXELS
    read_image(saved(tmp_path / "a.png", photo))
    assert before == Image.MAX_IMAGE_PIXELS


def test_nothing_is_overwritten_unless_asked(tmp_path, photo):
    path = tmp_path / "a.png"
    path.write_bytes(b"precious")
    with pytest.raises(OutputError, match="a.png exists already: use overwrite=True"):
        write_image(path, photo)
    assert path.read_bytes() == b"precious"
    write_image(path, photo, overwrite=True)
    np.testing.assert_array_equal(read_image(path).rgb, photo)


def test_a_write_that_fails_leaves_what_was_there(tmp_path, photo, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(b"precious")

    def full(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.raises(OutputError, match="cannot write .*a.png: No space left on device"):
        write_image(path, photo, overwrite=True)
    assert path.read_bytes() == b"precious"
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_where_nothing_can_be_written(tmp_path, photo, rgba):
    with pytest.raises(OutputError, match="cannot write .*a.png: No such file or directory"):
        write_image(tmp_path / "none" / "a.png", photo)
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(OutputError, match="cannot write .*folder.png: it is a folder"):
        write_image(tmp_path / "folder.png", photo, overwrite=True)
    with pytest.raises(
        OutputError,
        match="cannot tell the format of .*a.xyz: use one of .avif, .bmp, .gif, .jpeg, .jpg, .png, .tif, .tiff, .webp",
    ):
        write_image(tmp_path / "a.xyz", photo)
    with pytest.raises(OutputError, match="JPEG cannot hold the picture's transparency: write .png or .webp"):
        write_image(tmp_path / "a.jpg", rgba)
    assert [p.name for p in tmp_path.iterdir()] == ["folder.png"]


def test_new_files_have_the_permissions_of_new_files(tmp_path, photo):
    write_image(tmp_path / "a.png", photo)
    (tmp_path / "plain").write_bytes(b"")
    assert (tmp_path / "a.png").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize(
    "array",
    [np.zeros((4, 4, 3)), np.zeros((4, 4), np.uint8), np.zeros((4, 4, 5), np.uint8), np.zeros((0, 4, 3), np.uint8)],
)
def test_arrays_out_of_contract(array):
    with pytest.raises(ArgumentError, match=r"`image` must be uint8 of shape \(H, W, 3\) or \(H, W, 4\), no side 0"):
        images.as_picture(array)


def test_ranges_meet_in_one_place():
    every = np.arange(256, dtype=np.uint8).reshape(-1, 1).repeat(3, axis=1)
    rgb = images.image_to_rgb(every)
    assert rgb.dtype == np.float32
    assert rgb.max() == 1
    np.testing.assert_array_equal(images.rgb_to_image(rgb), every)
    np.testing.assert_array_equal(images.rgb_to_image(np.array([-0.2, 1.7, 0.5])), [0, 255, 128])


def test_resize_only_shrinks(photo):
    assert images.resize(photo, longest=500) is photo
    assert images.resize(photo[:64], longest=32).shape == (16, 32, 3)
    assert images.resize(photo[:1], longest=10).shape == (1, 10, 3)


def test_samples():
    for name in samples.SAMPLES:
        assert samples.sample_image(name).ndim == 3
    with pytest.raises(ArgumentError, match="`name` must be one of astronaut, chelsea, coffee. Received: 'lena'"):
        samples.sample_image("lena")


def test_picture_keeps_all_but_its_colours(photo, rgba):
    picture = Picture(photo, rgba[..., 3], "WEBP", {"dpi": (72, 72)})
    other = picture.with_rgb(photo[..., ::-1])
    assert other.alpha is picture.alpha
    assert (other.format, other.metadata) == ("WEBP", {"dpi": (72, 72)})


def test_a_guard_is_entered_around_decoder_and_encoder(tmp_path, photo):
    entered = []

    @contextlib.contextmanager
    def guard():
        entered.append("in")
        yield
        entered.append("out")

    write_image(tmp_path / "a.png", photo, guard=guard)
    assert entered == ["in", "out"]
    read_image(tmp_path / "a.png", guard=guard)
    with (tmp_path / "a.png").open("rb") as stream:
        read_image(stream, guard=guard)
    assert entered == 3 * ["in", "out"]
