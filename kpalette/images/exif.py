"""EXIF blocks: changed in place, so that every other byte stays where it is.

Notes of camera makers hold offsets that a rewritten block would break. The orientation is reset, since the picture is
upright by then. The thumbnail, which shows the old colours, is removed.
"""

import contextlib
import struct

_HEADER = b"Exif\0\0"
_SHORT, _LONG = 3, 4
_KIND_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
ORIENTATION, _EXIF_FOLDER = 0x0112, 0x8769
COLOR_SPACE, _WIDTH, _HEIGHT = 0xA001, 0xA002, 0xA003
_ROOT_WIDTH, _ROOT_HEIGHT, _PLACE_FOLDER = 0x0100, 0x0101, 0x8825
_SRGB = 1
_INTEROP, INTEROP_INDEX, _INTEROP_SRGB = 0xA005, 1, b"R98\0"  # DCF: R03 would be Adobe RGB
_THUMBNAIL, _THUMBNAIL_LENGTH = 0x0201, 0x0202
_STRIP, _STRIP_LENGTH = 0x0111, 0x0117


def clean_exif(blob: bytes, *, size: tuple[int, int]) -> bytes:
    """Adapts an EXIF block to an upright picture in new colours; every other byte stays where it is.

    Args:
        blob: the block, with or without its leading "Exif", NUL, NUL.
        size: width and height of the picture that is written.

    Returns:
        The block with orientation 1, the size and colour space of the picture, and no thumbnail.

    Raises:
        ValueError: if `blob` is no EXIF block.
        struct.error: if it ends too early.
    """
    exif = _Exif(bytearray(blob.removeprefix(_HEADER)))
    root, link = exif.folder(exif.long_at(4))
    exif.set(root, {ORIENTATION: 1, _ROOT_WIDTH: size[0], _ROOT_HEIGHT: size[1]})
    if _PLACE_FOLDER in root:
        with contextlib.suppress(struct.error):  # some GPS folders lack their last link; nothing in them is changed
            exif.folder(exif.long_at(root[_PLACE_FOLDER] + 8))
    if _EXIF_FOLDER in root:
        inner, _ = exif.folder(exif.long_at(root[_EXIF_FOLDER] + 8))
        exif.set(inner, {_WIDTH: size[0], _HEIGHT: size[1], COLOR_SPACE: _SRGB})
        if _INTEROP in inner:
            rules, _ = exif.folder(exif.long_at(inner[_INTEROP] + 8))
            if INTEROP_INDEX in rules:
                exif.data[rules[INTEROP_INDEX] + 8 : rules[INTEROP_INDEX] + 12] = _INTEROP_SRGB
    second = exif.long_at(link)
    if second:
        exif.drop_thumbnail(second)
        struct.pack_into(exif.order + "L", exif.data, link, 0)
    return _HEADER + bytes(exif.data)


class _Exif:
    """An EXIF block that is changed in place; `kept` lists the byte ranges (start, end) that must not be removed."""

    def __init__(self, data: bytearray) -> None:
        order = {b"II": "<", b"MM": ">"}.get(bytes(data[:2]))
        if order is None:
            raise ValueError("no byte order mark")
        self.data = data
        self.order = order
        self.kept: list[tuple[int, int]] = []

    def long_at(self, place: int) -> int:
        (value,) = struct.unpack_from(self.order + "L", self.data, place)
        return int(value)

    def folder(self, start: int) -> tuple[dict[int, int], int]:
        """Reads a folder: the place of each tag's entry and of the link to the next folder; marks it as kept."""
        (count,) = struct.unpack_from(self.order + "H", self.data, start)
        places = [start + 2 + 12 * i for i in range(count)]
        link = start + 2 + 12 * count
        self.long_at(link)
        self.kept.append((start, link + 4))
        entries = {}
        for place in places:
            tag, kind, number = struct.unpack_from(self.order + "HHL", self.data, place)
            entries[tag] = place
            length = _KIND_SIZES.get(kind, 1) * number
            if length > 4:
                self.kept.append((self.long_at(place + 8), self.long_at(place + 8) + length))
        return entries, link

    def set(self, entries: dict[int, int], values: dict[int, int]) -> None:
        for tag, value in values.items():
            if tag in entries:
                (kind,) = struct.unpack_from(self.order + "H", self.data, entries[tag] + 2)
                if kind == _SHORT:
                    struct.pack_into(self.order + "HH", self.data, entries[tag] + 8, min(value, 0xFFFF), 0)
                else:
                    struct.pack_into(self.order + "HLL", self.data, entries[tag] + 2, _LONG, 1, value)

    def _numbers(self, place: int) -> list[int]:
        kind, number = struct.unpack_from(self.order + "HL", self.data, place + 2)
        code = {_SHORT: "H", _LONG: "L"}.get(kind)
        if code is None or number > len(self.data):
            return []
        inside = _KIND_SIZES[kind] * number <= 4
        return list(
            struct.unpack_from(
                f"{self.order}{number}{code}", self.data, place + 8 if inside else self.long_at(place + 8)
            )
        )

    def drop_thumbnail(self, start: int) -> None:
        """Removes the picture of the second folder: cut off at the end of the block, elsewhere filled with zeros."""
        kept = list(self.kept)
        entries, link = self.folder(start)
        pieces: list[tuple[int, int]] = []
        for places, lengths in ((_THUMBNAIL, _THUMBNAIL_LENGTH), (_STRIP, _STRIP_LENGTH)):
            if places in entries and lengths in entries:
                pieces += zip(self._numbers(entries[places]), self._numbers(entries[lengths]), strict=False)
        for place, end in sorted(_merged(pieces, len(self.data)), reverse=True):
            # A damaged offset must not delete what is to be kept.
            if place < 8 or _overlaps((place, end), kept):
                continue
            if end == len(self.data) and place >= link + 4 and all(stop <= place for _, stop in self.kept):
                del self.data[place:]
            else:
                self.data[place:end] = bytes(end - place)
        if not _overlaps((start, link + 4), kept):
            self.data[start : link + 4] = bytes(link + 4 - start)


def _merged(pieces: list[tuple[int, int]], size: int) -> list[tuple[int, int]]:
    """Turns (start, length) pieces into (start, end) intervals that do not overlap, inside a block of `size` bytes."""
    merged: list[tuple[int, int]] = []
    for place, length in sorted(pieces):
        end = min(place + length, size)
        if merged and place <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        elif place < end:
            merged.append((place, end))
    return merged


def _overlaps(piece: tuple[int, int], kept: list[tuple[int, int]]) -> bool:
    return any(piece[0] < stop and begin < piece[1] for begin, stop in kept)
