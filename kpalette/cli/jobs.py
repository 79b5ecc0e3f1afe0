"""The jobs of `recolor`: which pictures it reads and which files it writes, by its arguments."""

import os
from collections.abc import Iterator
from pathlib import Path

import click

from kpalette.batch.job import Job
from kpalette.images.files import SUFFIXES, format_of, suffix_of

_MARK = ".recolored"
_MARKS = (_MARK, ".compare")  # end the stems of results, which are not read again
_KEPT_SUFFIXES = {suffix for suffix, form in SUFFIXES.items() if SUFFIXES[suffix_of(form)] == form}


def plan_jobs(inputs: tuple[str, ...], output: str | None, *, recursive: bool, force: bool) -> list[Job]:
    """Makes the jobs for INPUTs and -o.

    An empty folder becomes a job that fails, so that the other jobs are still done.

    Args:
        inputs: files, folders, or "-" alone.
        output: a file, a folder, "-", or None: then each result is beside its source.
        recursive: whether to read sub-folders; their results are in sub-folders of `output` of the same names.
        force: whether results may replace files.

    Returns:
        The jobs in order, each source once. Destination "-" is standard output.

    Raises:
        UsageError: if inputs and output contradict each other, or two results would have one name.
        OutputError: if the format of the file `output` is not known.
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
    """Raises an error if inputs and output contradict each other."""
    if many and "-" in inputs:
        raise click.UsageError("standard input (`-`) must be the only INPUT")
    if output is None:
        return
    if inputs == ("-",) and (Path(output).is_dir() or output.endswith("/")):
        raise click.UsageError(f"standard input has no name: give -o a file name in {output}")
    if many and output == "-":
        raise click.UsageError("-o - writes one picture: several INPUTs need a folder, -o DIR")
    if not many and output != "-" and not (Path(output).is_dir() or output.endswith("/")):
        format_of(output)
    if many and (Path(output).is_file() or Path(output).suffix.lower() in SUFFIXES):
        raise click.UsageError(f"several INPUTs need a folder, -o DIR, and {output} is a file name")


def _pictures_of(given: str, recursive: bool) -> Iterator[tuple[str, str]]:
    """The pictures of an INPUT, each with its sub-folder of `given`."""
    if not os.path.isdir(given):  # takes names of any length; Path.is_dir does not
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
        yield folder, ""  # a job that fails, with the reason
    if empty and not unreadable:
        yield given, ""


def _destination(name: str, below: str, output: str | None, many: bool) -> str:
    """The file of the result; "" for a folder, "-" for standard output."""
    if name == "-":
        return output or "-"
    path = Path(name)
    if os.path.isdir(name):
        return ""
    suffix = path.suffix.lower()
    # A file without a known suffix: the job adds that of its format. A GIF becomes a PNG with .gif in its name, since
    # there often is a PNG of the same stem.
    kept = path.suffix if suffix in _KEPT_SUFFIXES else suffix_of(SUFFIXES[suffix]) if suffix in SUFFIXES else ""
    stem = path.stem if suffix in _KEPT_SUFFIXES else path.name
    marked = f"{stem}{_MARK}{kept}"
    if output is None:
        return str(path.with_name(marked))
    if many or Path(output).is_dir() or output.endswith("/"):
        return str(Path(output, below, marked))
    return output
