"""The command `palette`: prints or saves the colours of pictures, files and presets."""

import sys
from pathlib import Path

import click

from kpalette.cli.options import COLORS, complete_palette, method_option, read_source
from kpalette.errors import OutputError, one_line
from kpalette.files import write_file
from kpalette.palettes.extract import extract_palette
from kpalette.palettes.files import PALETTE_SUFFIXES
from kpalette.palettes.formats import FORMS, encode_palette
from kpalette.palettes.palette import Palette
from kpalette.palettes.presets import find_palette, list_presets, preset_about
from kpalette.types import DEFAULT_COLORS

_BINARY = ("ase", "png")
_SUFFIXES = {**PALETTE_SUFFIXES, ".png": "png"}


@click.command()
@click.argument("image", required=False)
@click.option(
    "-p",
    "--palette",
    "given",
    metavar="COLOURS|PRESET|FILE",
    shell_complete=complete_palette,
    help="Take these colours instead of those of IMAGE.",
)
@click.option("-k", "--colors", type=COLORS, help="Number of colours.  [default: 4 of IMAGE, all of -p]")
@method_option
@click.option(
    "--format",
    "form",
    type=click.Choice([*FORMS, "png"]),
    help="Format of the output.  [default: hex, or that of FILE]",
)
@click.option("-o", "--output", metavar="FILE", help=f"Write a file: {', '.join(_SUFFIXES)}.")
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
@click.option("--list", "listing", is_flag=True, help="List the presets, including your own.")
def palette(
    image: str | None,
    given: str | None,
    colors: int | None,
    method: str,
    form: str | None,
    output: str | None,
    force: bool,
    listing: bool,
) -> None:
    """Print the colours of IMAGE, darkest first, or of a preset or palette file.

    IMAGE `-` is standard input. Format `hex` is a code a line (on a terminal with swatches and shares), `json` has Lab
    values and shares, too. `gpl` is for GIMP, Inkscape and Krita, `ase` for Adobe programs, `txt` for paint.net; `png`
    is a picture of swatches.

    \b
    kpalette palette painting.jpg -k 6 -o painting.gpl
    kpalette palette -p nord --format ase > nord.ase
    """  # noqa: D301 - click needs the backspace itself
    if listing:
        if image is not None or given is not None or output is not None:
            raise click.UsageError("--list takes no IMAGE, -p or -o")
        _print_presets()
        return
    if (image is None) == (given is None):
        raise click.UsageError("give one of these: IMAGE, -p with colours, a preset or a palette file, or --list")
    form = _form(form, output)
    if given is not None:
        found, name = find_palette(given, size=colors), Path(given).stem
    else:
        assert image is not None
        size = colors or DEFAULT_COLORS
        found = extract_palette(read_source(image), size=size, method=method)
        name = "standard input" if image == "-" else Path(image).stem
        if len(found) < size:
            click.echo(f"note: {one_line(image)} has only {len(found)} colour{'s' * (len(found) > 1)}", err=True)
    if form == "hex" and output is None and sys.stdout.isatty():
        _print_swatches(found)
        return
    data = _encoded(found, form, name if output is None else Path(output).stem, to_file=output is not None)
    if output is not None:
        write_file(output, data, overwrite=force)
        click.echo(f"wrote {one_line(output)}", err=True)
    elif form in _BINARY and sys.stdout.isatty():
        raise click.UsageError(f"{form} cannot be shown on a terminal: give -o FILE, or redirect it into a file")
    else:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()


def _form(form: str | None, output: str | None) -> str:
    if output is None:
        return form or "hex"
    suffix = Path(output).suffix.lower()
    if form is None and suffix not in _SUFFIXES:
        raise OutputError(f"cannot tell the format of {output}: use one of {', '.join(_SUFFIXES)}, or --format")
    return form or _SUFFIXES[suffix]


def _encoded(found: Palette, form: str, name: str, *, to_file: bool) -> bytes:
    if form == "hex" and not to_file:
        return "".join(f"{code}\n" for code in found.hex).encode()
    if form == "png":
        from kpalette.images.encode import encode_image
        from kpalette.report.sheet import swatch_image

        return encode_image(swatch_image(found), image_format="PNG")
    return encode_palette(found, form=form, name=name)


def _print_swatches(found: Palette) -> None:
    from rich.console import Console

    console = Console(highlight=False)
    for code, share in zip(found.hex, found.shares, strict=True):
        console.print(f"[on {code}]      [/]  {code}  {share:6.1%}")


def _print_presets() -> None:
    from rich.console import Console
    from rich.markup import escape

    console = Console(highlight=False, soft_wrap=True)
    presets = list_presets()
    width = max(map(len, presets))
    for name, found in presets.items():
        blocks = "".join(f"[on {code}]   [/]" for code in found.hex)
        if console.is_terminal:
            gap = " " * 3 * (8 - len(found))
            console.print(f"{escape(name):<{width}}  {blocks}{gap}  {escape(preset_about(name))}")
        else:
            click.echo(f"{name:<{width}}  {' '.join(found.hex)}")
