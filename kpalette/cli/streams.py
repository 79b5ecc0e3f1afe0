"""Standard streams: what goes where, and what is kept from them."""

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
    """

    def __init__(self, summary: str, lines: Sequence[str]) -> None:
        """See the class."""
        super().__init__(summary + "".join(f"\n  {line}" for line in lines))


def set_up_streams() -> None:
    """Replaces closed streams, sets the form of notes, and silences the warnings of Pillow."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # closed by the caller (`>&-`)
            setattr(sys, name, open(os.devnull, mode))
    notes = logging.StreamHandler()
    notes.setFormatter(logging.Formatter("kpalette: note: %(message)s"))
    logging.getLogger("kpalette").handlers[:] = [notes]
    # Pillow warns of damaged metadata with a line of its own source; what matters is logged by kpalette.
    warnings.filterwarnings("ignore", module="PIL")
    logging.getLogger("PIL").setLevel(logging.CRITICAL + 1)


@contextlib.contextmanager
def silent_stderr() -> Iterator[None]:
    """Discards what C libraries print to standard error in a block: libtiff on damaged files, beside our one line."""
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
    """Writes bytes to standard output: to a file or pipe, never to a terminal."""
    if sys.stdout.isatty():
        raise click.UsageError("standard output is a terminal: give -o FILE, or redirect it into a file")
    if getattr(sys.stdout, "name", None) == os.devnull:  # as `set_up_streams` made it
        raise OutputError("standard output is closed")
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
