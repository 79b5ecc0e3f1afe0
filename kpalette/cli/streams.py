"""Standard streams: notes, errors and bytes, and what must not be printed."""

import contextlib
import logging
import os
import sys
import warnings
from collections.abc import Iterator, Sequence

import click

from kpalette.errors import KPaletteError, OutputError


class FailuresError(KPaletteError):
    """Several errors at once, a line for each.

    Args:
        summary: the first line.
        lines: one for each error.

    Example:
        >>> print(FailuresError("1 of 2 pictures failed:", ["a.png does not exist"]))
        1 of 2 pictures failed:
          a.png does not exist
    """

    def __init__(self, summary: str, lines: Sequence[str]) -> None:
        """See the class."""
        super().__init__(summary + "".join(f"\n  {line}" for line in lines))


def set_up_streams() -> None:
    """Replaces closed streams, sets how notes are printed, and silences the warnings of Pillow."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # closed by the caller (`>&-`)
            setattr(sys, name, open(os.devnull, mode))
    notes = logging.StreamHandler()
    notes.setFormatter(logging.Formatter("kpalette: note: %(message)s"))
    logging.getLogger("kpalette").handlers[:] = [notes]
    logging.getLogger("kpalette").setLevel(logging.NOTSET)
    # Pillow's warnings of damaged metadata print a line of its source. kpalette logs what matters.
    warnings.filterwarnings("ignore", module="PIL")
    logging.getLogger("PIL").setLevel(logging.CRITICAL + 1)


@contextlib.contextmanager
def silent_stderr() -> Iterator[None]:
    """Discards what C libraries print to standard error in a block, as libtiff does for damaged files."""
    try:
        kept = os.dup(2)
    except OSError:  # closed by the caller
        yield
        return
    sink = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(sink, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(sink)


def write_stdout(data: bytes) -> None:
    """Writes bytes to standard output; a usage error if that is a terminal."""
    if sys.stdout.isatty():
        raise click.UsageError("standard output is a terminal: give -o FILE, or redirect it into a file")
    if getattr(sys.stdout, "name", None) == os.devnull:  # as `set_up_streams` made it
        raise OutputError("standard output is closed")
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
