"""The command `recolor`: one picture, many, whole folders, or standard input to standard output."""

import logging
import os
from pathlib import Path
from typing import Any

import click

from kpalette.batch.job import Job, Outcome, RecolorFile
from kpalette.batch.manifest import Manifest
from kpalette.batch.run import default_workers, run_batch
from kpalette.cli.jobs import plan_jobs
from kpalette.cli.options import (
    EditOptions,
    RecolorerChoice,
    SaveOptions,
    TargetOptions,
    edit_options,
    read_source,
    save_options,
    seed_option,
    target_options,
)
from kpalette.cli.streams import FailuresError, set_up_streams, silent_stderr, write_stdout
from kpalette.cli.words import InOptionWords
from kpalette.color.names import parse_color
from kpalette.errors import one_line
from kpalette.files import remove_parts, write_file
from kpalette.images.files import SUFFIXES, check_output, format_of, suffix_of
from kpalette.parallel import MAX_WORKERS
from kpalette.recolorers.recipe import Recipe
from kpalette.recolorers.registry import DEFAULT_MODEL, list_networks
from kpalette.report.progress import ProgressBar
from kpalette.runtimes.network import RUNTIMES
from kpalette.weights.presets import find_preset

_log = logging.getLogger(__name__)


@click.command()
@click.argument("inputs", metavar="INPUT...", nargs=-1, required=True)
@target_options
@click.option(
    "-m", "--model", type=RecolorerChoice(), default=DEFAULT_MODEL, show_default=True, help="Which recolorer."
)
@seed_option
@edit_options
@click.option(
    "--runtime",
    type=click.Choice(RUNTIMES[1:]),
    help="What computes a network.  [default: onnx where that is installed, else keras]",
)
@click.option(
    "-o", "--output", metavar="FILE|DIR|-", help="Where to write.  [default: STEM.recolored.EXT beside INPUT]"
)
@save_options
@click.option(
    "-r", "--recursive", is_flag=True, help="Read sub-folders, too. -o DIR gets sub-folders of the same names."
)
@click.option("-j", "--jobs", type=click.IntRange(1, MAX_WORKERS), help="Pictures at a time.  [default: one a core]")
@click.option("--resume", is_flag=True, help="Go on with a stopped batch: skip finished pictures.")
def recolor(
    inputs: tuple[str, ...],
    target: TargetOptions,
    edit: EditOptions,
    save: SaveOptions,
    output: str | None,
    recursive: bool,
    jobs: int | None,
    resume: bool,
    **choice: Any,
) -> None:
    """Put each INPUT into the colours of a palette.

    INPUT is a picture, a folder, or `-` for standard input. Of a folder, all pictures are read except earlier results.
    Results are written beside their sources, or into the folder of -o. Transparency, size and metadata are kept.
    If some of many pictures fail, the others are still done, and the failures are listed at the end.

    \b
    kpalette recolor photo.jpg -p "orange saddlebrown purple green"
    kpalette recolor photos/ -r --like painting.png -o recoloured/
    cat photo.png | kpalette recolor - -p nord > out.png
    """  # noqa: D301 - click needs the backspace itself
    planned = plan_jobs(inputs, output, recursive=recursive, force=save.force)
    target.check_stdin(*inputs)
    recipe = _recipe(target, edit, **choice)
    if save.background is not None:
        parse_color(save.background)
    work = RecolorFile(recipe, save.background, save.strip, silent_stderr)
    if "-" in (planned[0].source, planned[0].destination):
        _stream(planned[0], work)
    elif len(planned) == 1 and not resume:
        logging.getLogger("kpalette").setLevel(logging.INFO)  # the lightness that was chosen
        click.echo(f"wrote {one_line(work(planned[0]))}", err=True)
    else:
        workers = jobs or default_workers(len(planned))
        _batch(planned, work, workers, resume=resume, output=output)


def _recipe(target: TargetOptions, edit: EditOptions, *, model: str, seed: int, runtime: str | None) -> Recipe:
    palette, own = target.resolve(), edit.own_palette()
    if own is not None and len(own) < len(palette):
        click.echo(
            f"note: --source has {len(own)} colours: only {len(own)} of the palette's {len(palette)} are used", err=True
        )
    if model in list_networks():
        find_preset(model)  # before any picture is read
    elif runtime is not None:
        raise click.UsageError(f"--runtime is for networks ({', '.join(list_networks())}), and {model} is not one")
    return Recipe(palette, model, own, edit.match, edit.lightness, seed, runtime or RUNTIMES[0], edit.tone)


def _stream(job: Job, work: RecolorFile) -> None:
    """Recolours one picture from standard input, to standard output, or both."""
    if job.destination != "-":
        check_output(Path(job.destination), overwrite=job.replace)
    picture = read_source(job.source)
    if job.destination == "-":
        write_stdout(work.encoded(picture, image_format=SUFFIXES[suffix_of(picture.format)]))
        return
    data = work.encoded(picture, image_format=format_of(job.destination))
    write_file(job.destination, data, overwrite=job.replace)
    click.echo(f"wrote {one_line(job.destination)}", err=True)


def _batch(planned: list[Job], work: RecolorFile, workers: int, *, resume: bool, output: str | None) -> None:
    folders = [os.path.dirname(os.path.abspath(job.destination)) for job in planned if job.destination]
    record = _record(folders, output, work, resume) if folders else None
    failures: list[str] = []
    try:
        with ProgressBar(total=len(planned)) as bar:
            in_words = InOptionWords(work)
            outcomes = run_batch(planned, in_words, workers=workers, record=record, set_up=set_up_streams)
            for number, outcome in enumerate(outcomes, start=1):
                if outcome.error is not None:
                    failures.append(one_line(outcome.error))
                line = _line(outcome)
                note = one_line(Path(line).name)
                bar.update(number, note=note, line=f"[{number}/{len(planned)}] {one_line(line)}")
    finally:
        remove_parts(folders)
    if failures:
        raise FailuresError(f"{len(failures)} of {len(planned)} pictures failed:", failures)
    if record is not None and not resume and output is None:
        record.remove()


def _line(outcome: Outcome) -> str:
    """An outcome in a few words."""
    if outcome.error is not None:
        return f"{outcome.job.source}: failed"
    return f"{outcome.destination} (done before)" if outcome.skipped else outcome.destination


def _record(folders: list[str], output: str | None, work: RecolorFile, resume: bool) -> Manifest | None:
    """The manifest, in the folder of -o or of the first result; None if it cannot be written."""
    record = Manifest(folders[0] if output is None else output, work.settings())
    if resume:
        record.read()
    if record.can_be_written():
        return record
    _log.warning("cannot write %s: this batch cannot be resumed", record.path)
    return None
