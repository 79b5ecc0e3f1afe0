"""Options that several commands share; each group arrives in its command as one record."""

import functools
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from kpalette.cli.streams import silent_stderr
from kpalette.errors import ArgumentError, PaletteError
from kpalette.images.files import read_image
from kpalette.images.picture import Picture
from kpalette.palettes.extract import METHODS, extract_palette
from kpalette.palettes.palette import MATCHES, Palette
from kpalette.palettes.presets import find_palette, list_presets
from kpalette.recolorers.strength import check_lightness
from kpalette.types import AUTO, DEFAULT_COLORS, MAX_COLORS, MIN_COLORS, TONES

Command = TypeVar("Command", bound=Callable[..., Any])
Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

COLORS = click.IntRange(MIN_COLORS, MAX_COLORS)
EXTRACTION = "kmeans"
"""The extraction that the default recolorer uses."""


class Lightness(click.ParamType[float | str]):
    """A lightness strength: a number in 0..1, or "auto".

    Example:
        >>> Lightness().convert("0.5", None, None), Lightness().convert("auto", None, None)
        (0.5, 'auto')
    """

    name = "strength"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """What stands for the value in the help."""
        return f"{AUTO}|0..1"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float | str:
        """Reads the value."""
        try:
            return check_lightness(value)
        except ArgumentError:
            return self.fail(f"it must be a number in 0..1, or {AUTO}, not {value!r}", param, ctx)


class RecolorerChoice(click.Choice[str]):
    """The names of recolorers. They are looked up when they are needed: the registry imports half of kpalette.

    Args:
        color_maps: whether only colour maps are offered.

    Example:
        >>> list(RecolorerChoice(color_maps=True).choices)
        ['soft', 'fitted', 'baseline']
    """

    def __init__(self, *, color_maps: bool = False) -> None:
        """See the class."""
        self.color_maps = color_maps
        self.case_sensitive = True

    @property
    def choices(self) -> Sequence[str]:  # type: ignore[override]
        """The names, the default first."""
        from kpalette.recolorers import registry

        return registry.list_color_maps() if self.color_maps else registry.list_recolorers()


def complete_palette(context: click.Context, option: click.Parameter, begun: str) -> list[CompletionItem]:
    """Completes names of presets in the shell, and names of files."""
    presets = [CompletionItem(name) for name in list_presets() if name.startswith(begun)]
    return [*presets, CompletionItem(begun, type="file")]


@dataclass(frozen=True)
class TargetOptions:
    """Values of -p, --like and -k, which give the target palette.

    Attributes:
        palette: value of -p, or None.
        like: value of --like, or None.
        colors: value of -k, or None.

    Example:
        >>> TargetOptions("red blue", None, None).resolve().hex
        ('#ff0000', '#0000ff')
    """

    palette: str | None
    like: str | None
    colors: int | None

    def resolve(self) -> Palette:
        """Finds the target palette; a usage error unless exactly one of -p and --like is given."""
        if (self.palette is None) == (self.like is None):
            raise click.UsageError("give the palette by either -p COLOURS or --like IMAGE")
        if self.palette is not None:
            return find_palette(self.palette, size=self.colors)
        assert self.like is not None
        found = extract_palette(read_source(self.like), size=self.colors or DEFAULT_COLORS, method=EXTRACTION)
        if len(found) < MIN_COLORS:
            single = f"{self.like} has a single colour, {found.hex[0]}"
            raise PaletteError(f"{single}: a palette needs at least {MIN_COLORS}")
        return found

    def check_stdin(self, *inputs: str) -> None:
        """Raises a usage error if --like and INPUT would both read standard input."""
        if self.like == "-" and "-" in inputs:
            raise click.UsageError("standard input (`-`) can be INPUT or --like, but not both")


@dataclass(frozen=True)
class EditOptions:
    """Values of --source, --match, --lightness and --tone, which say what becomes of the picture's colours.

    Attributes:
        source: value of --source, or None.
        match: value of --match.
        lightness: value of --lightness, a number or "auto".
        tone: value of --tone; always "smooth" for tables, which have no such option.

    Example:
        >>> EditOptions("red blue", "lightness", 0.5).own_palette().hex
        ('#ff0000', '#0000ff')
    """

    source: str | None
    match: str
    lightness: float | str
    tone: str = "smooth"

    def own_palette(self) -> Palette | None:
        """The palette of --source, or None."""
        return None if self.source is None else find_palette(self.source)


@dataclass(frozen=True)
class SaveOptions:
    """Values of --background, --strip and --force, which say how results are written.

    Attributes:
        background: value of --background, or None.
        strip: whether --strip is given.
        force: whether --force is given.

    Example:
        >>> SaveOptions(None, strip=True, force=False).strip
        True
    """

    background: str | None
    strip: bool
    force: bool


def _grouped(name: str, kind: type, *options: Decorator) -> Callable[[Command], Command]:
    """Adds options to a command, which receives their values as one record, its argument `name`."""

    def add(command: Command) -> Command:
        @functools.wraps(command)
        def call(**values: Any) -> Any:
            own = {field.name: values.pop(field.name) for field in fields(kind) if field.name in values}
            return command(**values, **{name: kind(**own)})

        decorated: Any = call
        for option in reversed(options):
            decorated = option(decorated)
        return decorated  # type: ignore[no-any-return]

    return add


target_options = _grouped(
    "target",
    TargetOptions,
    click.option(
        "-p",
        "--palette",
        metavar="COLOURS|PRESET|FILE",
        shell_complete=complete_palette,
        help='The palette: "F4A300,8B4513", "orange purple", nord, moss.gpl, ...',
    ),
    click.option("--like", metavar="IMAGE", help="Take the palette from this picture."),
    click.option("-k", "--colors", type=COLORS, help="Number of colours to take.  [default: 4 of --like, all of -p]"),
)

_EDITS = (
    click.option(
        "--source",
        metavar="COLOURS|PRESET|FILE",
        shell_complete=complete_palette,
        help="The picture's own palette.  [default: extracted from the picture]",
    ),
    click.option(
        "--match",
        type=click.Choice((AUTO, *MATCHES)),
        default=AUTO,
        show_default=True,
        help="How the picture's colours are paired with the palette's: objects stay whole (auto), by lightness, "
        "by order, or the nearest.",
    ),
    click.option(
        "--lightness",
        type=Lightness(),
        default=AUTO,
        show_default=True,
        help="0 keeps the picture's lightness, 1 takes the palette's, auto as much as leaves it the same picture.",
    ),
)
table_edit_options = _grouped("edit", EditOptions, *_EDITS)
edit_options = _grouped(
    "edit",
    EditOptions,
    *_EDITS,
    click.option(
        "--tone",
        type=click.Choice(TONES),
        default=TONES[0],
        show_default=True,
        help="How lightness moves: local moves regions and keeps their detail, curve and smooth are one curve for all.",
    ),
)

save_options = _grouped(
    "save",
    SaveOptions,
    click.option(
        "--background", metavar="COLOUR", help="Put transparent pictures on this colour. JPEG and BMP need it."
    ),
    click.option("--strip", is_flag=True, help="Leave out EXIF, XMP, colour profile and resolution."),
    click.option("--force", is_flag=True, help="Replace files that exist."),
)

seed_option = click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the extraction."
)

method_option = click.option(
    "--method",
    type=click.Choice(METHODS),
    default=EXTRACTION,
    show_default=True,
    help="The extraction: how colours are taken from the picture. `recolor` uses kmeans by default.",
)


def read_source(name: str) -> Picture:
    """Reads a picture file, or standard input if the name is `-`."""
    if name != "-":
        return read_image(Path(name), guard=silent_stderr)
    if sys.stdin.isatty():
        raise click.UsageError("`-` reads a picture from standard input, which is a terminal: pipe a file into it")
    return read_image(sys.stdin.buffer, name="standard input", guard=silent_stderr)
