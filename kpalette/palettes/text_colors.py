"""Colours from the lines of text formats: GIMP palettes (.gpl), Lospec's .hex, and .txt of paint.net and of people.

Text is UTF-8, or UTF-16 with a byte order mark, else Latin-1. Errors name the line. Alpha channels of .gpl and of
paint.net (AARRGGBB) are ignored; colours in the notation of CSS (#rrggbbaa) must be opaque.
"""

import json
import re
from collections.abc import Callable, Iterator

from kpalette.color.names import OpacityError, parse_color
from kpalette.errors import PaletteError

_LABEL = re.compile(r"[A-Za-z][\w -]*:")
_HASH_COLOR = re.compile(r"#(?:[0-9a-fA-F]+(?:\s*,.*)?|[0-9a-fA-F]{6}(?:[0-9a-fA-F]{2})?\b.*)")
_HEX_LINE = re.compile(r"#?(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8})|#[0-9a-fA-F]{4}")

Rgb = tuple[float, float, float]


def decode_text(data: bytes, *, form: str, name: str) -> list[Rgb]:
    """Reads the colours of a text file.

    Args:
        data: the bytes of the file.
        form: "gpl", "hex" or "txt".
        name: the file's name, for messages.

    Returns:
        The colours in the order of the file, sRGB in 0..1.

    Raises:
        PaletteError: if a line cannot be read; the message names it.
    """
    readers: dict[str, Callable[[list[str], str], Iterator[Rgb]]]
    readers = {"gpl": _gpl_colors, "hex": _hex_colors, "txt": _txt_colors}
    return list(readers[form](re.split(r"\r\n|\n|\r", _text(data, name)), name))


def line_error(name: str, line: int, text: str) -> PaletteError:
    """An error in a line of a file.

    Args:
        name: the file's name.
        line: the number of the line, from 1.
        text: what is wrong with it.

    Returns:
        The error, not raised.
    """
    return PaletteError(f"{name}, line {line}: {text}")


def quoted(value: object) -> str:
    """Quotes a value of a file for a message, at most 40 characters of it.

    Args:
        value: text, or a value of JSON.

    Returns:
        The value in quotes.
    """
    text = value if isinstance(value, str) else json.dumps(value)
    return repr(text if len(text) <= 40 else text[:37] + "...")


def _text(data: bytes, name: str) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            return data.decode("utf-16")
        except UnicodeDecodeError:
            raise PaletteError(f"{name}: begins as UTF-16 text, but is not all UTF-16: save it as UTF-8") from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _gpl_colors(lines: list[str], name: str) -> Iterator[Rgb]:
    if lines[0].strip() != "GIMP Palette":
        raise line_error(name, 1, f"expected 'GIMP Palette', found {quoted(lines[0].strip())}")
    channels, in_header = 3, True
    for number, line in enumerate(lines[1:], start=2):
        row = line.strip()
        if not row or row.startswith("#"):
            continue
        if in_header and _LABEL.match(row):
            if re.fullmatch(r"channels:\s*rgba", row, re.IGNORECASE):
                channels = 4
            continue
        in_header = False
        parts = row.split()[:channels]
        values = [int(part) for part in parts if re.fullmatch(r"[0-9]{1,4}", part)]
        if len(parts) != channels or len(values) != channels or max(values) > 255:
            count = {3: "three", 4: "four"}[channels]
            raise line_error(name, number, f"expected {count} numbers 0 to 255, found {quoted(row)}")
        yield values[0] / 255, values[1] / 255, values[2] / 255


def _hex_colors(lines: list[str], name: str) -> Iterator[Rgb]:
    for number, line in enumerate(lines, start=1):
        row = line.split(";")[0].strip()
        if row and not _HEX_LINE.fullmatch(row):
            raise line_error(name, number, f"expected a colour like f4a300, found {quoted(row)}")
        if row:
            yield _parsed(f"#{row.removeprefix('#')}", name, number, "")


def _txt_colors(lines: list[str], name: str) -> Iterator[Rgb]:
    for number, line in enumerate(lines, start=1):
        row = line.split(";")[0].strip().rstrip(",")
        # "#" begins a comment, except before digits that are or should be a colour: an error is better than to skip it.
        if not row or (row.startswith("#") and not _HASH_COLOR.fullmatch(row)):
            continue
        color = row[2:] if re.fullmatch(r"[0-9a-fA-F]{8}", row) else row
        yield _parsed(color, name, number, f"expected a colour or AARRGGBB, found {quoted(row)}")


def _parsed(color: str, name: str, number: int, message: str) -> Rgb:
    try:
        return parse_color(color)
    except OpacityError as error:
        raise line_error(name, number, str(error)) from None
    except PaletteError:
        raise line_error(name, number, message) from None
