"""`lut`: a recolouring as a table for other programs."""

import os

import click

from kpalette.cli.options import (
    check_one_stdin,
    edit_options,
    model_options,
    read_source,
    resolve_target,
    target_options,
)
from kpalette.cli.streams import write_stdout
from kpalette.errors import one_line
from kpalette.recolorers.base import LatticeRecolorer
from kpalette.recolorers.lut_files import DEFAULT_SIZES, SIZES, check_lut, encode_cube, write_lut
from kpalette.recolorers.recolor import make_plan
from kpalette.recolorers.registry import DEFAULT_LATTICE, get_recolorer


@click.command()
@click.argument("image")
@target_options
@model_options(default=DEFAULT_LATTICE)
@edit_options
@click.option(
    "--size", type=int, help="Nodes a side: .cube 17, 33 or 65, Hald 16, 25, 36, 49 or 64.  [default: 33, Hald 64]"
)
@click.option("-o", "--output", metavar="FILE|-", help="A .cube, or a .png for a Hald picture.  [default: STEM.cube]")
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
def lut(
    image: str, palette: str | None, like: str | None, colors: int | None, model: str, source: str | None, match: str,
    lightness: float | None, seed: int, size: int | None, output: str | None, force: bool,
) -> None:  # fmt: skip
    """Write what `recolor` would do to IMAGE as a colour look-up table for video and photo programs.

    \b
    kpalette lut frame.png -p nord -o look.cube
    ffmpeg -i film.mp4 -vf lut3d=look.cube recoloured.mp4
    """  # noqa: D301 - click needs the backspace itself
    check_one_stdin(like, image)
    if image == "" or output == "":
        raise click.UsageError("an empty name: is a variable unset?")
    recolorer = get_recolorer(model)
    if not isinstance(recolorer, LatticeRecolorer):
        raise click.UsageError(f"{model} is no colour mapping: a lattice cannot hold it")
    name = output or ("lut.cube" if image == "-" else os.path.splitext(image)[0] + ".cube")
    if name == "-":
        size = size or DEFAULT_SIZES[".cube"]
        if size not in SIZES[".cube"]:
            raise click.UsageError(f"a .cube table has 17, 33 or 65 nodes a side, not {size}")
    else:
        size = check_lut(name, size=size, overwrite=force)
    picture = read_source(image)
    target = resolve_target(palette, like, colors)
    plan = make_plan(picture, target, model=recolorer, source=source, match=match, lightness=lightness, seed=seed)
    lattice = recolorer.lattice(picture, plan.source, plan.target, lightness=plan.lightness, size=size)
    title = f"kpalette {model} {' '.join(plan.target.hex)}"
    if name == "-":
        write_stdout(encode_cube(lattice, title=title))
    else:
        write_lut(name, lattice, title=title, overwrite=force)
        click.echo(f"wrote {one_line(name)}", err=True)
