"""Palette formats: colours to and from the bytes of five kinds of files.

| format | written by                      | keeps                                             |
|--------|---------------------------------|---------------------------------------------------|
| "gpl"  | GIMP, Krita, Inkscape, Aseprite | 8 bits a channel                                  |
| "ase"  | Adobe Swatch Exchange           | RGB as float32 (CMYK, LAB and Gray are read, too) |
| "json" | kpalette                        | Lab and shares, exactly                           |
| "hex"  | Lospec                          | 8 bits a channel                                  |
| "txt"  | paint.net, people               | 8 bits a channel                                  |

Errors name the line that is wrong, in ASE the byte.
"""

import json

import numpy as np
from numpy.typing import NDArray

from kpalette.color.spaces import rgb_to_lab
from kpalette.errors import ArgumentError, PaletteError, one_line
from kpalette.palettes.ase import decode_ase, encode_ase
from kpalette.palettes.json_colors import decode_json
from kpalette.palettes.palette import Palette
from kpalette.palettes.text_colors import decode_text

FORMS = ("gpl", "ase", "json", "hex", "txt")
MAX_BYTES = 1_000_000
"""The largest palette file that is read."""


def encode_palette(palette: Palette, *, form: str, name: str) -> bytes:
    """Writes a palette in one of the five formats.

    Args:
        palette: the palette.
        form: one of `FORMS`.
        name: the name of the palette, if the format has a place for it.

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
            for code, lab, share in zip(palette.hex, palette.lab, palette.shares, strict=True)
        )
        quoted_title = json.dumps(title, ensure_ascii=False)
        text = f'{{\n  "name": {quoted_title},\n  "colors": [\n    {lines}\n  ]\n}}'
    elif form == "gpl":
        levels = [(*bytes.fromhex(code[1:]), code) for code in palette.hex]
        rows = [f"{r:3d} {g:3d} {b:3d}\t{code}" for r, g, b, code in levels]
        text = "\n".join(["GIMP Palette", f"Name: {title}", f"Columns: {len(palette)}", "#", *rows])
    elif form == "hex":
        text = "\n".join(code[1:] for code in palette.hex)
    else:
        text = "\n".join(["; paint.net Palette File", f"; {title}", *("FF" + code[1:].upper() for code in palette.hex)])
    return (text + "\n").encode()


def decode_colors(data: bytes, *, form: str, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """Reads all colours of a palette file, of any number.

    Args:
        data: the bytes of the file.
        form: one of `FORMS`.
        name: the file's name, for messages.

    Returns:
        CIELAB (n, 3), n >= 1, in the order of the file, and shares (n,), None if the file has none.

    Raises:
        PaletteError: if the file cannot be read; the message names the line or byte that is wrong.
        ArgumentError: if `form` is unknown.
    """
    _check_form(form)
    name = one_line(name)
    if len(data) > MAX_BYTES:
        raise PaletteError(f"{name} is too large for a palette: more than {MAX_BYTES // 1_000_000} MB")
    if form == "json":
        try:
            lab, shares = decode_json(data, name=name)
        except RecursionError:
            raise PaletteError(f"{name}: no palette, its values are nested too deep") from None
    elif form == "ase":
        lab, shares = decode_ase(data, name=name), None
    else:
        rgb = np.array(decode_text(data, form=form, name=name), dtype=np.float64)
        lab, shares = rgb_to_lab(rgb.reshape(-1, 3)), None
    if not len(lab):
        raise PaletteError(f"{name}: no colours in it")
    return lab, shares


def _check_form(form: str) -> None:
    if form not in FORMS:
        raise ArgumentError(f"`form` must be one of {', '.join(FORMS)}. Received: {form!r}")
