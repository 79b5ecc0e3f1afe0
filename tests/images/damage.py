"""Good picture files of every format and mode, and what can go wrong with them: the input of test_damage.py."""

import io
import re
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageCms

SIZES = (0, 1, 47, 49, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)
"""What a header may claim of a picture of 48x32: nothing, less, more, and over 2 GB."""


def good_files(photo: np.ndarray) -> dict[str, bytes]:
    """Files by name, one for each format and storage mode, with EXIF, XMP and a profile where the format has them."""
    rgb = Image.fromarray(photo[:32, :48])
    rgba = rgb.copy()
    rgba.putalpha(Image.fromarray(photo[:32, :48, 0]))
    deep = Image.fromarray(photo[:32, :48, 1].astype(np.uint16) * 257)
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a caption"
    exif[0x8769] = {0xA002: 48, 0xA003: 32}
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    more = {"exif": exif.tobytes(), "icc_profile": profile}
    made = {
        "rgb.png": (rgb, more), "rgba.png": (rgba, {}), "p.png": (rgb.quantize(16), {"transparency": 3}),
        "deep.png": (deep, {}), "grey.png": (rgb.convert("L"), {}), "bit.png": (rgb.convert("1"), {}),
        "rgb.jpg": (rgb, more), "progressive.jpg": (rgb, {"progressive": True}), "cmyk.jpg": (rgb.convert("CMYK"), {}),
        "rgba.webp": (rgba, more), "lossless.webp": (rgba, {"lossless": True}),
        "frames.webp": (rgb, {"save_all": True, "append_images": [rgb.rotate(180)]}),
        "p.gif": (rgb, {}), "frames.gif": (rgb, {"save_all": True, "append_images": [rgb.rotate(180)]}),
        "rgb.bmp": (rgb, {}), "p.bmp": (rgb.quantize(16), {}), "bit.bmp": (rgb.convert("1"), {}),
        "raw.tif": (rgb, more), "lzw.tif": (rgba, {"compression": "tiff_lzw"}),
        "deflate.tif": (rgb, {"compression": "tiff_adobe_deflate"}), "deep.tif": (deep, {}),
        "jpeg.tif": (rgb, {"compression": "jpeg"}), "cmyk.tif": (rgb.convert("CMYK"), {}),
        "pages.tif": (rgb, {"save_all": True, "append_images": [rgb.rotate(180)]}),
        "rgba.avif": (rgba, more), "rgb.avif": (rgb, {"quality": 50}),
    }  # fmt: skip
    files = {}
    for name, (image, options) in made.items():
        buffer = io.BytesIO()
        image.save(
            buffer, {"jpg": "JPEG", "tif": "TIFF"}.get(name.split(".")[1], name.split(".")[1].upper()), **options
        )
        files[name] = buffer.getvalue()
    return files


def damaged(name: str, data: bytes, *, flips: int, seed: int = 0) -> Iterator[tuple[str, bytes]]:
    """Damaged versions of a file: cut at every tenth, bytes changed, bytes lost or doubled, sizes lied about."""
    generator = np.random.default_rng([seed, zlib.crc32(name.encode())])
    for tenth in range(10):
        yield f"cut at {tenth} tenths", data[: len(data) * tenth // 10]
    for number in range(flips):
        changed = bytearray(data)
        # Headers hold what misleads a decoder most: half of the changes go there.
        end = min(len(data), 200) if number % 2 else len(data)
        for place in generator.integers(0, end, generator.integers(1, 5)):
            changed[place] = generator.integers(0, 256)
        yield f"changed {number}", bytes(changed)
    for number in range(flips // 8):
        place, length = generator.integers(0, len(data)), int(generator.integers(1, 64))
        yield f"lost {number}", data[:place] + data[place + length :]
        yield f"doubled {number}", data[:place] + data[place : place + length] * 3 + data[place + length :]
    yield from lies(name, data)


def lies(name: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    """The file with other sizes in its header, checksums made good again."""
    for place, form in _size_fields(name.split(".")[1], data):
        for size in SIZES:
            limit = 1 << (8 * struct.calcsize(form))
            changed = bytearray(data)
            struct.pack_into(form, changed, place, size % limit)
            if name.endswith(".png"):
                struct.pack_into(">I", changed, 29, zlib.crc32(changed[12:29]))
            yield f"claims {size} at {place}", bytes(changed)


def _size_fields(suffix: str, data: bytes) -> list[tuple[int, str]]:
    """Where a format keeps its sizes: offsets and struct codes."""
    if suffix == "png":
        return [(16, ">I"), (20, ">I"), (8, ">I"), (33, ">I")]
    if suffix == "jpg":
        frame = next(m.start() for m in re.finditer(rb"\xff[\xc0\xc2]", data))
        return [(frame + 5, ">H"), (frame + 7, ">H"), (frame + 2, ">H"), (4, ">H")]
    if suffix == "gif":
        frame = data.index(b",", 13 + 3 * 256 // 256)
        return [(6, "<H"), (8, "<H"), (frame + 5, "<H"), (frame + 7, "<H")]
    if suffix == "bmp":
        return [(18, "<I"), (22, "<I"), (2, "<I"), (10, "<I"), (28, "<H"), (46, "<I")]
    if suffix == "webp":
        return [(4, "<I"), (16, "<I"), (24, "<I"), (26, "<H"), (28, "<H")]
    if suffix == "avif":
        box = data.index(b"ispe")
        return [(box + 8, ">I"), (box + 12, ">I"), (box - 4, ">I"), (0, ">I")]
    (start,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, start)
    entries = [start + 2 + 12 * i for i in range(count)]
    # Width, height, samples, rows a strip, offsets and lengths of strips, and how many values each has.
    found = [e for e in entries if struct.unpack_from("<H", data, e)[0] in (256, 257, 273, 277, 278, 279)]
    return [(4, "<I"), *((entry + offset, "<I") for entry in found for offset in (4, 8))]
