"""Adobe Swatch Exchange (.ase): big-endian blocks of colours in RGB, CMYK, LAB or Gray.

A file is `ASEF`, a version, the number of blocks, and the blocks. A block is its kind, its length, and so many bytes.
It begins a group, ends a group, or is a colour: a UTF-16 name, four letters for the colour model, float32 values, and a
type. RGB and Gray are read as sRGB, CMYK as (1 - C) (1 - K) and so on, LAB as Adobe writes it: D50, L in 0..1.
"""

import struct

import numpy as np
from numpy.typing import NDArray

from kpalette.color.spaces import WHITE, XYZ_TO_RGB, lab_curve_inverse, linear_to_rgb, rgb_to_lab
from kpalette.errors import PaletteError
from kpalette.palettes.palette import Palette
from kpalette.types import L_MAX

_GROUP, _GROUP_END, _COLOR = 0xC001, 0xC002, 0x0001
_MODELS = {"RGB": 3, "CMYK": 4, "LAB": 3, "GRAY": 1}
_MAX_AB = 200.0
_SLACK = 1e-3
"""How far outside 0..1 a value may lie: programs that convert colours from another space make such errors."""

# Lindbloom's Bradford cone responses; D50 of CSS Color 4, (0.3457, 0.3585).
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_D50 = np.array([0.3457 / 0.3585, 1.0, (1.0 - 0.3457 - 0.3585) / 0.3585])


def encode_ase(palette: Palette, *, name: str) -> bytes:
    """Writes the colours of `palette` in RGB, as one group called `name`; returns the bytes of the file."""

    def text(value: str) -> bytes:
        coded = value.encode("utf-16-be") + b"\0\0"
        return struct.pack(">H", len(coded) // 2) + coded

    blocks = [(_GROUP, text(name))]
    for code, rgb in zip(palette.hex, palette.rgb.round(12), strict=True):
        blocks.append((_COLOR, text(code) + b"RGB " + struct.pack(">3fH", *rgb, 2)))
    blocks.append((_GROUP_END, b""))
    packed = b"".join(struct.pack(">HI", kind, len(body)) + body for kind, body in blocks)
    return b"ASEF" + struct.pack(">HHI", 1, 0, len(blocks)) + packed


def decode_ase(data: bytes, *, name: str) -> NDArray[np.float64]:
    """Reads the colours of all groups.

    Args:
        data: the bytes of the file.
        name: the file's name, for messages.

    Returns:
        CIELAB (n, 3), D65; n may be 0.

    Raises:
        PaletteError: if a block cannot be read; the message names the byte at which it begins.
    """
    if len(data) < 12 or not data.startswith(b"ASEF"):
        raise PaletteError(f"{name}, byte 0: expected the 12 bytes that begin an Adobe Swatch Exchange file (ASEF)")
    (count,) = struct.unpack_from(">I", data, 8)
    rows, place = [], 12
    for index in range(count):
        if place + 6 > len(data):
            raise PaletteError(f"{name}, byte {place}: the file ends after {index} of {count} blocks")
        kind, length = struct.unpack_from(">HI", data, place)
        if length > len(data) - place - 6:
            raise PaletteError(f"{name}, byte {place}: a block of {length} bytes goes beyond the end of the file")
        if kind == _COLOR:
            rows.append(_ase_color(data[place + 6 : place + 6 + length], name, place))
        place += 6 + length
    return np.array(rows, dtype=np.float64).reshape(-1, 3)


def _ase_color(block: bytes, name: str, place: int) -> NDArray[np.float64]:
    start = 2 + 2 * struct.unpack_from(">H", block)[0] if len(block) >= 2 else 2
    model = block[start : start + 4].decode("latin-1").strip().upper()
    size = _MODELS.get(model)
    if len(block) < start + 4 or size is None:
        raise PaletteError(f"{name}, byte {place}: expected a colour in RGB, CMYK, LAB or Gray, found {model!r}")
    if len(block) < start + 4 + 4 * size:
        raise PaletteError(f"{name}, byte {place}: the block is too short for a colour in {model}")
    values = np.array(struct.unpack_from(f">{size}f", block, start + 4), dtype=np.float64)
    bounded = values[:1] if model == "LAB" else values
    if not np.all(np.abs(values) <= _MAX_AB) or not np.all(np.abs(bounded - 0.5) <= 0.5 + _SLACK):
        raise PaletteError(
            f"{name}, byte {place}: values of {model} out of range: {' '.join(f'{v:g}' for v in values)}"
        )
    if model == "LAB":
        return _d50_to_d65(np.array([100.0 * min(max(values[0], 0.0), 1.0), values[1], values[2]]))
    values = np.clip(values, 0.0, 1.0)
    if model == "CMYK":
        values = (1.0 - values[:3]) * (1.0 - values[3])
    lab: NDArray[np.float64] = rgb_to_lab(np.broadcast_to(values, 3))
    return lab


def _d50_to_d65(lab: NDArray[np.float64]) -> NDArray[np.float64]:
    """Adapts a colour to another white: cone responses are scaled by the ratio of those of the two whites."""
    fy = (lab[0] + 16.0) / 116.0
    xyz = _D50 * lab_curve_inverse(np, np.array([fy + lab[1] / 500.0, fy, fy - lab[2] / 200.0]))
    gain = (_BRADFORD @ np.array(WHITE)) / (_BRADFORD @ _D50)
    adapted = np.linalg.solve(_BRADFORD, gain * (_BRADFORD @ xyz))
    result: NDArray[np.float64] = rgb_to_lab(linear_to_rgb(np.array(XYZ_TO_RGB) @ adapted))
    result[0] = min(max(result[0], 0.0), L_MAX)
    return result
