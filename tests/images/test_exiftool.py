"""Metadata of results, as ExifTool reads it."""

import json
import subprocess

import numpy as np
import pytest
from PIL import Image, ImageCms

from kpalette import read_image, write_image
from tests.conftest import program
from tests.images.test_metadata import XMP, exif_block

KEPT = ("Artist", "Copyright", "ImageDescription", "ISO", "DateTimeOriginal", "GPSLatitude", "Creator", "XResolution")


def exiftool(path) -> dict[str, object]:
    command = [program("exiftool"), "-json", "-n", "-all", "-validate", path]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)[0]


@pytest.mark.parametrize(
    ("suffix", "form"), [("jpg", "JPEG"), ("png", "PNG"), ("webp", "WEBP"), ("tif", "TIFF"), ("avif", "AVIF")]
)
def test_exiftool_finds_the_tags_of_the_source(tmp_path, suffix, form):
    rgb = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    options = {"exif": exif_block().removeprefix(b"Exif\0\0")} if form == "TIFF" else {"exif": exif_block(), "xmp": XMP}
    source, result = tmp_path / f"a.{suffix}", tmp_path / f"b.{suffix}"
    Image.fromarray(rgb).save(source, form, dpi=(300, 300), icc_profile=profile, **options)
    picture = read_image(source)
    write_image(result, picture.with_rgb(255 - picture.rgb))
    before, after = exiftool(source), exiftool(result)
    assert {"Artist", "Copyright", "ISO", "GPSLatitude", "ProfileDescription"} <= set(before)
    for name in (*KEPT, "ProfileDescription"):
        assert after.get(name) == before.get(name), name
    assert before["Orientation"] == 6
    assert after.get("Orientation", 1) == 1  # the pixels are upright now
    assert (after["ImageWidth"], after["ImageHeight"], after["ExifImageWidth"]) == (40, 60, 40)
    faults = [[int(number) for number in facts["Validate"].split()] for facts in (before, after)]
    assert faults[1][0] == 0
    assert faults[1][1] <= faults[0][1]
