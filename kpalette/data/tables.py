"""Tables about pictures, manifest.csv and ArtBench-10.csv: artists, styles, train and test parts."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import PurePosixPath
from typing import NamedTuple

from kpalette.data.image_set import stem
from kpalette.data.listing import Listing
from kpalette.errors import ImageError, one_line, reason
from kpalette.files import read_file

SPLITS = ("train", "test")

_TABLES = ("artbench-10.csv", "manifest.csv")
_UNKNOWN = ("unknown", "anonymous", "unlabelled")
_TRUTH = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


class TableRow(NamedTuple):
    """A picture's row of a table; "" is unknown, and None means that the table has no such column.

    Example:
        >>> TableRow("a.jpg", "claude-monet", "impressionism", "train", True).style
        'impressionism'
    """

    name: str
    artist: str | None
    style: str
    split: str
    public: bool | None


@dataclass(frozen=True)
class Table:
    """A table's rows.

    Attributes:
        by_name: rows by (style, name without suffix) and by ("", name without suffix).
        by_index: rows by (split, cifar_index).

    Example:
        >>> print(Table().find("a.jpg", "baroque"))
        None
    """

    by_name: dict[tuple[str, str], TableRow] = field(default_factory=dict)
    by_index: dict[tuple[str, int], TableRow] = field(default_factory=dict)

    def find(self, name: str, style: str) -> TableRow | None:
        """The row of a picture. If several pictures have the name, it is the one with the style."""
        return self.by_name.get((style, stem(name))) or self.by_name.get(("", stem(name)))


def read_tables(listing: Listing) -> Table:
    """Reads manifest.csv and ArtBench-10.csv by the names of their columns.

    Args:
        listing: files; the tables are among them, or beside their source.

    Returns:
        The rows, empty if there is no table. A table nearer to the pictures takes precedence.

    Raises:
        ImageError: names the table that cannot be read.
    """
    table = Table()
    for name, load in _table_files(listing):
        try:
            text = load().decode("utf-8-sig")
            for row in csv.DictReader(io.StringIO(text, newline="")):
                _add(table, {str(key).strip(): (value or "") for key, value in row.items() if isinstance(value, str)})
        except (csv.Error, ValueError, OverflowError) as error:
            raise ImageError(f"cannot read the table {one_line(name)}: {one_line(reason(error))}") from None
    return table


def _table_files(listing: Listing) -> Iterator[tuple[str, partial[bytes]]]:
    for file in listing.files:
        if PurePosixPath(file.name).name.casefold() in _TABLES:
            yield file.name, partial(file.load)
    # Unpacked batches lie two folders below ArtBench's table.
    for folder, names in ((listing.source.parent, _TABLES), (listing.source.parent.parent, _TABLES[:1])):
        try:
            found = sorted(path for path in folder.iterdir() if path.name.casefold() in names and path.is_file())
        except OSError:
            continue
        for path in found:
            yield str(path), partial(read_file, path, error=ImageError, what="a table")


def _add(table: Table, cells: dict[str, str]) -> None:
    name = PurePosixPath(cells.get("file") or cells.get("name", "")).name
    style = known(cells.get("label") or cells.get("style", ""))
    part = cells.get("split", "")
    public = _TRUTH.get(cells.get("is_public_domain", "").strip().casefold())
    artist = known(cells["artist"]) if "artist" in cells else None
    row = TableRow(name, artist, style, part if part in SPLITS else "", public)
    if name:
        table.by_name.setdefault((style, stem(name)), row)
        table.by_name.setdefault(("", stem(name)), row)
    if row.split and cells.get("cifar_index"):
        # Programs that allow missing numbers write 12.0 for 12.
        table.by_index.setdefault((row.split, int(float(cells["cifar_index"]))), row)


def known(text: str) -> str:
    """The text, or "" if it says "unknown"."""
    return "" if text.strip().casefold().startswith(_UNKNOWN) else text.strip()
