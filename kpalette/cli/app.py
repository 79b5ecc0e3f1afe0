"""The `kpalette` command: the group of all commands. Errors become one line and an exit code."""

import contextlib
import importlib
import os
import signal
import sys

import click

from kpalette import __version__
from kpalette.cli.streams import FailuresError, set_up_streams
from kpalette.cli.words import error_text
from kpalette.errors import KPaletteError, one_line

_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}

_COMMANDS = {
    "recolor": ("recolor", "Put each INPUT into the colours of a palette."),
    "compare": ("inspect", "Recolour IMAGE with every recolorer, print their figures, and write a labelled sheet."),
    "palette": ("palettes", "Print the colours of IMAGE, darkest first, or of a preset or palette file."),
    "lut": ("lut", "Write a recolouring of IMAGE as a colour look-up table for video and photo programs."),
    "ssim": ("inspect", "Print the structural similarity (SSIM) of A and B; 1 is identical."),
    "evaluate": ("evaluate", "Measure recolorers and reference rows on IMAGES, or on the sample pictures."),
    "export": ("export", "Write a trained network as an ONNX file or a SavedModel."),
    "demo": ("about", "Recolour a sample picture with every recolorer, and write a labelled sheet."),
    "info": ("about", "Print versions, recolorers, formats and limits: what a bug report needs."),
}
"""Each command with its module, which is imported when it is run, and its line in the list: its first sentence."""


class _Commands(click.Group):
    """The group of all commands. Their modules are imported only when they run."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all commands, in the order of the list."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name, whose module is imported; None if there is no such command."""
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"kpalette.cli.{_COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the list of commands. Click would import them, and cut their lines."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in _COMMANDS.items()])


@click.group(cls=_Commands, context_settings=_SETTINGS)
@click.version_option(__version__, prog_name="kpalette")
def cli() -> None:
    """Put pictures into the colours you choose, with their structure kept."""


def main() -> None:
    """Runs the command line; see `run`."""
    run(cli, name="kpalette")


def run(command: click.Command, *, name: str) -> None:
    """Runs a command and exits: 0 is done, 1 an error (one line), 2 wrong usage, 130 stopped by Ctrl-C.

    Args:
        command: the command; its arguments are in `sys.argv`.
        name: its name in its help.
    """
    set_up_streams()
    _exit_on_sigterm()
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
        text = (
            str(error)
            if isinstance(error, FailuresError)
            else one_line(error_text(error, parameters=_parameters(command)))
        )
        click.echo(f"kpalette: error: {text}", err=True)
        sys.exit(1)
    except BrokenPipeError:
        # The reader of a pipe is gone (`kpalette ... | head`). Python must not fail when it flushes stdout at exit.
        _discard_stdout()
        sys.exit(1)
    except OSError as error:
        _discard_stdout()
        click.echo(f"kpalette: error: {error.filename or 'standard output'}: {error.strerror or error}", err=True)
        sys.exit(1)


def _parameters(command: click.Command) -> list[click.Parameter]:
    """The parameters of a command; for the group, of the command that was called."""
    if isinstance(command, click.Group):
        name = next((argument for argument in sys.argv[1:] if argument in _COMMANDS), "")
        command = command.get_command(click.Context(command), name) or command
    return command.params


def _exit_on_sigterm() -> None:
    """Turns SIGTERM into an exception, so that unfinished files are removed."""

    def stop(*_: object) -> None:
        click.echo("kpalette: stopped", err=True)
        sys.exit(128 + signal.SIGTERM)

    with contextlib.suppress(ValueError):  # not in the main thread
        signal.signal(signal.SIGTERM, stop)


def _discard_stdout() -> None:
    """Sends what is still in the buffer of standard output to nowhere."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
