import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kpalette.errors import ArgumentError
from kpalette.images.encode import encode_image
from kpalette.images.files import write_image
from kpalette.images.picture import Picture, as_picture
from kpalette.palettes.extract import extract_palette


def test_the_text_of_a_picture_is_short(photo):
    alpha = np.full(photo.shape[:2], 9, np.uint8)
    assert repr(Picture(photo)) == "<Picture of 128x128 pixels, PNG>"
    metadata = {"xmp": b"x" * 10_000, "dpi": (72.0, 72.0)}
    assert repr(Picture(photo[:64], alpha[:64], "JPEG", metadata)) == (
        "<Picture of 128x64 pixels, JPEG, alpha, dpi, xmp>"
    )


@pytest.mark.parametrize(
    ("height", "width", "shown"), [(128, 100, (100, 128)), (1024, 512, (256, 512)), (600, 1200, (512, 256))]
)
@pytest.mark.parametrize("channels", [3, 4])
def test_a_notebook_shows_a_picture_of_at_most_512_pixels(height, width, shown, channels):
    image = np.random.default_rng(0).integers(0, 256, (height, width, channels), dtype=np.uint8)
    data = as_picture(image)._repr_png_()
    opened = Image.open(io.BytesIO(data))
    assert (opened.format, opened.size, len(opened.getbands())) == ("PNG", shown, channels)
    if shown == (width, height):
        np.testing.assert_array_equal(np.asarray(opened), image)


@pytest.mark.parametrize("path", ["photo.jpg", Path("photo.jpg")])
@pytest.mark.parametrize(
    "use",
    [as_picture, extract_palette, lambda path: encode_image(path, image_format="PNG"),
     lambda path: write_image("a.png", path)],
)  # fmt: skip
def test_a_path_in_place_of_a_picture_is_refused(tmp_path, monkeypatch, use, path):
    monkeypatch.chdir(tmp_path)
    message = "`image` must be a picture, not a path: open it with kpalette.read_image. Received: 'photo.jpg'"
    with pytest.raises(ArgumentError) as error:
        use(path)
    assert str(error.value) == message
