"""The command `lut`: writes a recolouring as a table for other programs."""

import os

import click

from kpalette.cli.options import (
    EditOptions,
    RecolorerChoice,
    TargetOptions,
    read_source,
    seed_option,
    table_edit_options,
    target_options,
)
from kpalette.cli.streams import write_stdout
from kpalette.errors import one_line
from kpalette.recolorers.base import ColorMapRecolorer
from kpalette.recolorers.lut_files import DEFAULT_SIZES, SIZES, check_lut, encode_cube, write_lut
from kpalette.recolorers.recipe import Recipe
from kpalette.recolorers.registry import DEFAULT_COLOR_MAP, DEFAULT_MODEL


@click.command()
@click.argument("image")
@target_options
@click.option(
    "-m",
    "--model",
    type=RecolorerChoice(color_maps=True),
    help=f"Which recolorer; a network cannot be a table.  [default: {DEFAULT_COLOR_MAP}]",
)
@seed_option
@table_edit_options
@click.option(
    "--size", type=int, help="Nodes a side: .cube 17, 33 or 65, Hald 16, 25, 36, 49 or 64.  [default: 33, Hald 64]"
)
@click.option(
    "-o", "--output", metavar="FILE|-", help="A .cube file, or a .png for a Hald picture.  [default: STEM.cube]"
)
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
def lut(
    image: str,
    target: TargetOptions,
    edit: EditOptions,
    model: str | None,
    seed: int,
    size: int | None,
    output: str | None,
    force: bool,
) -> None:
    """Write a recolouring of IMAGE as a colour look-up table for video and photo programs.

    A table gives the same colours as `kpalette recolor --tone smooth` with the same -m: it cannot look at a pixel's
    surroundings.

    \b
    kpalette lut frame.png -p nord -o look.cube
    kpalette lut frame.png -p nord -o look.png     # a Hald picture
    """  # noqa: D301 - click needs the backspace itself
    target.check_stdin(image)
    if image == "" or output == "":
        raise click.UsageError("an empty name: is a variable unset?")
    name = output or ("lut.cube" if image == "-" else os.path.splitext(image)[0] + ".cube")
    size = _checked_size(name, size, force=force)
    picture = read_source(image)
    if model is None and DEFAULT_MODEL != DEFAULT_COLOR_MAP:
        click.echo(
            f"note: the table is by {DEFAULT_COLOR_MAP}. `kpalette recolor` uses {DEFAULT_MODEL}, a network, which "
            f"cannot be a table. For the colours of this table: kpalette recolor -m {DEFAULT_COLOR_MAP} --tone smooth",
            err=True,
        )
    own, model = edit.own_palette(), model or DEFAULT_COLOR_MAP
    recipe = Recipe(target.resolve(), model, own, edit.match, edit.lightness, seed, tone=edit.tone)
    plan = recipe.plan(picture)
    assert isinstance(plan.recolorer, ColorMapRecolorer)
    lattice = plan.recolorer.lattice(picture, plan, size=size)
    title = f"kpalette {plan.recolorer.name} {' '.join(plan.target.hex)}"
    if name == "-":
        write_stdout(encode_cube(lattice, title=title))
    else:
        write_lut(name, lattice, title=title, overwrite=force)
        click.echo(f"wrote {one_line(name)}", err=True)


def _checked_size(name: str, size: int | None, *, force: bool) -> int:
    """Checks the name of the file and the size of the table; returns the nodes a side."""
    if name != "-":
        return check_lut(name, size=size, overwrite=force)
    size = size or DEFAULT_SIZES[".cube"]
    if size not in SIZES[".cube"]:
        raise click.UsageError(f"a .cube table has 17, 33 or 65 nodes a side, not {size}")
    return size
