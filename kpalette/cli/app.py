"""The `kpalette` command: its group, and how errors become one line and an exit code."""

import contextlib
import logging
import os
import sys
import warnings
from collections.abc import Iterator

import click

from kpalette import __version__, image_codec
from kpalette.cli.about import demo, info
from kpalette.cli.inspect import compare, ssim
from kpalette.cli.lut import lut
from kpalette.cli.palettes import palette
from kpalette.cli.recolor import recolor
from kpalette.errors import KPaletteError

_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.group(context_settings=_SETTINGS)
@click.version_option(__version__, prog_name="kpalette")
def cli() -> None:
    """Put pictures into the colours you choose, with their structure kept."""


for command in (recolor, compare, palette, lut, ssim, demo, info):
    cli.add_command(command)


def main() -> None:
    """Runs the command line; exits 0, 1 (one line that says what went wrong), 2 (wrong usage) or 130 (Ctrl-C)."""
    _set_up_streams()
    try:
        cli.main(prog_name="kpalette", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("kpalette: stopped", err=True)
        sys.exit(130)
    except KPaletteError as error:
        click.echo(f"kpalette: error: {error}", err=True)
        sys.exit(1)
    except BrokenPipeError:
        # The reader went away (`kpalette ... | head`); the interpreter must not complain when it flushes stdout.
        _discard_stdout()
        sys.exit(1)
    except OSError as error:
        _discard_stdout()
        click.echo(f"kpalette: error: {error.filename or 'standard output'}: {error.strerror or error}", err=True)
        sys.exit(1)


def _set_up_streams() -> None:
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # closed by the caller (`>&-`)
            setattr(sys, name, open(os.devnull, mode))
    notes = logging.StreamHandler()
    notes.setFormatter(logging.Formatter("kpalette: note: %(message)s"))
    logging.getLogger("kpalette").handlers[:] = [notes]
    # Pillow warns of damaged metadata with a line of its own source; what matters is logged by kpalette.
    warnings.filterwarnings("ignore", module="PIL")
    logging.getLogger("PIL").setLevel(logging.CRITICAL + 1)
    image_codec.decoder_guard = _silent_stderr


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


def _discard_stdout() -> None:
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
