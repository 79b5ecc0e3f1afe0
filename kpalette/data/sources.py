"""Sources of training pictures: folders, tar files, and ArtBench-10 in all of its release formats.

ArtBench-10 (Liao, Li, Liu, Keutzer 2022, github.com/liaopeiyuan/artbench) has 60,000 works in ten styles. It comes as a
folder per style (256x256 pixels), or in the two formats of CIFAR-10 (32x32), with a table, ArtBench-10.csv. Its
pictures are not part of kpalette, and the names of its styles are read from the source.
"""

import re
from contextlib import nullcontext
from pathlib import Path, PurePosixPath

from kpalette.data.builtin import embedded
from kpalette.data.cifar import Artwork, batch_files, read_batches
from kpalette.data.image_set import ImageSet, Item, stem
from kpalette.data.listing import File, Listing, list_files
from kpalette.data.tables import SPLITS, Table, known, read_tables
from kpalette.errors import ArgumentError, ImageError, one_line
from kpalette.images.decoders import Guard
from kpalette.images.files import SUFFIXES

LAYOUTS = ("auto", "pictures", "imagefolder", "cifar-python", "cifar-binary")
"""Layouts of a source: pictures in any folders, ArtBench's folder per style, pickled and binary batches of CIFAR-10."""
_ROOT = "artbench-10-imagefolder"
_ARTIST_TITLE = re.compile(r"[^\W_]+-[^_]*_.+")
_NUMBERED = re.compile(r"\d{5}_(?P<style>[^\W\d_].*)_(?P<artist>[^\W\d_][^_]*)")


def open_images(
    source: str | Path | None,
    *,
    layout: str = "auto",
    partition: str | None = None,
    public_domain_only: bool = False,
    guard: Guard = nullcontext,
) -> ImageSet:
    """Opens a set of pictures without decoding any.

    Artists and styles come from a table among the pictures or beside them, manifest.csv or ArtBench-10.csv. Without a
    table they come from names of the forms `artist_title.jpg` (in ArtBench's folders) and `00123_style_artist.jpg`.

    Args:
        source: a folder, a .tar, or a .tar.gz; the embedded pictures if None.
        layout: one of `LAYOUTS`; "auto" decides by the names inside.
        partition: "train" or "test", for sources with both parts; all pictures if None.
        public_domain_only: whether to take only works that a table marks as public domain.
        guard: entered around the decoder, as in `read_image`.

    Returns:
        At least one picture. `skipped` lists the incomplete pictures of a damaged source.

    Raises:
        ImageError: if the source cannot be read, holds no such pictures, or contradicts itself.
        ArgumentError: if `layout` or `partition` is unknown.
    """
    if layout not in LAYOUTS:
        raise ArgumentError(f"`layout` must be one of {', '.join(LAYOUTS)}. Received: {layout!r}")
    if partition not in (None, *SPLITS):
        raise ArgumentError(f"`partition` must be one of {', '.join(SPLITS)}, or None. Received: {partition!r}")
    if source is None:
        images = embedded()
        name, skipped = images.source, images.skipped
        found: list[tuple[Item, bool | None]] = [(item, None) for item in images.items]
    else:
        listing = list_files(Path(source).resolve())
        name, skipped, found = str(listing.source), listing.skipped, _read(listing, layout)
    if public_domain_only and all(public is None for _, public in found):
        raise ImageError(f"{one_line(name)} has no table with a column is_public_domain, such as ArtBench-10.csv")
    items = [i for i, public in found if partition in (None, i.split) and (public or not public_domain_only)]
    if not items:
        limits = [f"part {partition!r}"] * (partition is not None) + ["public domain"] * public_domain_only
        raise ImageError(f"{one_line(name)} holds no pictures of the {' and the '.join(limits)}")
    return ImageSet(name, tuple(items), skipped, guard)


def _read(listing: Listing, layout: str) -> list[tuple[Item, bool | None]]:
    """The pictures, and whether each is in the public domain; None if unknown."""
    table = read_tables(listing)
    pictures = [file for file in listing.files if PurePosixPath(file.name).suffix.lower() in SUFFIXES]
    if layout == "auto":
        batches = next((form for form in LAYOUTS[3:] if batch_files(listing, binary=form == LAYOUTS[4])), "")
        layout = batches if batches and not pictures else "pictures"
    if layout in ("pictures", "imagefolder"):
        if pictures:
            by_style = layout == "imagefolder" or _looks_like_artbench(listing, pictures)
            return [_picture(file, table, by_style=by_style) for file in pictures]
        what = f"pictures that can be read ({', '.join(SUFFIXES)})"
    else:
        binary = layout == "cifar-binary"
        if batch_files(listing, binary=binary):
            return [_cifar_picture(work, table) for work in read_batches(listing, binary=binary)]
        what = f"batches of the form {layout}"
    broken = f"; {listing.skipped[0]}" if listing.skipped else ""
    raise ImageError(f"{one_line(listing.source)} holds no {what}{broken}")


def _looks_like_artbench(listing: Listing, pictures: list[File]) -> bool:
    if listing.source.name.startswith(_ROOT) or pictures[0].name.startswith(_ROOT):
        return True
    # Most names have the form artist_title, so this is ArtBench's folder under another name.
    named = sum("/" in file.name and bool(_ARTIST_TITLE.fullmatch(stem(file.name))) for file in pictures)
    return 2 * named > len(pictures)


def _picture(file: File, table: Table, *, by_style: bool) -> tuple[Item, bool | None]:
    folders = PurePosixPath(file.name).parts[:-1]
    part = next((folder for folder in folders if folder in SPLITS), "")
    style, artist = "", ""
    if by_style:
        style = folders[-1] if folders and folders[-1] not in SPLITS else ""
        artist, underscore, _ = stem(file.name).partition("_")
        artist = artist if underscore else ""
    elif match := _NUMBERED.fullmatch(stem(file.name)):
        style, artist = known(match["style"]), match["artist"] if known(match["style"]) else ""
    row = table.find(file.name, style)
    if row is not None:
        # A table takes precedence over the file's name, even if it leaves the artist empty.
        artist = artist if row.artist is None else row.artist
        style, part = row.style or style, row.split or part
    public = None if row is None else row.public
    return Item(file.name, file.stamp, file.load, artist=known(artist), style=style, split=part), public


def _cifar_picture(work: Artwork, table: Table) -> tuple[Item, bool | None]:
    row = table.by_index.get((work.split, work.number))
    if row is None:
        name = f"{work.split}-{work.number:05d}"
        return Item(name, work.stamp, work.image, style=work.style, split=work.split), None
    if row.style and work.style and row.style != work.style:
        raise ImageError(
            f"the table is not that of these batches: {one_line(row.name)} is {one_line(row.style)} in one and "
            f"{one_line(work.style)} in the other"
        )
    style = row.style or work.style
    name = "/".join(part for part in (work.split, style, row.name) if part)
    return Item(name, work.stamp, work.image, artist=row.artist or "", style=style, split=work.split), row.public
