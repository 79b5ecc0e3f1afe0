import numpy as np
import pytest

from kpalette.errors import ArgumentError
from kpalette.report.sheet import make_sheet


def contains(sheet: np.ndarray, image: np.ndarray) -> bool:
    height, width = image.shape[:2]
    rows, columns = np.nonzero((sheet[: -height + 1, : -width + 1] == image[0, 0]).all(axis=-1))
    return any(np.array_equal(sheet[y : y + height, x : x + width], image) for y, x in zip(rows, columns, strict=True))


def test_every_tile_and_swatch_is_there(photo, four):
    images = [photo, photo[..., ::-1].copy(), 255 - photo, photo[:64]]
    sheet = make_sheet(images, [("a", "1"), ("b", "2"), ("c", "3"), ("d", "4")], palette=four, title="t", columns=2)
    assert sheet.dtype == np.uint8
    for image in images:
        assert contains(sheet, image)
    for rgb in np.rint(four.rgb * 255).astype(np.uint8):
        assert contains(sheet, np.tile(rgb, (30, 60, 1)))


def test_tiles_shrink_and_sheets_grow_with_the_palette(photo, four):
    small = make_sheet([photo], [("a", "")], palette=four, tile=64)
    assert not contains(small, photo)
    assert small.shape[1] >= 4 * 84


@pytest.mark.parametrize("labels", [[], [("a", ""), ("b", "")]])
def test_one_label_for_each_image(photo, four, labels):
    with pytest.raises(ArgumentError, match="a sheet needs one label for each image. Received: 1 and"):
        make_sheet([photo], labels, palette=four)
    with pytest.raises(ArgumentError, match="Received: 0 and 0"):
        make_sheet([], [], palette=four)
