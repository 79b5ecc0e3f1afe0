"""From the arguments of `recolor` to the pictures it reads and the files it writes."""

import os
from collections.abc import Iterator
from pathlib import Path

import click

from kpalette.batch.job import Job
from kpalette.images.files import SUFFIXES, format_of, suffix_of

_MARK = ".recolored"
_MARKS = (_MARK, ".compare")  # what kpalette itself writes beside pictures
_KEPT_SUFFIXES = {suffix for suffix, form in SUFFIXES.items() if SUFFIXES[suffix_of(form)] == form}


def plan_jobs(inputs: tuple[str, ...], output: str | None, *, recursive: bool, force: bool) -> list[Job]:
    """The jobs that INPUTs and -o ask for.

    An empty folder stays a job, which will fail when its turn comes, so that the others go on.

    Args:
        inputs: files, folders, or "-" alone.
        output: a file, a folder, "-", or None for beside each source.
        recursive: whether sub-folders count; their results lie in sub-folders of `output` of the same names.
        force: whether results may replace files.

    Returns:
        Jobs in order, each source once; destination "-" is standard output.

    Raises:
        UsageError: where inputs and output do not fit, or two results would have one name.
        OutputError: where `output` is a file name of no known format.
    """
    if "" in inputs or output == "":
        raise click.UsageError("an empty name: is a variable unset?")
    many = len(inputs) > 1 or (inputs[0] != "-" and os.path.isdir(inputs[0]))
    _check(inputs, output, many)
    jobs: list[Job] = []
    seen: dict[str, str] = {}
    sources: set[str] = set()
    for name, below in (found for given in inputs for found in _pictures_of(given, recursive)):
        if name in sources:
            continue
        sources.add(name)
        destination = _destination(name, below, output, many)
        if destination and destination in seen:
            raise click.UsageError(f"{seen[destination]} and {name} would both be written to {destination}")
        seen[destination] = name
        jobs.append(Job(name, destination, force))
    return jobs


def _check(inputs: tuple[str, ...], output: str | None, many: bool) -> None:
    if many and "-" in inputs:
        raise click.UsageError("standard input (`-`) stands alone: no other INPUT beside it")
    if output is None:
        return
    if inputs == ("-",) and (Path(output).is_dir() or output.endswith("/")):
        raise click.UsageError(f"standard input has no name of its own: give -o a file name in {output}")
    if many and output == "-":
        raise click.UsageError("-o - writes one picture: several INPUTs need a folder")
    if not many and output != "-" and not (Path(output).is_dir() or output.endswith("/")):
        format_of(output)
    if many and (Path(output).is_file() or Path(output).suffix.lower() in SUFFIXES):
        raise click.UsageError(f"several INPUTs go to a folder, and {output} is a file name")


def _pictures_of(given: str, recursive: bool) -> Iterator[tuple[str, str]]:
    """Pictures, each with the sub-folder of `given` that it lies in."""
    if not os.path.isdir(given):  # which, unlike Path.is_dir, takes names of any length
        yield given, ""
        return
    empty = True
    unreadable: list[str] = []
    for folder, folders, files in os.walk(given, onerror=lambda error: unreadable.append(str(error.filename))):
        folders[:] = sorted(name for name in folders if not name.startswith(".")) if recursive else []
        for name in sorted(files):
            path = Path(folder, name)
            if path.suffix.lower() in SUFFIXES and not path.stem.endswith(_MARKS) and not name.startswith("."):
                empty = False
                yield str(path), os.path.relpath(folder, given)
    for folder in unreadable:
        yield folder, ""  # which will say so
    if empty and not unreadable:
        yield given, ""


def _destination(name: str, below: str, output: str | None, many: bool) -> str:
    if name == "-":
        return output or "-"
    path = Path(name)
    if os.path.isdir(name):
        return ""
    suffix = path.suffix.lower()
    # Without a suffix that can be written, what the file turns out to be decides. A GIF becomes a PNG, and keeps its
    # suffix in the name, since a PNG of the same stem often lies beside it.
    kept = path.suffix if suffix in _KEPT_SUFFIXES else suffix_of(SUFFIXES[suffix]) if suffix in SUFFIXES else ""
    stem = path.stem if suffix in _KEPT_SUFFIXES else path.name
    marked = f"{stem}{_MARK}{kept}"
    if output is None:
        return str(path.with_name(marked))
    if many or Path(output).is_dir() or output.endswith("/"):
        return str(Path(output, below, marked))
    return output
