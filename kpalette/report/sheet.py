"""Contact sheets: pictures in a grid, each with its name and figures, the palette on top; and palettes as pictures."""

import unicodedata
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from kpalette.color.names import rgb_to_levels
from kpalette.errors import ArgumentError
from kpalette.images.picture import resize
from kpalette.palettes.palette import Palette
from kpalette.types import ImageArray

_BACKGROUND, _INK, _QUIET = (250, 250, 248), (24, 24, 24), (104, 104, 100)
_MARGIN, _GAP, _SWATCH = 24, 20, 40
_TITLE = 36  # longest title, in characters
_CAPTION = 330  # width of a line of figures, in pixels


def make_sheet(
    images: Sequence[ImageArray],
    labels: Sequence[tuple[str, str]],
    *,
    palette: Palette,
    title: str = "",
    columns: int | None = None,
    tile: int = 480,
) -> ImageArray:
    """Draws a contact sheet.

    Args:
        images: uint8 sRGB (H, W, 3), of any sizes; larger ones are shrunk to `tile`.
        labels: a name and a line of figures for each image.
        palette: its colours are drawn on top, with their hex codes.
        title: one line, left of the colours.
        columns: images in a row; if None 2 for four images, else up to 3.
        tile: longest side of an image on the sheet, in pixels.

    Returns:
        The sheet, uint8 sRGB (H, W, 3).

    Raises:
        ArgumentError: if there are no images, or not one label for each.
    """
    if not images or len(images) != len(labels):
        raise ArgumentError(f"a sheet needs one label for each image. Received: {len(images)} and {len(labels)}")
    title = _drawable(title)
    tiles = [resize(image, longest=tile) for image in images]
    columns = max(1, min(columns or (2 if len(tiles) == 4 else 3), len(tiles)))
    width, height = max(t.shape[1] for t in tiles), max(t.shape[0] for t in tiles)
    cell = (max(width, _CAPTION), height + 58)
    rows = -(-len(tiles) // columns)
    top = _MARGIN + _SWATCH + 30 + _GAP
    # Wide enough for the palette and the title, however small the images are.
    least = 2 * _MARGIN + len(palette) * 84 + 12 * len(title)
    sheet_size = (max(least, 2 * _MARGIN + columns * cell[0] + (columns - 1) * _GAP), top + rows * cell[1] + _MARGIN)
    sheet = Image.new("RGB", sheet_size, _BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    _draw_header(draw, title, palette, sheet_size[0])
    for i, (image, (name, figures)) in enumerate(zip(tiles, labels, strict=True)):
        x = _MARGIN + (i % columns) * (cell[0] + _GAP)
        y = top + (i // columns) * cell[1]
        sheet.paste(Image.fromarray(image), (x, y))
        draw.text((x, y + image.shape[0] + 6), name, _INK, ImageFont.load_default(18))
        draw.text((x, y + image.shape[0] + 30), figures, _QUIET, ImageFont.load_default(13))
    return np.array(sheet)


def swatch_image(palette: Palette, *, side: int = 96) -> ImageArray:
    """Draws a palette as a row of squares.

    Args:
        palette: k colours.
        side: of a square, in pixels.

    Returns:
        uint8 sRGB (side, k side, 3).

    Example:
        >>> swatch_image(Palette.parse("red blue"), side=2)[0].tolist()
        [[255, 0, 0], [255, 0, 0], [0, 0, 255], [0, 0, 255]]
    """
    colors = rgb_to_levels(palette.rgb)
    return np.ascontiguousarray(np.broadcast_to(colors.repeat(side, axis=0), (side, len(palette) * side, 3)))


def _drawable(text: str) -> str:
    """Reduces a title to what Pillow's font can draw, ASCII, and to the length that fits beside the palette."""
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "replace").decode()
    return ascii_text if len(ascii_text) <= _TITLE else ascii_text[: _TITLE - 3] + "..."


def _draw_header(draw: ImageDraw.ImageDraw, title: str, palette: Palette, width: int) -> None:
    draw.text((_MARGIN, _MARGIN + 8), title, _INK, ImageFont.load_default(22))
    step = 84
    left = width - _MARGIN - step * len(palette) + 9  # there is no gap after the last one
    for i, code in enumerate(palette.hex):
        x = left + i * step
        draw.rectangle((x, _MARGIN, x + step - 9, _MARGIN + _SWATCH), fill=code, outline=_QUIET)
        draw.text((x, _MARGIN + _SWATCH + 6), code, _QUIET, ImageFont.load_default(13))
