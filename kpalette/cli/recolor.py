"""`recolor`: one picture, many, whole folders, or standard input to standard output."""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from kpalette.batch.job import Job, Recoloring
from kpalette.batch.manifest import Manifest
from kpalette.batch.run import default_workers, run_batch
from kpalette.cli.jobs import plan_jobs
from kpalette.cli.options import (
    check_model,
    check_one_stdin,
    edit_options,
    model_options,
    read_source,
    resolve_target,
    runtime_option,
    save_options,
    target_options,
)
from kpalette.cli.streams import FailuresError, set_up_streams, silent_stderr, write_stdout
from kpalette.color.names import parse_color
from kpalette.errors import one_line
from kpalette.files import remove_parts, write_file
from kpalette.images.files import SUFFIXES, check_output, format_of, suffix_of
from kpalette.palettes.presets import find_palette
from kpalette.parallel import MAX_WORKERS

_log = logging.getLogger(__name__)


@click.command()
@click.argument("inputs", metavar="INPUT...", nargs=-1, required=True)
@target_options
@model_options()
@edit_options
@runtime_option
@click.option("-o", "--output", metavar="FILE|DIR|-", help="Where to.  [default: STEM.recolored.EXT beside INPUT]")
@save_options
@click.option("-r", "--recursive", is_flag=True, help="Sub-folders too; -o DIR gets sub-folders of the same names.")
@click.option("-j", "--jobs", type=click.IntRange(1, MAX_WORKERS), help="Pictures at a time.  [default: one a core]")
@click.option("--resume", is_flag=True, help="Go on with an interrupted batch: what is done already is skipped.")
def recolor(
    inputs: tuple[str, ...], palette: str | None, like: str | None, colors: int | None, model: str,
    source: str | None, match: str, lightness: float | None, seed: int, runtime: str | None, output: str | None,
    background: str | None, strip: bool, force: bool, recursive: bool, jobs: int | None, resume: bool,
) -> None:  # fmt: skip
    """Put each INPUT into the colours of a palette.

    INPUT is a picture, a folder (its pictures, none that was recoloured before), or `-` for standard input. A folder or
    several INPUTs go to a folder, or each beside its source. Transparency, size and metadata are kept. One that cannot
    be done is reported at the end; the others go on.

    \b
    kpalette recolor photo.jpg -p "orange saddlebrown purple green"
    kpalette recolor photos/ -r --like painting.png -o recoloured/
    cat photo.png | kpalette recolor - -p nord > out.png
    """  # noqa: D301 - click needs the backspace itself
    planned = plan_jobs(inputs, output, recursive=recursive, force=force)
    check_one_stdin(like, *inputs)
    target = resolve_target(palette, like, colors)
    own = None if source is None else find_palette(source)
    if own is not None and len(own) < len(target):
        click.echo(f"note: --source has {len(own)} colours: so many of the palette's {len(target)} are used", err=True)
    if background is not None:
        parse_color(background)
    runtime = check_model(model, runtime)
    work = Recoloring(target, model, own, match, lightness, seed, background, strip, runtime, silent_stderr)
    if "-" in (planned[0].source, planned[0].destination):
        _stream(planned[0], work)
    elif len(planned) == 1 and not resume:
        click.echo(f"wrote {one_line(work(planned[0]))}", err=True)
    else:
        workers = jobs or default_workers(len(planned))
        _batch(planned, work, workers, resume=resume, output=output)


def _stream(job: Job, work: Recoloring) -> None:
    """Standard input or output, or both."""
    if job.destination != "-":
        check_output(Path(job.destination), overwrite=job.replace)
    picture = read_source(job.source)
    if job.destination == "-":
        write_stdout(work.encoded(picture, image_format=SUFFIXES[suffix_of(picture.format)]))
        return
    data = work.encoded(picture, image_format=format_of(job.destination))
    write_file(job.destination, data, overwrite=job.replace)
    click.echo(f"wrote {one_line(job.destination)}", err=True)


def _batch(planned: list[Job], work: Recoloring, workers: int, *, resume: bool, output: str | None) -> None:
    folders = [os.path.dirname(os.path.abspath(job.destination)) for job in planned if job.destination]
    record = _record(folders, output, work, resume) if folders else None
    failures: list[str] = []
    try:
        with _progress(len(planned)) as advance:
            for outcome in run_batch(planned, work, workers=workers, record=record, set_up=set_up_streams):
                if outcome.error is not None:
                    failures.append(one_line(outcome.error))
                    advance(f"{outcome.job.source}: failed")
                else:
                    advance(f"{outcome.destination} (done before)" if outcome.skipped else outcome.destination)
    finally:
        remove_parts(folders)
    if failures:
        raise FailuresError(f"{len(failures)} of {len(planned)} pictures failed:", failures)
    if record is not None and not resume and output is None:
        record.remove()


def _record(folders: list[str], output: str | None, work: Recoloring, resume: bool) -> Manifest | None:
    """The manifest, in the folder of -o or of the first result; none where it cannot be written."""
    record = Manifest(folders[0] if output is None else output, work.settings())
    if resume:
        record.read()
    if record.can_be_written():
        return record
    _log.warning("%s cannot be written: --resume will not know of this batch", record.path)
    return None


@contextmanager
def _progress(total: int) -> Iterator[Callable[[str], None]]:
    """A bar on a terminal, else a line for each picture; both on standard error."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        count = 0

        def say(text: str) -> None:
            nonlocal count
            count += 1
            click.echo(f"[{count}/{total}] {one_line(text)}", err=True)

        yield say
        return
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=total)

        def advance(text: str) -> None:
            bar.update(task, advance=1, description=one_line(Path(text).name))

        yield advance
