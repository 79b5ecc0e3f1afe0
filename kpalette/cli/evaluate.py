"""The command `evaluate`: runs a study, and writes its tables and its figure."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kpalette.cli.options import Lightness
from kpalette.cli.streams import silent_stderr
from kpalette.errors import ArgumentError, OutputError, one_line
from kpalette.files import check_free, check_writable, read_file, write_file
from kpalette.parallel import MAX_WORKERS
from kpalette.report.progress import ProgressBar
from kpalette.types import AUTO, TONES

if TYPE_CHECKING:
    from kpalette.study.records import Study

_FILES = ("figures.csv", "tables.md", "plane.svg")
_SHEET = "examples.webp"
_BLOCKS = ("figures", "styles", "probes")


@click.command()
@click.argument("images", required=False)
@click.option("--palettes", metavar="FILE", help="Palettes for IMAGES, a JSON file.  [default: the presets]")
@click.option(
    "-m",
    "--model",
    "models",
    multiple=True,
    metavar="NAME|FOLDER",
    help="A recolorer, or the folder of a checkpoint. Repeat it for several.  [default: all]",
)
@click.option(
    "--lightness",
    type=Lightness(),
    multiple=True,
    help=f"A lightness strength. Repeat it for several.  [default: 0, {AUTO}; baseline 1 by a curve]",
)
@click.option(
    "--tone",
    "tones",
    type=click.Choice(TONES),
    multiple=True,
    help="How lightness moves, as in `recolor`. Repeat it for several.  [default: local]",
)
@click.option(
    "--per-picture", type=click.IntRange(1), default=4, show_default=True, help="Palettes for each of IMAGES."
)
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Number of pictures, spread evenly.  [default: all]")
@click.option(
    "-j", "--jobs", "workers", type=click.IntRange(1, MAX_WORKERS), help="Pictures at a time.  [default: one a core]"
)
@click.option("-o", "--output", metavar="FOLDER", help="Write figures.csv, tables.md, plane.svg, examples.webp there.")
@click.option("--into", metavar="FILE.md", help="Put the tables into the marked blocks of this document.")
@click.option("--force", is_flag=True, help="Replace files of FOLDER.")
def evaluate(
    images: str | None,
    palettes: str | None,
    models: tuple[str, ...],
    lightness: tuple[float | str, ...],
    tones: tuple[str, ...],
    per_picture: int,
    limit: int | None,
    workers: int | None,
    output: str | None,
    into: str | None,
    force: bool,
) -> None:
    """Measure recolorers and reference rows on IMAGES, or on the sample pictures.

    IMAGES is a folder or a tar file. Reference rows are simple maps of colours that show the best value of a figure:
    `source` is the picture itself. The figures are those of `kpalette compare`: means over IMAGES, or medians over the
    sample pictures.
    """
    from kpalette.data.sources import open_images
    from kpalette.study.run import evaluate as study_of

    _check_names(images, palettes, output, into, *models)
    prefix, statistic = ("samples", "median") if images is None else ("pictures", "mean")
    _check_outputs(output, into, prefix, force=force)
    with ProgressBar() as bar:
        study = study_of(
            None if images is None else open_images(images, guard=silent_stderr),
            palettes=palettes,
            models=models or None,
            lightness=lightness or None,
            tones=tones or None,
            per_picture=per_picture,
            limit=limit,
            workers=workers,
            progress=partial(_advance, bar),
        )
    if output is not None:
        _write(Path(output), study, models or None, prefix, statistic, force=force)
    if into is not None:
        document = _filled(read_document(into), prefix, _tables(study, prefix, statistic))
        write_file(into, document.encode(), overwrite=True)
        click.echo(f"wrote {one_line(into)}", err=True)
    _print(study, statistic)


def _check_names(images: str | None, palettes: str | None, *others: str | None) -> None:
    if "" in (images, palettes, *others):
        raise click.UsageError("an empty name: is a variable unset?")
    if images is None and palettes is not None:
        raise click.UsageError("--palettes needs IMAGES: the sample pictures have palettes of their own")


def _check_outputs(output: str | None, into: str | None, prefix: str, *, force: bool) -> None:
    """Raises errors of writing now; otherwise they would come after minutes of work."""
    if output is not None:
        from kpalette.report.svg import import_matplotlib

        import_matplotlib()
        if Path(output).exists() and not Path(output).is_dir():
            raise OutputError(f"cannot write to {output}: it is not a folder")
        for name in (*_FILES, *((_SHEET,) if prefix == "samples" else ())):
            check_free(Path(output) / name, overwrite=force)
        check_writable(Path(output))
    if into is not None:
        _filled(read_document(into), prefix, dict.fromkeys(_BLOCKS, ""))


def read_document(into: str) -> str:
    """The text of a document that tables are put into; ArgumentError if it cannot be read."""
    try:
        return read_file(into, error=ArgumentError, what="a document").decode()
    except UnicodeDecodeError:
        raise ArgumentError(f"{into} is not text in UTF-8") from None


def _filled(document: str, prefix: str, tables: dict[str, str]) -> str:
    """The document with all tables in their blocks."""
    from kpalette.report.markdown import replace_block

    for name in _BLOCKS:
        document = replace_block(document, f"{prefix}-{name}", tables[name])
    return document


def _tables(study: "Study", prefix: str, statistic: str) -> dict[str, str]:
    from kpalette.study.tables import figures_table, probes_table, styles_table

    return {
        "figures": figures_table(study, statistic=statistic),
        "styles": styles_table(study, statistic=statistic, heading="picture" if prefix == "samples" else "style"),
        "probes": probes_table(study, statistic=statistic),
    }


def _main_method(study: "Study") -> str:
    """The method whose best and worst cases are shown: the default recolorer, or else the first of the study."""
    from kpalette.metrics.references import REFERENCES
    from kpalette.recolorers.registry import DEFAULT_MODEL

    methods = [method for method in study.methods if method not in REFERENCES]
    return DEFAULT_MODEL if DEFAULT_MODEL in methods else methods[0]


def _write(
    folder: Path, study: "Study", models: tuple[str, ...] | None, prefix: str, statistic: str, *, force: bool
) -> None:
    """Makes all files, then writes them."""
    from kpalette.files import make_parent
    from kpalette.images.encode import encode_image
    from kpalette.study.plane import draw_plane
    from kpalette.study.tables import ranks_table

    tables = _tables(study, prefix, statistic)
    pictures = len({record.name for record in study.records})
    palettes = len({record.palette for record in study.records})
    text = f"{pictures} pictures, {palettes} palettes; {statistic}s with bootstrap 95 % intervals over pictures.\n\n"
    text += "\n".join([*tables.values(), ranks_table(study, _main_method(study))])
    files = dict(
        zip(_FILES, (study.csv().encode(), text.encode(), draw_plane(study, statistic=statistic)), strict=True)
    )
    if prefix == "samples":
        files[_SHEET] = encode_image(_examples(study, models), image_format="WEBP")
    for name, data in files.items():
        make_parent(folder / name)
        write_file(folder / name, data, overwrite=force)
        click.echo(f"wrote {one_line(folder / name)}", err=True)


def _examples(study: "Study", models: tuple[str, ...] | None) -> Any:
    """A sheet of the main method's best, median and worst case, with the result of each recolorer."""
    import numpy as np

    from kpalette.cli.tables import label
    from kpalette.metrics.references import REFERENCES
    from kpalette.report.sheet import make_sheet
    from kpalette.study.cases import sample_cases
    from kpalette.study.compare import compare
    from kpalette.study.run import find_models, match_of
    from kpalette.study.tables import ranked

    cases = {(case.name, case.palette): case for of_picture in sample_cases() for case in of_picture}
    found = find_models(models or list(dict.fromkeys(r.model for r in study.probes if r.model not in REFERENCES)))
    recolorers = [model.recolorer() for model in found]
    sheets = []
    for rank, record in ranked(study, _main_method(study)).items():
        case = cases[record.name, record.palette or 0]
        settings: dict[str, Any] = {"lightness": record.lightness, "tone": record.tone}
        settings["match"] = match_of(record.lightness)
        rows = list(compare(case.picture, case.target, models=recolorers, **settings))
        title = f"{rank} of {record.model}: {record.name}"
        images, labels = [row.image for row in rows], [label(row) for row in rows]
        sheets.append(make_sheet(images, labels, palette=case.target, title=title, columns=len(rows), tile=320))
    width = max(sheet.shape[1] for sheet in sheets)
    wide = [np.pad(s, ((0, 0), (0, width - s.shape[1]), (0, 0)), mode="edge") for s in sheets]
    return np.concatenate(wide)


def _print(study: "Study", statistic: str) -> None:
    from rich.console import Console

    from kpalette.cli.tables import COLUMNS, study_table
    from kpalette.study.probes import PROBES

    console = Console()
    if not console.is_terminal:
        console.width = 120
    console.print(study_table(study.records, (*COLUMNS, "seconds"), statistic=statistic))
    console.print()
    console.print(study_table(study.probes, tuple(PROBES), statistic=statistic))


def _advance(bar: ProgressBar, done: int, total: int) -> None:
    """Shows how many pictures are done; without a terminal, by a line for each tenth of them."""
    tenth = done == total or done * 10 // total > (done - 1) * 10 // total
    bar.update(done, total=total, line=f"[{done}/{total}] pictures" if tenth else "")
