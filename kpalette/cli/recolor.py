"""`recolor`: one picture, many, whole folders, or standard input to standard output."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from kpalette.cli.options import check_one_stdin, edit_options, read_source, resolve_target, target_options
from kpalette.errors import ImageError, KPaletteError, OutputError
from kpalette.image_codec import encode_image
from kpalette.image_files import SUFFIXES, check_output, write_image
from kpalette.palette import Palette
from kpalette.recoloring import DEFAULT_MODEL, list_recolorers
from kpalette.recoloring import recolor as recolor_image

_MARK = ".recolored"
_MARKS = (_MARK, ".compare")  # what kpalette itself writes beside pictures


@click.command()
@click.argument("inputs", metavar="INPUT...", nargs=-1, required=True)
@target_options
@click.option(
    "-m",
    "--model",
    type=click.Choice(list_recolorers()),
    default=DEFAULT_MODEL,
    show_default=True,
    help="Who recolours.",
)
@edit_options
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the palette extraction.")
@click.option("-o", "--output", metavar="FILE|DIR|-", help="Where to.  [default: STEM.recolored.EXT beside INPUT]")
@click.option("--force", is_flag=True, help="Replace files that exist.")
def recolor(
    inputs: tuple[str, ...], palette: str | None, like: str | None, colors: int | None, model: str,
    source: str | None, match: str, lightness: float | None, seed: int, output: str | None, force: bool,
) -> None:  # fmt: skip
    """Put each INPUT into the colours of a palette.

    INPUT is a picture, a folder (its pictures, not those of its sub-folders, and none that was recoloured before), or
    `-` for standard input. A folder or several INPUTs go to a folder, or each beside its source. Transparency, size
    and metadata are kept. One that cannot be done is reported at the end; the others go on.

    \b
    kpalette recolor photo.jpg -p "orange saddlebrown purple green"
    kpalette recolor photos/ --like painting.png -o recoloured/
    cat photo.png | kpalette recolor - -p "264653 2a9d8f e9c46a e76f51" > out.png
    """  # noqa: D301 - click needs the backspace itself
    if "" in inputs or output == "":
        raise click.UsageError("an empty name: is a variable unset?")
    check_one_stdin(like, *inputs)
    target = resolve_target(palette, like, colors)
    own = None if source is None else Palette.parse(source)

    def work(name: str, destination: str) -> str:
        if os.path.isdir(name):
            raise ImageError(f"{name} holds no pictures ({', '.join(sorted(SUFFIXES))})")
        given = Path(destination).suffix.lower() in SUFFIXES or output is not None
        if given and destination != "-":
            check_output(Path(destination), overwrite=force)
        picture = read_source(name)
        if not given and destination != "-":
            # A name without a suffix that can be written: what the file turned out to be decides.
            destination += next(suffix for suffix, form in SUFFIXES.items() if form == picture.format)
        done = recolor_image(picture, target, model=model, source=own, match=match, lightness=lightness, seed=seed)
        if destination == "-":
            _write_stdout(encode_image(done, image_format=done.format))
        else:
            _make_parent(Path(destination))
            write_image(Path(destination), done, overwrite=force)
        return destination

    _run(_jobs(inputs, output), work)


def _write_stdout(data: bytes) -> None:
    if sys.stdout.isatty():
        raise click.UsageError("standard output is a terminal: give -o FILE, or redirect it into a file")
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _jobs(inputs: tuple[str, ...], output: str | None) -> list[tuple[str, str]]:
    """Pairs of input and destination; a usage error where destinations would clash."""
    names = list(dict.fromkeys(name for given in inputs for name in _pictures_of(given)))
    many = len(inputs) > 1 or (inputs[0] != "-" and os.path.isdir(inputs[0]))
    if names == ["-"] and output is not None and (Path(output).is_dir() or output.endswith("/")):
        raise click.UsageError(f"standard input has no name of its own: give -o a file name in {output}")
    if many and "-" in inputs:
        raise click.UsageError("standard input (`-`) stands alone: no other INPUT beside it")
    if many and output == "-":
        raise click.UsageError("-o - writes one picture: several INPUTs need a folder")
    if many and output is not None and (Path(output).is_file() or Path(output).suffix.lower() in SUFFIXES):
        raise click.UsageError(f"several INPUTs go to a folder, and {output} is a file name")
    jobs = [(name, _destination(name, output, many)) for name in names]
    seen: dict[str, str] = {}
    for name, destination in jobs:
        if destination and destination in seen:
            raise click.UsageError(f"{seen[destination]} and {name} would both be written to {destination}")
        seen[destination] = name
    return jobs


def _pictures_of(given: str) -> list[str]:
    if not os.path.isdir(given):  # which, unlike Path.is_dir, takes names of any length
        return [given]
    found = sorted(
        str(path)
        for path in Path(given).iterdir()
        if path.suffix.lower() in SUFFIXES and not path.stem.endswith(_MARKS) and path.is_file()
    )
    # An empty folder fails when its turn comes, so that the others go on.
    return found or [given]


def _destination(name: str, output: str | None, many: bool) -> str:
    if name == "-":
        return output or "-"
    path = Path(name)
    if os.path.isdir(name):
        return ""  # an empty folder, which will say so
    marked = f"{path.stem}{_MARK}{path.suffix}"
    if output is None:
        return str(path.with_name(marked))
    if many or Path(output).is_dir() or output.endswith("/"):
        return str(Path(output) / marked)
    return output


def _run(jobs: list[tuple[str, str]], work: Callable[[str, str], str]) -> None:
    if len(jobs) == 1:
        destination = work(*jobs[0])
        if destination != "-":
            click.echo(f"wrote {destination}", err=True)
        return
    failures: list[str] = []
    with _progress(len(jobs)) as advance:
        for name, destination in jobs:
            try:
                advance(work(name, destination))
            except (KPaletteError, OSError) as error:
                failures.append(str(error) if name in str(error) else f"{name}: {error}")
                advance(f"{name}: failed")
    if failures:
        lines = "".join(f"\n  {line}" for line in failures)
        raise KPaletteError(f"{len(failures)} of {len(jobs)} pictures failed:{lines}")


def _make_parent(destination: Path) -> None:
    """Makes the folder that a picture goes to, once there is a picture."""
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make the folder {destination.parent}: {error.strerror}") from None


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
            click.echo(f"[{count}/{total}] {text}", err=True)

        yield say
        return
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=total)

        def advance(text: str) -> None:
            bar.update(task, advance=1, description=Path(text).name)

        yield advance
