"""The commands `ssim` and `compare`: they measure pictures."""

import json
import os
from pathlib import Path

import click
import numpy as np

from kpalette.cli.options import EditOptions, TargetOptions, edit_options, read_source, target_options
from kpalette.images.files import check_output, write_image
from kpalette.images.picture import as_picture, resize


@click.command()
@click.argument("image_a", metavar="A")
@click.argument("image_b", metavar="B")
@click.option(
    "--map", "map_file", metavar="FILE", help="Write a map of local similarity: white is the same, black is lost."
)
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
def ssim(image_a: str, image_b: str, map_file: str | None, force: bool) -> None:
    """Print the structural similarity (SSIM) of A and B; 1 is identical.

    It compares the pictures in 8-bit grey, as published, and does not see their colours: `kpalette compare` also shows
    distances to a palette.
    """
    from kpalette.metrics import figures as metrics

    if image_a == image_b == "-":
        raise click.UsageError("standard input (`-`) can be only one of the two pictures")
    first, second = read_source(image_a).rgb, read_source(image_b).rgb
    score = metrics.ssim(first, second)
    if map_file is not None:
        write_image(Path(map_file), metrics.ssim_map(first, second), overwrite=force)
    click.echo(f"{score:.15f}")


@click.command()
@click.argument("image")
@target_options
@edit_options
@click.option("-o", "--output", metavar="FILE", help="The file of the sheet.  [default: STEM.compare.png beside IMAGE]")
@click.option("--json", "as_json", is_flag=True, help="Print all figures as JSON. A sheet is written only with -o.")
@click.option(
    "--longest",
    type=click.IntRange(16),
    default=1024,
    show_default=True,
    help="Shrink IMAGE to this longer side, in pixels.",
)
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
def compare(
    image: str,
    target: TargetOptions,
    edit: EditOptions,
    output: str | None,
    as_json: bool,
    longest: int,
    force: bool,
) -> None:
    """Recolour IMAGE with every recolorer, print their figures, and write a labelled sheet.

    The first row, `source`, is IMAGE itself: compare the others with it.
    """
    from kpalette.cli.tables import label, print_figures
    from kpalette.report.sheet import make_sheet
    from kpalette.study.compare import compare as rows_of

    if image == "" or output == "":
        raise click.UsageError("an empty name: is a variable unset?")
    target.check_stdin(image)
    palette = target.resolve()
    sheet_path = _sheet_path(image, output, as_json)
    if sheet_path is not None:
        check_output(sheet_path, overwrite=force)
    picture = read_source(image)
    small = as_picture(resize(np.asarray(picture), longest=longest))
    own = edit.own_palette()
    rows = list(rows_of(small, palette, source=own, match=edit.match, lightness=edit.lightness, tone=edit.tone))
    if sheet_path is not None:
        sheet = make_sheet(
            [row.image for row in rows], [label(row) for row in rows], palette=palette, title=Path(image).name
        )
        write_image(sheet_path, sheet, overwrite=force)
        click.echo(f"sheet: {sheet_path}", err=True)
    if as_json:
        keys = ("method", "lightness", "seconds")
        click.echo(json.dumps([{**{key: getattr(r, key) for key in keys}, **r.figures} for r in rows], indent=2))
    else:
        print_figures(rows)


def _sheet_path(image: str, output: str | None, as_json: bool) -> Path | None:
    """The file of the sheet; None if there is to be none."""
    if output is not None:
        return Path(output)
    if as_json:
        return None
    return Path("compare.png") if image == "-" else Path(f"{os.path.splitext(image)[0]}.compare.png")
