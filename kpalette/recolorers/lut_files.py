"""Look-up table files: .cube (Adobe, read by video and photo programs), and Hald pictures (ImageMagick, ffmpeg, GIMP).

A lattice is valid for gamma-encoded sRGB in and out, as these programs apply it to pictures.
"""

import math
import os
from pathlib import Path

import numpy as np

from kpalette.errors import ArgumentError, OutputError
from kpalette.files import check_free, write_file
from kpalette.images.encode import encode_image
from kpalette.images.picture import rgb_to_image
from kpalette.recolorers.lattice import Lattice
from kpalette.types import ImageArray

CUBE_SIZES = (17, 33, 65)
"""Nodes a side that programs expect of a .cube file; 33 is the usual one."""

HALD_SIZES = (16, 25, 36, 49, 64)
"""Nodes a side that a Hald picture can hold: squares, of its level; level 8 (64 nodes, 512x512 pixels) is the usual."""

SIZES = {".cube": CUBE_SIZES, ".png": HALD_SIZES}
DEFAULT_SIZES = {".cube": 33, ".png": 64}


def check_lut(path: str | os.PathLike[str], *, size: int | None, overwrite: bool) -> int:
    """Asks whether a table can go to a file, before any work is done.

    Args:
        path: where to; .cube, or .png for a Hald picture.
        size: nodes a side, the form's usual number if None.
        overwrite: whether a file that exists may be replaced.

    Returns:
        Nodes a side.

    Raises:
        OutputError: if the suffix is unknown, the form cannot have that size, or the file exists.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in SIZES:
        raise OutputError(f"cannot tell the form of {path}: use .cube, or .png for a Hald picture")
    size = size or DEFAULT_SIZES[suffix]
    if size not in SIZES[suffix]:
        raise OutputError(f"a {suffix} table has {', '.join(map(str, SIZES[suffix]))} nodes a side, not {size}")
    check_free(Path(path), overwrite=overwrite)
    return size


def write_lut(path: str | os.PathLike[str], lattice: Lattice, *, title: str, overwrite: bool = False) -> None:
    """Writes a lattice as .cube, or as a Hald picture (.png), by the suffix of `path`.

    Args:
        path: where to.
        lattice: of a size that the form can have, see `SIZES`.
        title: what programs show (.cube alone).
        overwrite: whether a file that exists may be replaced.

    Raises:
        OutputError: if the suffix or size does not fit, the file exists, or writing fails.
    """
    check_lut(path, size=lattice.size, overwrite=overwrite)
    if Path(path).suffix.lower() == ".cube":
        data = encode_cube(lattice, title=title)
    else:
        data = encode_image(hald_image(lattice), image_format="PNG")
    write_file(path, data, overwrite=overwrite)


def encode_cube(lattice: Lattice, *, title: str) -> bytes:
    """A lattice as a .cube file (Adobe, Cube LUT Specification 1.0): red varies fastest.

    Args:
        lattice: rgb in 0..1.
        title: one line; quotes and other than plain characters are replaced.

    Returns:
        ASCII text.
    """
    plain = "".join(letter if " " <= letter <= "~" and letter != '"' else "_" for letter in title)
    head = f'TITLE "{plain}"\nLUT_3D_SIZE {lattice.size}\nDOMAIN_MIN 0 0 0\nDOMAIN_MAX 1 1 1\n'
    rows = "\n".join("%.6f %.6f %.6f" % tuple(row) for row in lattice.table.reshape(-1, 3).tolist())
    return (head + rows + "\n").encode("ascii")


def hald_image(lattice: Lattice) -> ImageArray:
    """A lattice as a Hald picture; red varies fastest, along the rows.

    Args:
        lattice: n^2 nodes a side, a Hald picture of level n.

    Returns:
        uint8 sRGB (n^3, n^3, 3).

    Raises:
        ArgumentError: if the number of nodes is no square.
    """
    level = math.isqrt(lattice.size)
    if level**2 != lattice.size:
        raise ArgumentError(f"`lattice` must have a square number of nodes a side. Received: {lattice.size}")
    return np.ascontiguousarray(rgb_to_image(lattice.table).reshape(level**3, level**3, 3))
