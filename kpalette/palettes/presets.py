"""Presets by name, and what a person types for a palette."""

import contextlib
import difflib
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

_BROKEN = (PaletteError, ArgumentError)
_log = logging.getLogger(__name__)


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
    check_size(size)
    if text.strip().lower().endswith(tuple(PALETTE_SUFFIXES)):
        return load_palette(text.strip(), size=size)
    name = _plain(text)
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
