"""Palettes in files, presets by name, and what a person types for a palette."""

import contextlib
import difflib
import functools
import importlib.resources
import itertools
import json
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kpalette.color.names import parse_color
from kpalette.errors import ArgumentError, PaletteError, one_line, reason
from kpalette.files import read_file, write_file
from kpalette.palette import Palette
from kpalette.palette_formats import MAX_BYTES, decode_colors, encode_palette
from kpalette.types import MAX_COLORS, MIN_COLORS

PALETTE_SUFFIXES = {".gpl": "gpl", ".ase": "ase", ".json": "json", ".hex": "hex", ".txt": "txt"}
"""Format by the suffix of a file's name, in lower case."""

_MOST_COLORS = 2048  # to choose from: their distances take 32 MB
_BROKEN = (PaletteError, ArgumentError)
_log = logging.getLogger(__name__)


def load_palette(path: str | os.PathLike[str], *, size: int | None = None) -> Palette:
    """Reads a palette from a file, its format told by the suffix.

    Args:
        path: a .gpl, .ase, .json, .hex or .txt file.
        size: how many of the file's own colours to take, 2 to 8: those that represent it best, in the file's order.
            None takes all, and the file must have 2 to 8.

    Returns:
        The palette, with the file's shares where it tells them.

    Raises:
        PaletteError: if the file cannot be read, names the line that is wrong, or has too few or too many colours.
        ArgumentError: if `path` is no path.
    """
    if not isinstance(path, str | os.PathLike):
        raise ArgumentError(f"`path` must be the path of a palette file. Received: {path!r}")
    _check_size(size)
    name = os.fspath(path)
    form = _form(name)
    length = 0
    with contextlib.suppress(OSError, ValueError):  # which reading tells better
        length = Path(name).stat().st_size
    if length > MAX_BYTES:
        raise PaletteError(f"{one_line(name)} is too large for a palette: more than {MAX_BYTES // 1_000_000} MB")
    try:
        data = read_file(name, error=PaletteError, what="a palette file")
    except PaletteError as error:
        raise PaletteError(one_line(error)) from None
    lab, weights = decode_colors(data, form=form, name=name)
    return _chosen(lab, weights, size=size, what=one_line(name))


def decode_palette(data: bytes, *, name: str, most: int = MAX_COLORS) -> Palette:
    """Reads a palette from the bytes of a file.

    Args:
        data: the bytes.
        name: the file's name, whose suffix tells the format.
        most: how many colours to take at most, 2 to 8: of a file with more those that represent it best.

    Returns:
        The palette, with the file's shares where it tells them.

    Raises:
        PaletteError: as in `load_palette`.
    """
    _check_size(most)
    lab, weights = decode_colors(data, form=_form(name), name=name)
    return _chosen(lab, weights, size=most if len(lab) > most else None, what=one_line(name))


def save_palette(
    path: str | os.PathLike[str], palette: Palette, *, name: str | None = None, overwrite: bool = False
) -> None:
    """Writes a palette into a file, whole or not at all, its format told by the suffix.

    Args:
        path: a .gpl, .ase, .json, .hex or .txt file. Only .json keeps shares and colours beyond 8 bits exactly.
        palette: its swatches.
        name: what the palette is called inside the file; the file's stem if None.
        overwrite: whether a file that exists may be replaced.

    Raises:
        PaletteError: if the suffix is none of these.
        OutputError: if the file exists and may not be replaced, or writing fails.
    """
    file = Path(path)
    form = _form(file)
    write_file(file, encode_palette(palette, form=form, name=file.stem if name is None else name), overwrite=overwrite)


def _form(name: str | Path) -> str:
    form = PALETTE_SUFFIXES.get(Path(name).suffix.lower())
    if form is None:
        raise PaletteError(f"{one_line(name)} is no palette file by its suffix: use {', '.join(PALETTE_SUFFIXES)}")
    return form


def find_palette(text: str, *, size: int | None = None) -> Palette:
    """Finds the palette that a person means: a file, else a preset, else colours.

    Args:
        text: the path of a palette file; or a preset's name, in any case, with spaces, underscores or hyphens, the
            user's own first; or colours as in `Palette.parse`.
        size: how many colours of a file or preset to take, as in `load_palette`; colours typed must be as many.

    Returns:
        The palette.

    Raises:
        PaletteError: if it is none of the three; a close preset is suggested.
    """
    if not isinstance(text, str):
        raise ArgumentError(f"`text` must be a string: colours, a preset or a file. Received: {text!r}")
    _check_size(size)
    if text.strip().lower().endswith(tuple(PALETTE_SUFFIXES)):
        return load_palette(text.strip(), size=size)
    name = _plain(text)
    for own, path in _user_files():
        if own == name:
            return load_palette(path, size=size)
    if name in _shipped():
        palette = _shipped()[name][1]
        return _chosen(palette.lab, None, size=size, what=f"the preset {name!r}")
    try:
        palette = Palette.parse(text)
    except PaletteError:
        _suggest(text)
        raise
    if size is not None and size != len(palette):
        raise PaletteError(f"{one_line(text)!r} has {len(palette)} colours, {size} asked for")
    return palette


def list_presets() -> dict[str, Palette]:
    """All presets by name, sorted; the user's own take the place of shipped ones of the same name.

    Returns:
        Palettes of 2 to 8 colours. A file of the user's that cannot be read so is left out, with a logged warning.
    """
    found = {name: palette for name, (_, palette) in _shipped().items()}
    seen = set()
    for name, path in _user_files():
        if name in seen:
            continue
        seen.add(name)
        try:
            found[name] = load_palette(path)
        except _BROKEN as error:
            _log.warning("left out the preset %s: %s", one_line(path), error)
    return dict(sorted(found.items()))


def preset_about(name: str) -> str:
    """One line about a preset.

    Args:
        name: as in `find_palette`.

    Returns:
        What the shipped palette is; for one of the user's own, where its file lies.

    Raises:
        PaletteError: if there is no such preset; a close one is suggested.
    """
    plain = _plain(name)
    for own, path in _user_files():
        if own == plain:
            return f"your own, {one_line(path)}"
    if plain in _shipped():
        return _shipped()[plain][0]
    close = _close_preset(plain)
    raise PaletteError(f"unknown preset {one_line(name)!r}" + (f": did you mean {close}?" if close else ""))


def user_folder() -> Path:
    """Where the user's own presets lie, whether it exists or not.

    Returns:
        `$KPALETTE_HOME/palettes`, else `$XDG_CONFIG_HOME/kpalette/palettes`, else `~/.config/kpalette/palettes`.
    """
    if home := os.environ.get("KPALETTE_HOME"):
        return Path(home) / "palettes"
    return Path(os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")) / "kpalette" / "palettes"


@functools.cache
def _shipped() -> dict[str, tuple[str, Palette]]:
    text = importlib.resources.files("kpalette").joinpath("presets.json").read_text(encoding="utf-8")
    return {name: (entry["about"], Palette.from_hex(entry["colors"])) for name, entry in json.loads(text).items()}


def _user_files() -> Iterator[tuple[str, Path]]:
    folder = user_folder()
    try:
        paths = sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return
    except (OSError, ValueError) as error:
        _log.warning("cannot read the folder of presets %s: %s", one_line(folder), reason(error))
        return
    for path in paths:
        if path.suffix.lower() in PALETTE_SUFFIXES and not path.name.startswith("."):
            yield _plain(path.stem), path


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]+", "-", name.strip().lower())


def _close_preset(plain: str) -> str:
    names = [*dict.fromkeys([*(name for name, _ in _user_files()), *_shipped()])]
    close = difflib.get_close_matches(plain, names, n=1, cutoff=0.7)
    return f"the preset {close[0]!r}" if close else ""


def _suggest(text: str) -> None:
    """PaletteError where the text is no list of colours but close to a preset's name."""
    words = text.split()
    if not words or re.search(r"[,;()#]", text):
        return
    for word in words:
        with contextlib.suppress(PaletteError):
            parse_color(word)
            return
    close = _close_preset(_plain(text))
    if close or len(words) == 1:
        told = f": did you mean {close}?" if close else ""
        raise PaletteError(f"unknown colour or preset {one_line(text.strip())!r}{told}") from None


def _check_size(size: int | None) -> None:
    whole = isinstance(size, int | np.integer) and not isinstance(size, bool)
    if size is not None and not (whole and MIN_COLORS <= size <= MAX_COLORS):
        raise PaletteError(f"`size` must be a whole number from {MIN_COLORS} to {MAX_COLORS}. Received: {size!r}")


def _chosen(lab: NDArray[np.float64], weights: NDArray[np.float64] | None, *, size: int | None, what: str) -> Palette:
    count = len(lab)
    told = f"{what} has {count} colour{'s' * (count != 1)}"
    if size is None:
        if count < MIN_COLORS:
            raise PaletteError(f"{told}: a palette has {MIN_COLORS} to {MAX_COLORS}")
        if count > MAX_COLORS:
            raise PaletteError(
                f"{told}: a palette has {MIN_COLORS} to {MAX_COLORS}, -k N (size=N) takes the N that represent it best"
            )
        return Palette(lab, weights)
    if size > count:
        raise PaletteError(f"{told}, {size} asked for")
    if size == count:
        return Palette(lab, weights)
    if count > _MOST_COLORS:
        raise PaletteError(f"{told}: at most {_MOST_COLORS} can be chosen from")
    _, first, which = np.unique(lab, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    distinct = lab[first[order]]
    if size > len(distinct):
        raise PaletteError(f"{told}, of which only {len(distinct)} differ, {size} asked for")
    mass = np.ones(len(distinct))
    if weights is not None:
        mass = np.bincount(which.ravel(), weights).astype(np.float64)[order]
    distance = np.linalg.norm(distinct[:, None] - distinct[None], axis=-1)
    medoids = _medoids(distance, mass, size)
    shares = None if weights is None else np.bincount(distance[:, medoids].argmin(axis=1), mass, minlength=size)
    return Palette(distinct[medoids], shares)


def _medoids(distance: NDArray[np.float64], mass: NDArray[np.float64], size: int) -> NDArray[np.intp]:
    """Indices, ascending, of the `size` points of least total distance (n, n) to all: PAM, Kaufman & Rousseeuw 1990."""
    chosen: list[int] = []
    nearest = np.full(len(distance), np.inf)
    for _ in range(size):
        costs = mass @ np.minimum(nearest[:, None], distance)
        costs[chosen] = np.inf
        chosen.append(int(costs.argmin()))
        nearest = np.minimum(nearest, distance[:, chosen[-1]])
    best, since = float(mass @ nearest), 0
    for place in itertools.cycle(range(size)):
        others = distance[:, chosen[:place] + chosen[place + 1 :]].min(axis=1)
        costs = mass @ np.minimum(others[:, None], distance)
        costs[chosen] = np.inf
        since += 1
        if costs.min() < best * (1 - 1e-12):
            best, chosen[place], since = float(costs.min()), int(costs.argmin()), 0
        if since == size:
            break
    return np.sort(np.array(chosen, dtype=np.intp))
