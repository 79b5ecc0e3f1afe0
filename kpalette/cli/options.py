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
from kpalette.errors import PaletteError
from kpalette.images.files import read_image
from kpalette.images.picture import Picture
from kpalette.palettes.extract import METHODS, extract_palette
from kpalette.palettes.palette import MATCHES, Palette
from kpalette.palettes.presets import find_palette, list_presets
from kpalette.types import DEFAULT_COLORS, MAX_COLORS, MIN_COLORS

Command = TypeVar("Command", bound=Callable[..., Any])
Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

COLORS = click.IntRange(MIN_COLORS, MAX_COLORS)
EXTRACTION = "kmeans"
"""How the default recolorer takes palettes from pictures."""


class RecolorerChoice(click.Choice[str]):
    """The names of recolorers. They are looked up when needed: the registry imports half of kpalette.

    Args:
        color_maps: whether colour maps alone are offered.
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
    """-p, --like and -k: the palette that is asked for."""

    palette: str | None
    like: str | None
    colors: int | None

    def resolve(self) -> Palette:
        """Finds the palette; a usage error unless exactly one of -p and --like is given."""
        if (self.palette is None) == (self.like is None):
            raise click.UsageError("give the palette by -p COLOURS or by --like IMAGE, one of them")
        if self.palette is not None:
            return find_palette(self.palette, size=self.colors)
        assert self.like is not None
        found = extract_palette(read_source(self.like), size=self.colors or DEFAULT_COLORS, method=EXTRACTION)
        if len(found) < MIN_COLORS:
            single = f"{self.like} has a single colour, {found.hex[0]}"
            raise PaletteError(f"{single}: a palette needs at least {MIN_COLORS}")
        return found

    def check_stdin(self, *inputs: str) -> None:
        """Raises a usage error where --like and INPUT would both read standard input."""
        if self.like == "-" and "-" in inputs:
            raise click.UsageError("standard input (`-`) can be INPUT or --like, not both")


@dataclass(frozen=True)
class EditOptions:
    """--source, --match and --lightness: how a picture's own colours find their targets."""

    source: str | None
    match: str
    lightness: float | None

    def own_palette(self) -> Palette | None:
        """The palette that --source gives, if any."""
        return None if self.source is None else find_palette(self.source)


@dataclass(frozen=True)
class SaveOptions:
    """--background, --strip and --force: how results are written."""

    background: str | None
    strip: bool
    force: bool


def _grouped(name: str, kind: type, *options: Decorator) -> Callable[[Command], Command]:
    """Adds options to a command; their values arrive as one record, the argument `name`."""

    def add(command: Command) -> Command:
        @functools.wraps(command)
        def call(**values: Any) -> Any:
            own = {field.name: values.pop(field.name) for field in fields(kind)}
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
    click.option("-k", "--colors", type=COLORS, help="How many colours to take.  [default: 4 of --like, all of -p]"),
)

edit_options = _grouped(
    "edit",
    EditOptions,
    click.option(
        "--source",
        metavar="COLOURS|PRESET|FILE",
        shell_complete=complete_palette,
        help="The picture's own palette.  [default: taken from the picture]",
    ),
    click.option(
        "--match",
        type=click.Choice(MATCHES),
        default="lightness",
        show_default=True,
        help="Which of the picture's colours becomes which: by lightness, as given, or the nearest.",
    ),
    click.option(
        "--lightness",
        type=click.FloatRange(0, 1),
        help="0 keeps the picture's lightness, 1 takes the palette's.  [default: the recolorer's own]",
    ),
)

save_options = _grouped(
    "save",
    SaveOptions,
    click.option(
        "--background", metavar="COLOUR", help="Put transparent pictures on this colour (JPEG and BMP need one)."
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
    help="How colours are taken from the picture; kmeans is what `recolor` does by default.",
)


def read_source(name: str) -> Picture:
    """Reads a picture file, or standard input for `-`."""
    if name != "-":
        return read_image(Path(name), guard=silent_stderr)
    if sys.stdin.isatty():
        raise click.UsageError("`-` reads a picture from standard input, which is a terminal: pipe a file into it")
    return read_image(sys.stdin.buffer, name="standard input", guard=silent_stderr)
