"""Colours to and from the bytes of five palette formats; no files here.

| form   | who writes it                   | what it keeps                                     |
|--------|---------------------------------|---------------------------------------------------|
| "gpl"  | GIMP, Krita, Inkscape, Aseprite | 8 bits a channel                                  |
| "ase"  | Adobe Swatch Exchange           | RGB as float32 (CMYK, LAB and Gray are read, too) |
| "json" | kpalette                        | Lab and shares, exactly                           |
| "hex"  | Lospec                          | 8 bits a channel                                  |
| "txt"  | paint.net, people               | 8 bits a channel                                  |

Text is UTF-8, else Latin-1; alpha is dropped. What is wrong is named with its line, in ASE with its byte.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kpalette.color.gamut import reduce_chroma
from kpalette.color.names import parse_color
from kpalette.color.spaces import lab_to_rgb, rgb_to_lab
from kpalette.errors import ArgumentError, PaletteError, one_line
from kpalette.palettes.ase import decode_ase, encode_ase
from kpalette.palettes.palette import Palette
from kpalette.types import L_MAX

FORMS = ("gpl", "ase", "json", "hex", "txt")
MAX_BYTES = 1_000_000
"""How large a palette file may be."""

_LABEL = re.compile(r"[A-Za-z][\w -]*:")
_HASH_COLOR = re.compile(r"#(?:[0-9a-fA-F]+(?:\s*,.*)?|[0-9a-fA-F]{6}(?:[0-9a-fA-F]{2})?\b.*)")
_HEX_LINE = re.compile(r"#?([0-9a-fA-F]{6}|[0-9a-fA-F]{3})")
_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder(parse_int=lambda digits: int(digits) if len(digits) < 20 else float(digits))
_MAX_AB, _MAX_DISAGREEMENT = 1000.0, 2.0


def encode_palette(palette: Palette, *, form: str, name: str) -> bytes:
    """Writes a palette in one of the five formats.

    Args:
        palette: its swatches.
        form: one of `FORMS`.
        name: what the palette is called, where the format has a place for it.

    Returns:
        The bytes of the file.

    Raises:
        ArgumentError: if `form` is unknown.
    """
    _check_form(form)
    title = one_line(name)[:200]
    if form == "ase":
        return encode_ase(palette, name=title)
    if form == "json":
        lines = ",\n    ".join(
            json.dumps({"hex": code, "lab": lab.tolist(), "share": float(share)})
            for code, lab, share in zip(palette.hex, palette.lab, palette.weights, strict=True)
        )
        quoted_title = json.dumps(title, ensure_ascii=False)
        text = f'{{\n  "name": {quoted_title},\n  "colors": [\n    {lines}\n  ]\n}}'
    elif form == "gpl":
        bytes_of = [(code, [int(code[i : i + 2], 16) for i in (1, 3, 5)]) for code in palette.hex]
        rows = [f"{r:3d} {g:3d} {b:3d}\t{code}" for code, (r, g, b) in bytes_of]
        text = "\n".join(["GIMP Palette", f"Name: {title}", f"Columns: {len(palette)}", "#", *rows])
    elif form == "hex":
        text = "\n".join(code[1:] for code in palette.hex)
    else:
        text = "\n".join(["; paint.net Palette File", f"; {title}", *("FF" + code[1:].upper() for code in palette.hex)])
    return (text + "\n").encode()


def decode_colors(data: bytes, *, form: str, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """Reads the colours of a palette file, however many it has.

    Args:
        data: the bytes of the file.
        form: one of `FORMS`.
        name: what errors call the file.

    Returns:
        CIELAB (n, 3), n >= 1, in the order of the file, and shares (n,) where the file tells them.

    Raises:
        PaletteError: names the line or byte that cannot be read.
        ArgumentError: if `form` is unknown.
    """
    _check_form(form)
    name = one_line(name)
    if len(data) > MAX_BYTES:
        raise PaletteError(f"{name} is too large for a palette: more than {MAX_BYTES // 1_000_000} MB")
    if form == "json":
        try:
            lab, weights = _decode_json(data, name)
        except RecursionError:
            raise PaletteError(f"{name}: no palette, its values are nested too deep") from None
    elif form == "ase":
        lab, weights = decode_ase(data, name=name), None
    else:
        lines = re.split(r"\r\n|\n|\r", _text(data, name))
        rgb = list({"gpl": _gpl_colors, "hex": _hex_colors, "txt": _txt_colors}[form](lines, name))
        lab, weights = rgb_to_lab(np.array(rgb, dtype=np.float64).reshape(-1, 3)), None
    if not len(lab):
        raise PaletteError(f"{name}: no colours in it")
    return lab, weights


def _check_form(form: str) -> None:
    if form not in FORMS:
        raise ArgumentError(f"`form` must be one of {', '.join(FORMS)}. Received: {form!r}")


def _found(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return repr(text if len(text) <= 40 else text[:37] + "...")


def _error(name: str, line: int, text: str) -> PaletteError:
    return PaletteError(f"{name}, line {line}: {text}")


def _text(data: bytes, name: str) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            return data.decode("utf-16")
        except UnicodeDecodeError:
            raise PaletteError(f"{name}: begins as UTF-16 text and does not go on so; save it as UTF-8") from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _gpl_colors(lines: list[str], name: str) -> Iterator[list[float]]:
    if lines[0].strip() != "GIMP Palette":
        raise _error(name, 1, f"expected 'GIMP Palette', found {_found(lines[0].strip())}")
    channels, seen = 3, False
    for number, line in enumerate(lines[1:], start=2):
        row = line.strip()
        if not row or row.startswith("#"):
            continue
        if not seen and _LABEL.match(row):
            if re.fullmatch(r"channels:\s*rgba", row, re.IGNORECASE):
                channels = 4
            continue
        seen = True
        parts = row.split()[:channels]
        values = [int(part) for part in parts if re.fullmatch(r"[0-9]{1,4}", part)]
        if len(parts) != channels or len(values) != channels or max(values) > 255:
            count = {3: "three", 4: "four"}[channels]
            raise _error(name, number, f"expected {count} numbers 0 to 255, found {_found(row)}")
        yield [value / 255 for value in values[:3]]


def _hex_colors(lines: list[str], name: str) -> Iterator[tuple[float, float, float]]:
    for number, line in enumerate(lines, start=1):
        row = line.split(";")[0].strip()
        if row and not _HEX_LINE.fullmatch(row):
            raise _error(name, number, f"expected a colour like f4a300, found {_found(row)}")
        if row:
            yield parse_color(row)


def _txt_colors(lines: list[str], name: str) -> Iterator[tuple[float, float, float]]:
    for number, line in enumerate(lines, start=1):
        row = line.split(";")[0].strip().rstrip(",")
        # '#' before wrong digits, or before a colour and more, is a slip: as a comment it would be lost in silence.
        if not row or (row.startswith("#") and not _HASH_COLOR.fullmatch(row)):
            continue
        try:
            yield parse_color(row[2:] if re.fullmatch(r"[0-9a-fA-F]{8}", row) else row)
        except PaletteError:
            raise _error(name, number, f"expected a colour or AARRGGBB, found {_found(row)}") from None


class _Json:
    """A JSON text with the place of each value in it, so that errors can name the line."""

    def __init__(self, data: bytes, name: str) -> None:
        self.name = name
        try:
            self.text = data.decode("utf-8-sig")
            self.start = self._skip(0)
            self.root, end = _DECODER.raw_decode(self.text, self.start)
            if self._skip(end) < len(self.text):
                raise self.error(self._skip(end), "more text after the end of the JSON value")
        except UnicodeDecodeError as error:
            raise _error(name, data[: error.start].count(b"\n") + 1, "not UTF-8 text") from None
        except json.JSONDecodeError as error:
            raise _error(name, error.lineno, f"no valid JSON: {error.msg}, column {error.colno}") from None

    def error(self, place: int, text: str) -> PaletteError:
        return _error(self.name, self.text.count("\n", 0, place) + 1, text)

    def items(self, place: int) -> Iterator[tuple[int, Any]]:
        """Place and value of each item of the list that starts at `place`."""
        while self.text[place] != "]" and self.text[place := self._skip(place + 1)] != "]":
            value, end = _DECODER.raw_decode(self.text, place)
            yield place, value
            place = self._skip(end)

    def members(self, place: int) -> dict[str, tuple[int, Any]]:
        """Place and value of each key of the object that starts at `place`."""
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


def _decode_json(data: bytes, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    file = _Json(data, name)
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
    both = np.flatnonzero(has_hex & has_lab)
    shown = rgb_to_lab(np.clip(lab_to_rgb(reduce_chroma(own[both])), 0.0, 1.0))
    for index in both[np.linalg.norm(shown - lab[both], axis=-1) > _MAX_DISAGREEMENT][:1]:
        raise file.error(places[index], "`hex` and `lab` are different colours: remove one of them")
    return np.where(has_lab[:, None], own, lab), _json_weights(file, places, [row[2] for row in rows])


_Row = tuple[tuple[float, ...], tuple[float, ...], float | None]
_NONE = (np.nan, np.nan, np.nan)


def _json_color(file: _Json, place: int, item: Any) -> _Row:
    """RGB, Lab (NaN where the file has none) and share of one item."""
    if not isinstance(item, dict):
        return _json_rgb(file, place, item), _NONE, None
    members = file.members(place)
    rgb = _json_rgb(file, *members["hex"]) if "hex" in members else _NONE
    lab = _json_lab(file, *members["lab"]) if "lab" in members else _NONE
    if "hex" not in members and "lab" not in members:
        raise file.error(place, f"expected a colour with `hex` or `lab`, found {_found(item)}")
    if "share" not in members:
        return rgb, lab, None
    place, share = members["share"]
    if not _is_number(share) or not 0 <= share <= 1e12:
        raise file.error(place, f"`share` must be a number that is not negative, found {_found(share)}")
    return rgb, lab, float(share)


def _json_rgb(file: _Json, place: int, item: Any) -> tuple[float, ...]:
    if isinstance(item, str):
        try:
            return parse_color(item)
        except PaletteError:
            pass
    elif isinstance(item, list) and len(item) == 3 and all(type(v) is int and 0 <= v <= 255 for v in item):
        return tuple(value / 255 for value in item)
    raise file.error(place, f'expected a colour like "#f4a300" or [244, 163, 0], found {_found(item)}')


def _json_lab(file: _Json, place: int, item: Any) -> tuple[float, ...]:
    if isinstance(item, list) and len(item) == 3 and all(map(_is_number, item)):
        L, a, b = map(float, item)
        if -1e-6 <= L <= L_MAX + 1e-6 and abs(a) <= _MAX_AB and abs(b) <= _MAX_AB:
            return L, a, b
    raise file.error(place, f"`lab` must be three numbers, L in 0..100, found {_found(item)}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _json_weights(file: _Json, places: list[int], shares: list[float | None]) -> NDArray[np.float64] | None:
    known = [share for share in shares if share is not None]
    if known and len(known) < len(shares):
        raise file.error(places[shares.index(None)], "no `share` here, and other colours have one: give all or none")
    if known and sum(known) <= 0:
        raise file.error(places[0], "all shares are 0")
    return np.array(known) if known else None
