"""The `kpalette` command: its group, and how errors become one line and an exit code."""

import contextlib
import os
import signal
import sys

import click

from kpalette import __version__
from kpalette.cli.about import demo, info
from kpalette.cli.evaluate import evaluate
from kpalette.cli.export import export
from kpalette.cli.inspect import compare, ssim
from kpalette.cli.lut import lut
from kpalette.cli.palettes import palette
from kpalette.cli.recolor import recolor
from kpalette.cli.streams import FailuresError, set_up_streams
from kpalette.errors import KPaletteError, one_line

_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.group(context_settings=_SETTINGS)
@click.version_option(__version__, prog_name="kpalette")
def cli() -> None:
    """Put pictures into the colours you choose, with their structure kept."""


for command in (recolor, compare, palette, lut, ssim, evaluate, export, demo, info):
    cli.add_command(command)


def main() -> None:
    """Runs the command line; see `run`."""
    run(cli, name="kpalette")


def run(command: click.Command, *, name: str) -> None:
    """Runs a command; exits 0, 1 (one line that says what went wrong), 2 (wrong usage) or 130 (Ctrl-C).

    Args:
        command: takes its arguments from sys.argv.
        name: what it is called in its help.
    """
    set_up_streams()
    _heed_sigterm()
    try:
        command.main(prog_name=name, standalone_mode=False)
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
        click.echo(f"kpalette: error: {error if isinstance(error, FailuresError) else one_line(error)}", err=True)
        sys.exit(1)
    except BrokenPipeError:
        # The reader went away (`kpalette ... | head`); the interpreter must not complain when it flushes stdout.
        _discard_stdout()
        sys.exit(1)
    except OSError as error:
        _discard_stdout()
        click.echo(f"kpalette: error: {error.filename or 'standard output'}: {error.strerror or error}", err=True)
        sys.exit(1)


def _heed_sigterm() -> None:
    """Ends by an exception, so that what was begun is cleaned up."""

    def stop(*_: object) -> None:
        click.echo("kpalette: stopped", err=True)
        sys.exit(128 + signal.SIGTERM)

    with contextlib.suppress(ValueError):  # not in the main thread
        signal.signal(signal.SIGTERM, stop)


def _discard_stdout() -> None:
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
