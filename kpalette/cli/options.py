"""Options that several commands share, and how they become arguments."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from kpalette.cli.streams import silent_stderr
from kpalette.errors import PaletteError
from kpalette.images.files import read_image
from kpalette.images.picture import Picture
from kpalette.palettes.extract import METHODS, extract_palette
from kpalette.palettes.palette import MATCHES, Palette
from kpalette.palettes.presets import find_palette
from kpalette.recolorers.registry import DEFAULT_MODEL, NETWORKS, list_recolorers
from kpalette.runtimes.network import RUNTIMES
from kpalette.types import DEFAULT_COLORS, MAX_COLORS, MIN_COLORS
from kpalette.weights.presets import find_preset

Command = TypeVar("Command", bound=Callable[..., Any])

COLORS = click.IntRange(MIN_COLORS, MAX_COLORS)


def target_options(command: Command) -> Command:
    """Adds -p, --like and -k: the palette that is asked for."""
    for decorate in (
        click.option(
            "-k", "--colors", type=COLORS, help="How many colours to take.  [default: 4 of --like, all of -p]"
        ),
        click.option("--like", metavar="IMAGE", help="Take the palette from this picture."),
        click.option(
            "-p",
            "--palette",
            metavar="COLOURS|PRESET|FILE",
            help='The palette: "F4A300,8B4513", "orange purple", nord, moss.gpl, ...',
        ),
    ):
        command = decorate(command)
    return command


def edit_options(command: Command) -> Command:
    """Adds --source, --match and --lightness: how a picture's own colours find their targets."""
    for decorate in (
        click.option(
            "--lightness",
            type=click.FloatRange(0, 1),
            help="0 keeps the picture's lightness, 1 takes the palette's.  [default: the model's own]",
        ),
        click.option(
            "--match",
            type=click.Choice(MATCHES),
            default="lightness",
            show_default=True,
            help="Which of the picture's colours becomes which: by lightness, as given, or the nearest.",
        ),
        click.option("--source", metavar="COLOURS|PRESET|FILE", help="The picture's own palette, not to be extracted."),
    ):
        command = decorate(command)
    return command


def model_options(default: str = DEFAULT_MODEL) -> Callable[[Command], Command]:
    """Adds -m and --seed: who recolours, and from which random numbers."""

    def add(command: Command) -> Command:
        for decorate in (
            click.option(
                "--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the extraction."
            ),
            click.option(
                "-m",
                "--model",
                type=click.Choice(list_recolorers()),
                default=default,
                show_default=True,
                help="Who recolours.",
            ),
        ):
            command = decorate(command)
        return command

    return add


def save_options(command: Command) -> Command:
    """Adds --background, --strip and --force: how results are written."""
    for decorate in (
        click.option("--force", is_flag=True, help="Replace files that exist."),
        click.option("--strip", is_flag=True, help="Leave out EXIF, XMP, colour profile and resolution."),
        click.option(
            "--background", metavar="COLOUR", help="Put transparent pictures on this colour (JPEG and BMP need one)."
        ),
    ):
        command = decorate(command)
    return command


runtime_option = click.option(
    "--runtime",
    type=click.Choice(RUNTIMES[1:]),
    help="What computes a network.  [default: onnx where that is installed, else keras]",
)

method_option = click.option(
    "--method", type=click.Choice(METHODS), default="chang", show_default=True, help="How colours are extracted."
)


def resolve_target(palette: str | None, like: str | None, colors: int | None) -> Palette:
    """The palette that `target_options` ask for; a usage error unless exactly one of them gives it."""
    if (palette is None) == (like is None):
        raise click.UsageError("give the palette by -p COLOURS or by --like IMAGE, one of them")
    if palette is not None:
        return find_palette(palette, size=colors)
    assert like is not None
    found = extract_palette(read_source(like), size=colors or DEFAULT_COLORS, method="kmeans")
    if len(found) < MIN_COLORS:
        raise PaletteError(f"{like} has a single colour, {found.hex[0]}: a palette needs at least {MIN_COLORS}")
    return found


def check_model(model: str, runtime: str | None) -> str:
    """What computes a network, once it is sure that there is one: a usage error, or its weights are not there."""
    if model in NETWORKS:
        find_preset(model)
    elif runtime is not None:
        raise click.UsageError(f"--runtime is for networks ({', '.join(NETWORKS)}), and {model} is none")
    return runtime or RUNTIMES[0]


def check_one_stdin(like: str | None, *inputs: str) -> None:
    """A usage error where --like and INPUT would both read standard input."""
    if like == "-" and "-" in inputs:
        raise click.UsageError("standard input (`-`) can be INPUT or --like, not both")


def read_source(name: str) -> Picture:
    """Reads a picture file, or standard input for `-`."""
    if name != "-":
        return read_image(Path(name), guard=silent_stderr)
    if sys.stdin.isatty():
        raise click.UsageError("`-` reads a picture from standard input, which is a terminal: pipe a file into it")
    return read_image(sys.stdin.buffer, name="standard input", guard=silent_stderr)
