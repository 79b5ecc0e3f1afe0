"""Look-up table files: .cube (for video and photo programs) and Hald pictures (for ImageMagick, ffmpeg and others).

Both hold the nodes of a `Lattice` in one order: red varies fastest, then green, then blue.

- .cube is a text file: a head, then the red, green and blue of one node a line (Adobe, Cube LUT Specification 1.0).
- A Hald picture of level n is a picture of n^3 x n^3 pixels, one for each node of a lattice of n^2 nodes a side.

Input and output of a table are gamma-encoded sRGB, which is what programs have when they apply it to a picture.
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
"""Nodes a side of a .cube file; programs expect one of these, most often 33."""

HALD_SIZES = (16, 25, 36, 49, 64)
"""Nodes a side of a Hald picture: the squares of its levels 4 to 8. Level 8 (64 nodes, 512x512 pixels) is usual."""

SIZES = {".cube": CUBE_SIZES, ".png": HALD_SIZES}
DEFAULT_SIZES = {".cube": 33, ".png": 64}


def check_lut(path: str | os.PathLike[str], *, size: int | None, overwrite: bool) -> int:
    """Checks, before any work is done, that a table can be written to a file.

    Args:
        path: the file: .cube, or .png for a Hald picture.
        size: nodes a side; the usual number of that format if None.
        overwrite: whether a file that exists may be replaced.

    Returns:
        Nodes a side.

    Raises:
        OutputError: if the suffix is unknown, the format cannot have that size, or the file exists.

    Example:
        >>> check_lut("look.cube", size=None, overwrite=False)
        33
    """
    suffix = Path(path).suffix.lower()
    if suffix not in SIZES:
        raise OutputError(f"cannot tell the format of {path}: use .cube, or .png for a Hald picture")
    size = size or DEFAULT_SIZES[suffix]
    if size not in SIZES[suffix]:
        raise OutputError(f"a {suffix} table has {', '.join(map(str, SIZES[suffix]))} nodes a side, not {size}")
    check_free(Path(path), overwrite=overwrite)
    return size


def write_lut(path: str | os.PathLike[str], lattice: Lattice, *, title: str, overwrite: bool = False) -> None:
    """Writes a lattice as a look-up table; the suffix of `path` chooses .cube or a Hald picture (.png).

    Args:
        path: the file to write.
        lattice: the table; its size must be in `SIZES` for that suffix.
        title: the name that programs show; a Hald picture has none.
        overwrite: whether a file that exists may be replaced.

    Raises:
        OutputError: if the suffix is unknown, the format cannot have that size, the file exists, or writing fails.
    """
    check_lut(path, size=lattice.size, overwrite=overwrite)
    if Path(path).suffix.lower() == ".cube":
        data = encode_cube(lattice, title=title)
    else:
        data = encode_image(hald_image(lattice), image_format="PNG")
    write_file(path, data, overwrite=overwrite)


def encode_cube(lattice: Lattice, *, title: str) -> bytes:
    """Encodes a lattice as a .cube file.

    The last line of the head is LUT_3D_SIZE, since ImageMagick 7 takes every line after it for a node. DOMAIN_MIN and
    DOMAIN_MAX are left out: 0 and 1 are their defaults.

    Args:
        lattice: the table.
        title: the name that programs show. Quotation marks, line ends and characters outside ASCII become "_".

    Returns:
        ASCII text.

    Example:
        >>> encode_cube(Lattice.bake(lambda lab: lab, size=2), title="none").decode().splitlines()[:3]
        ['TITLE "none"', 'LUT_3D_SIZE 2', '0.000000 0.000000 0.000000']
    """
    plain = "".join(letter if " " <= letter <= "~" and letter != '"' else "_" for letter in title)
    head = f'TITLE "{plain}"\nLUT_3D_SIZE {lattice.size}\n'
    rows = "\n".join("%.6f %.6f %.6f" % tuple(row) for row in lattice.table.reshape(-1, 3).tolist())
    return (head + rows + "\n").encode("ascii")


def hald_image(lattice: Lattice) -> ImageArray:
    """Makes a Hald picture of a lattice: its nodes one after another, row by row.

    Args:
        lattice: the table, with n^2 nodes a side.

    Returns:
        The Hald picture of level n, uint8 sRGB (n^3, n^3, 3).

    Raises:
        ArgumentError: if the number of nodes a side is not a square.

    Example:
        >>> hald_image(Lattice.bake(lambda lab: lab, size=4))[0, :4].tolist()
        [[0, 0, 0], [85, 0, 0], [170, 0, 0], [255, 0, 0]]
    """
    level = math.isqrt(lattice.size)
    if level**2 != lattice.size:
        raise ArgumentError(f"`lattice` must have a square number of nodes a side. Received: {lattice.size}")
    return np.ascontiguousarray(rgb_to_image(lattice.table).reshape(level**3, level**3, 3))
