"""Colours from kpalette's own palette format: JSON, with Lab and shares.

A file is a list of colours, or an object with such a list as "colors" or as its only list. A colour is a text in a form
that `Palette.parse` knows, three levels [r, g, b], or an object with "hex", "lab" or both, and perhaps "share".
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kpalette.color.gamut import reduce_chroma
from kpalette.color.names import OpacityError, parse_color
from kpalette.color.spaces import lab_to_rgb, rgb_to_lab
from kpalette.errors import PaletteError
from kpalette.palettes.text_colors import line_error, quoted
from kpalette.types import L_MAX

_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder(parse_int=lambda digits: int(digits) if len(digits) < 20 else float(digits))
_MAX_AB = 1000.0
_MAX_DISAGREEMENT = 2.0  # dE76 between "hex" and "lab" of one colour

_Row = tuple[tuple[float, ...], tuple[float, ...], float | None]
_NONE = (np.nan, np.nan, np.nan)


def decode_json(data: bytes, *, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """Reads the colours of a JSON file.

    Args:
        data: the bytes of the file.
        name: the file's name, for messages.

    Returns:
        CIELAB (n, 3), n may be 0, and shares (n,), None if the file has none.

    Raises:
        PaletteError: if the file is no JSON, or a value is wrong; the message names the line.
    """
    file = _JsonText(data, name)
    place, value = file.start, file.root
    if isinstance(value, dict):
        members = file.members(place)
        lists = [member for member in members.values() if isinstance(member[1], list)]
        place, value = members.get("colors") or (lists[0] if len(lists) == 1 else (place, None))
    if not isinstance(value, list):
        raise file.error(place, 'expected a list of colours, or {"colors": [...]}')
    items = list(file.items(place))
    places, rows = [at for at, _ in items], [_json_color(file, at, item) for at, item in items]
    rgb = np.array([row[0] for row in rows], dtype=np.float64).reshape(-1, 3)
    own = np.array([row[1] for row in rows], dtype=np.float64).reshape(-1, 3)
    lab, has_hex, has_lab = rgb_to_lab(rgb), ~np.isnan(rgb[:, 0]), ~np.isnan(own[:, 0])
    # Where a colour has both, "lab" is exact, and "hex" must be the same colour at 8 bits.
    both = np.flatnonzero(has_hex & has_lab)
    shown = rgb_to_lab(np.clip(lab_to_rgb(reduce_chroma(own[both])), 0.0, 1.0))
    for index in both[np.linalg.norm(shown - lab[both], axis=-1) > _MAX_DISAGREEMENT][:1]:
        raise file.error(places[index], "`hex` and `lab` are different colours: remove one of them")
    return np.where(has_lab[:, None], own, lab), _json_shares(file, places, [row[2] for row in rows])


class _JsonText:
    """A JSON text that knows the position of each value, so that errors can name the line."""

    def __init__(self, data: bytes, name: str) -> None:
        self.name = name
        try:
            self.text = data.decode("utf-8-sig")
            self.start = self._skip(0)
            self.root, end = _DECODER.raw_decode(self.text, self.start)
            if self._skip(end) < len(self.text):
                raise self.error(self._skip(end), "more text after the end of the JSON value")
        except UnicodeDecodeError as error:
            raise line_error(name, data[: error.start].count(b"\n") + 1, "not UTF-8 text") from None
        except json.JSONDecodeError as error:
            raise line_error(name, error.lineno, f"no valid JSON: {error.msg}, column {error.colno}") from None

    def error(self, place: int, text: str) -> PaletteError:
        return line_error(self.name, self.text.count("\n", 0, place) + 1, text)

    def items(self, place: int) -> Iterator[tuple[int, Any]]:
        """Position and value of each item of the list that starts at `place`."""
        while self.text[place] != "]" and self.text[place := self._skip(place + 1)] != "]":
            value, end = _DECODER.raw_decode(self.text, place)
            yield place, value
            place = self._skip(end)

    def members(self, place: int) -> dict[str, tuple[int, Any]]:
        """Position and value of each key of the object that starts at `place`."""
        found = {}
        while self.text[place] != "}" and self.text[place := self._skip(place + 1)] != "}":
            key, end = _DECODER.raw_decode(self.text, place)
            place = self._skip(self._skip(end) + 1)
            value, end = _DECODER.raw_decode(self.text, place)
            found[key] = (place, value)
            place = self._skip(end)
        return found

    def _skip(self, place: int) -> int:
        found = _SPACE.match(self.text, place)
        return found.end() if found else place


def _json_color(file: _JsonText, place: int, item: Any) -> _Row:
    """RGB and Lab (NaN if the file has none) and the share of one item."""
    if not isinstance(item, dict):
        return _json_rgb(file, place, item), _NONE, None
    members = file.members(place)
    rgb = _json_rgb(file, *members["hex"]) if "hex" in members else _NONE
    lab = _json_lab(file, *members["lab"]) if "lab" in members else _NONE
    if "hex" not in members and "lab" not in members:
        raise file.error(place, f"expected a colour with `hex` or `lab`, found {quoted(item)}")
    if "share" not in members:
        return rgb, lab, None
    place, share = members["share"]
    if not _is_number(share) or not 0 <= share <= 1e12:
        raise file.error(place, f"`share` must be a number that is not negative, found {quoted(share)}")
    return rgb, lab, float(share)


def _json_rgb(file: _JsonText, place: int, item: Any) -> tuple[float, ...]:
    if isinstance(item, str):
        try:
            return parse_color(item)
        except OpacityError as error:
            raise file.error(place, str(error)) from None
        except PaletteError:
            pass  # the message below
    elif isinstance(item, list) and len(item) == 3 and all(type(v) is int and 0 <= v <= 255 for v in item):
        return tuple(value / 255 for value in item)
    raise file.error(place, f'expected a colour like "#f4a300" or [244, 163, 0], found {quoted(item)}')


def _json_lab(file: _JsonText, place: int, item: Any) -> tuple[float, ...]:
    if isinstance(item, list) and len(item) == 3 and all(map(_is_number, item)):
        L, a, b = map(float, item)
        if -1e-6 <= L <= L_MAX + 1e-6 and abs(a) <= _MAX_AB and abs(b) <= _MAX_AB:
            return L, a, b
    raise file.error(place, f"`lab` must be three numbers, L in 0..100, found {quoted(item)}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _json_shares(file: _JsonText, places: list[int], shares: list[float | None]) -> NDArray[np.float64] | None:
    known = [share for share in shares if share is not None]
    if known and len(known) < len(shares):
        raise file.error(places[shares.index(None)], "no `share` here, and other colours have one: give all or none")
    if known and sum(known) <= 0:
        raise file.error(places[0], "all shares are 0")
    return np.array(known) if known else None
