import io
import time

import pytest

from kpalette import read_image
from kpalette.errors import ImageError
from kpalette.images.decoders import FORMATS
from tests.images.damage import damaged, good_files


def test_the_good_files_are_good_and_of_every_format(photo):
    pictures = {name: read_image(io.BytesIO(data)) for name, data in good_files(photo).items()}
    assert {picture.format for picture in pictures.values()} == set(FORMATS)
    assert {picture.rgb.shape for picture in pictures.values()} == {(32, 48, 3), (48, 32, 3)}


def read(name: str, data: bytes) -> str:
    """What is said of a file, "" where it is a picture after all; any other error escapes."""
    try:
        picture = read_image(io.BytesIO(data), name=name)
    except ImageError as error:
        return str(error)
    assert picture.alpha is None or picture.alpha.shape == picture.rgb.shape[:2]
    return ""


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_no_damaged_file_escapes_as_another_error_or_hangs(photo):
    """Some 3,000 files: each gives a picture or one clear line, soon."""
    count = 0
    for name, good in good_files(photo).items():
        for what, data in damaged(name, good, flips=40):
            count += 1
            start = time.monotonic()
            said = read(name, data)
            assert not said or said.startswith((f"{name} ", f"cannot read {name}")), what
            assert "\n" not in said, what
            assert time.monotonic() - start < 10, f"{name}, {what}"
    assert count > 2500
