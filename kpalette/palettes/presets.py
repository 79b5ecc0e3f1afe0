"""Preset palettes by name, and `find_palette`: a file, a preset or colours, as a person types them."""

import contextlib
import functools
import importlib.resources
import json
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path

from kpalette.color.names import parse_color
from kpalette.errors import ArgumentError, PaletteError, one_line, reason
from kpalette.palettes.choose import check_size, choose_colors
from kpalette.palettes.files import PALETTE_SUFFIXES, load_palette
from kpalette.palettes.palette import Palette

_log = logging.getLogger(__name__)


def find_palette(text: str, *, size: int | None = None) -> Palette:
    """Finds the palette that a text means: a palette file, else a preset, else colours.

    Args:
        text: the path of a palette file; or the name of a preset, in upper or lower case, with spaces, underscores or
            hyphens, where the user's own presets come first; or colours as in `Palette.parse`.
        size: how many colours of a file or preset to take, as in `load_palette`; typed colours must be exactly so many.

    Returns:
        The palette.

    Raises:
        PaletteError: if the text is none of the three; a preset with a similar name is suggested.

    Example:
        >>> kpalette.find_palette("nord", size=3).hex
        ('#4c566a', '#bf616a', '#a3be8c')
        >>> kpalette.find_palette("orange, #8b4513").hex
        ('#ffa500', '#8b4513')
    """
    if not isinstance(text, str):
        raise ArgumentError(f"`text` must be a string: colours, a preset or a file. Received: {text!r}")
    check_size(size)
    if text.strip().lower().endswith(tuple(PALETTE_SUFFIXES)):
        return load_palette(text.strip(), size=size)
    name = _normalized(text)
    for own, path in _user_files():
        if own == name:
            return load_palette(path, size=size)
    if name in _shipped():
        palette = _shipped()[name][1]
        return choose_colors(palette.lab, None, size=size, what=f"the preset {name!r}")
    try:
        palette = Palette.parse(text)
    except PaletteError:
        _suggest(text)
        raise
    if size is not None and size != len(palette):
        raise PaletteError(f"{one_line(text)!r} has {len(palette)} colours, {size} asked for")
    return palette


def list_presets() -> dict[str, Palette]:
    """All preset palettes by name, sorted; the user's own replace shipped ones of the same name.

    Returns:
        Palettes of 2 to 8 colours. A file of the user that cannot be read is left out, and a warning is logged.

    Example:
        >>> kpalette.list_presets()["nord"].hex[0]
        '#2e3440'
    """
    found = {name: palette for name, (_, palette) in _shipped().items()}
    seen = set()
    for name, path in _user_files():
        if name in seen:
            continue
        seen.add(name)
        try:
            found[name] = load_palette(path)
        except (PaletteError, ArgumentError) as error:
            _log.warning("left out the preset %s: %s", one_line(path), error)
    return dict(sorted(found.items()))


def preset_about(name: str) -> str:
    """Describes a preset in one line.

    Args:
        name: as in `find_palette`.

    Returns:
        What a shipped palette is; the path of the file of one of the user's own.

    Raises:
        PaletteError: if there is no such preset; one with a similar name is suggested.
    """
    normalized = _normalized(name)
    for own, path in _user_files():
        if own == normalized:
            return f"your own, {one_line(path)}"
    if normalized in _shipped():
        return _shipped()[normalized][0]
    close = _similar_preset(normalized)
    raise PaletteError(f"unknown preset {one_line(name)!r}" + (f": did you mean {close}?" if close else ""))


def user_folder() -> Path:
    """The folder of the user's own presets, whether it exists or not.

    Returns:
        `$KPALETTE_HOME/palettes`, else `$XDG_CONFIG_HOME/kpalette/palettes`, else `~/.config/kpalette/palettes`.
    """
    if home := os.environ.get("KPALETTE_HOME"):
        return Path(home) / "palettes"
    return Path(os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")) / "kpalette" / "palettes"


@functools.cache
def _shipped() -> dict[str, tuple[str, Palette]]:
    text = importlib.resources.files("kpalette.palettes").joinpath("presets.json").read_text(encoding="utf-8")
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
            yield _normalized(path.stem), path


def _normalized(name: str) -> str:
    return re.sub(r"[\s_-]+", "-", name.strip().lower())


def _similar_preset(normalized: str) -> str:
    names = [*dict.fromkeys([*(name for name, _ in _user_files()), *_shipped()])]
    import difflib  # for errors alone

    close = difflib.get_close_matches(normalized, names, n=1, cutoff=0.7)
    return f"the preset {close[0]!r}" if close else ""


def _suggest(text: str) -> None:
    """Raises a PaletteError if the text is no list of colours, but similar to the name of a preset."""
    words = text.split()
    if not words or re.search(r"[,;()#]", text):
        return
    for word in words:
        with contextlib.suppress(PaletteError):
            parse_color(word)
            return
    close = _similar_preset(_normalized(text))
    if close or len(words) == 1:
        hint = f": did you mean {close}?" if close else ""
        raise PaletteError(f"unknown colour or preset {one_line(text.strip())!r}{hint}") from None
