"""The `kpalette` command: its group, and how errors become one line and an exit code."""

import logging
import os
import sys

import click

from kpalette import __version__
from kpalette.cli.about import demo, info
from kpalette.cli.inspect import compare, palette, ssim
from kpalette.cli.recolor import recolor
from kpalette.errors import KPaletteError

_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.group(context_settings=_SETTINGS)
@click.version_option(__version__, prog_name="kpalette")
def cli() -> None:
    """Put pictures into the colours you choose, with their structure kept."""


for command in (recolor, compare, palette, ssim, demo, info):
    cli.add_command(command)


def main() -> None:
    """Runs the command line; exits 0, 1 (one line that says what went wrong), 2 (wrong usage) or 130 (Ctrl-C)."""
    notes = logging.StreamHandler()
    notes.setFormatter(logging.Formatter("kpalette: note: %(message)s"))
    logging.getLogger("kpalette").addHandler(notes)
    try:
        cli.main(prog_name="kpalette", standalone_mode=False)
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
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
