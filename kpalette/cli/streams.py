"""Standard streams: what goes where, and what is kept from them."""

import contextlib
import logging
import os
import sys
import warnings
from collections.abc import Iterator, Sequence

import click

from kpalette.errors import KPaletteError, OutputError
from kpalette.images import decode as image_decode

_closed: set[str] = set()


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
    """Makes missing streams, gives notes their form, and keeps what libraries print of damaged files to themselves."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # closed by the caller (`>&-`)
            setattr(sys, name, open(os.devnull, mode))
            _closed.add(name)
    notes = logging.StreamHandler()
    notes.setFormatter(logging.Formatter("kpalette: note: %(message)s"))
    logging.getLogger("kpalette").handlers[:] = [notes]
    # Pillow warns of damaged metadata with a line of its own source; what matters is logged by kpalette.
    warnings.filterwarnings("ignore", module="PIL")
    logging.getLogger("PIL").setLevel(logging.CRITICAL + 1)
    image_decode.decoder_guard = _silent_stderr


@contextlib.contextmanager
def _silent_stderr() -> Iterator[None]:
    """Keeps what C libraries (libtiff) print of damaged files from standing beside the one line of ours."""
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
    if "stdout" in _closed:
        raise OutputError("standard output is closed")
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
