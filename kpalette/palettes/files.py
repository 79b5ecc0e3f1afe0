"""Palette files: reading and writing; the suffix of the name decides the format."""

import contextlib
import os
from pathlib import Path

from kpalette.errors import ArgumentError, PaletteError, one_line
from kpalette.files import read_file, write_file
from kpalette.palettes.choose import check_size, choose_colors
from kpalette.palettes.formats import MAX_BYTES, decode_colors, encode_palette
from kpalette.palettes.palette import Palette
from kpalette.types import MAX_COLORS

PALETTE_SUFFIXES = {".gpl": "gpl", ".ase": "ase", ".json": "json", ".hex": "hex", ".txt": "txt"}
"""The formats of palette files by suffix, in lower case."""


def load_palette(path: str | os.PathLike[str], *, size: int | None = None) -> Palette:
    """Reads a palette file.

    Args:
        path: a .gpl, .ase, .json, .hex or .txt file.
        size: how many of the file's colours to take, 2 to 8: those that represent all best, in the file's order. None
            takes all: the file must have 2 to 8.

    Returns:
        The palette. Its shares are those of the file, which only .json has; else they are equal.

    Raises:
        PaletteError: if the file cannot be read, a line is wrong, or there are too few or too many colours.
        ArgumentError: if `path` is no path.

    Example:
        >>> kpalette.save_palette("autumn.gpl", kpalette.Palette.parse("orange saddlebrown"))
        >>> kpalette.load_palette("autumn.gpl").hex
        ('#ffa500', '#8b4513')
    """
    if not isinstance(path, str | os.PathLike):
        raise ArgumentError(f"`path` must be the path of a palette file. Received: {path!r}")
    check_size(size)
    name = os.fspath(path)
    form = _form(name)
    length = 0
    with contextlib.suppress(OSError, ValueError):  # reading has better messages
        length = Path(name).stat().st_size
    if length > MAX_BYTES:
        raise PaletteError(f"{one_line(name)} is too large for a palette: more than {MAX_BYTES // 1_000_000} MB")
    try:
        data = read_file(name, error=PaletteError, what="a palette file")
    except PaletteError as error:
        raise PaletteError(one_line(error)) from None
    lab, shares = decode_colors(data, form=form, name=name)
    return choose_colors(lab, shares, size=size, what=one_line(name))


def decode_palette(data: bytes, *, name: str, most: int = MAX_COLORS) -> Palette:
    """Reads a palette from the bytes of a palette file.

    Args:
        data: the bytes of the file.
        name: the file's name; its suffix decides the format.
        most: the most colours to take, 2 to 8: of a file with more, those that represent all best.

    Returns:
        The palette, with shares as in `load_palette`.

    Raises:
        PaletteError: as in `load_palette`.
    """
    check_size(most)
    lab, shares = decode_colors(data, form=_form(name), name=name)
    return choose_colors(lab, shares, size=most if len(lab) > most else None, what=one_line(name))


def save_palette(
    path: str | os.PathLike[str], palette: Palette, *, name: str | None = None, overwrite: bool = False
) -> None:
    """Writes a palette file, whole or not at all.

    Args:
        path: a .gpl, .ase, .json, .hex or .txt file. Only .json keeps shares, and colours exactly beyond 8 bits.
        palette: the palette.
        name: the name of the palette inside the file; the file's name without suffix if None.
        overwrite: whether an existing file may be replaced.

    Raises:
        PaletteError: if the suffix is none of these.
        OutputError: if the file exists and `overwrite` is false, or writing fails.

    Example:
        >>> kpalette.save_palette("two.hex", kpalette.Palette.parse("red blue"))
        >>> print(Path("two.hex").read_text())
        ff0000
        0000ff
        <BLANKLINE>
    """
    file = Path(path)
    form = _form(file)
    write_file(file, encode_palette(palette, form=form, name=file.stem if name is None else name), overwrite=overwrite)


def _form(name: str | Path) -> str:
    form = PALETTE_SUFFIXES.get(Path(name).suffix.lower())
    if form is None:
        raise PaletteError(f"{one_line(name)} is no palette file by its suffix: use {', '.join(PALETTE_SUFFIXES)}")
    return form
