"""The settings of a visitor, and the link that restores them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from kpalette.errors import PaletteError
from kpalette.images.samples import SAMPLES
from kpalette.palettes.palette import Palette
from kpalette.palettes.presets import find_palette
from kpalette.recolorers.registry import DEFAULT_MODEL, list_recolorers
from kpalette.recolorers.strength import lightness_text
from kpalette.types import AUTO, DEFAULT_COLORS

UPLOAD = "upload"
"""In place of the name of a sample: the visitor's own picture, which a link cannot contain."""

METHODS = ("palettenet", "ablated", "baseline", "soft")
"""The recolorers that are shown by default."""


@dataclass(frozen=True)
class Settings:
    """Everything that a result depends on, except the pixels of an upload.

    Attributes:
        picture: one of `SAMPLES`, or `UPLOAD`.
        target: 2 to 8 colours, `#rrggbb`. The i-th is the target of the picture's i-th colour, darkest first.
        lightness: lightness strength, 0..1 or "auto".
        methods: names of recolorers, at least one.
        shown: name of the recolorer in "A closer look".

    Example:
        >>> from_query(to_query(Settings("chelsea", lightness=0.5))) == (Settings("chelsea", lightness=0.5), ())
        True
    """

    picture: str = "coffee"
    target: tuple[str, ...] = find_palette("dusk", size=DEFAULT_COLORS).sorted().hex
    lightness: float | str = AUTO
    methods: tuple[str, ...] = METHODS
    shown: str = DEFAULT_MODEL


def to_query(settings: Settings) -> dict[str, str]:
    """The settings as parameters of a link, without characters that need escapes."""
    return {
        "picture": settings.picture,
        "palette": "-".join(code.removeprefix("#") for code in settings.target),
        "lightness": lightness_text(settings.lightness),
        "methods": "-".join(settings.methods),
        "look": settings.shown,
    }


def from_query(query: Mapping[str, str]) -> tuple[Settings, tuple[str, ...]]:
    """Reads the parameters of a link.

    Args:
        query: the parameters. They are untrusted.

    Returns:
        The settings, with defaults for what is missing or cannot be read; and the names of those that cannot be read.
    """
    settings, broken = Settings(), []
    for name, value in query.items():
        if name not in _READERS:
            continue
        try:
            settings = _READERS[name](settings, value)
        except ValueError:
            broken.append(name)
    return settings, tuple(broken)


def _picture(settings: Settings, value: str) -> Settings:
    return replace(settings, picture=_one_of(value, (*SAMPLES, UPLOAD)))


def _target(settings: Settings, value: str) -> Settings:
    try:
        return replace(settings, target=Palette.parse(value.replace("-", ",")).hex)
    except PaletteError as error:
        raise ValueError from error


def _lightness(settings: Settings, value: str) -> Settings:
    if value == AUTO:
        return replace(settings, lightness=AUTO)
    number = float(value)
    if not (math.isfinite(number) and 0 <= number <= 1):
        raise ValueError
    return replace(settings, lightness=round(number, 2))


def _methods(settings: Settings, value: str) -> Settings:
    known = list_recolorers()
    return replace(settings, methods=tuple(dict.fromkeys(_one_of(name, known) for name in value.split("-"))))


def _shown(settings: Settings, value: str) -> Settings:
    return replace(settings, shown=_one_of(value, list_recolorers()))


def _one_of(value: str, known: tuple[str, ...]) -> str:
    if value not in known:
        raise ValueError(value)
    return value


_READERS = {"picture": _picture, "palette": _target, "lightness": _lightness, "methods": _methods, "look": _shown}
