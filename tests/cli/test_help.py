"""Help texts, shell completion, and errors in the words of the command line."""

import os
import re
import subprocess
import sys

import click
import pytest

from kpalette.cli.app import _COMMANDS, cli
from kpalette.recolorers.registry import list_color_maps, list_recolorers

COMMANDS = {(): cli, **{(name,): cli.get_command(click.Context(cli), name) for name in _COMMANDS}}


def words(text: str) -> str:
    """A text with one space between words, wherever its lines ended."""
    return " ".join(text.split())


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_has_help_by_both_names(kp, path):
    for flag in ("-h", "--help"):
        result = kp(*path, flag)
        assert result.code == 0
        assert result.text.startswith(words(f"Usage: kpalette {' '.join(path)} ["))
    for option in COMMANDS[path].params:
        if isinstance(option, click.Option):
            assert option.help, f"{path} {option.name} has no help"


def test_the_list_of_commands_has_the_whole_first_sentence_of_each(kp):
    listed = words(kp("-h").text.split("Commands:")[1])
    lines = {name: words(COMMANDS[name,].help.split("\n\n")[0]) for name in _COMMANDS}
    assert listed == " ".join(f"{name} {line}" for name, line in lines.items())
    assert all(line.endswith(".") and ". " not in line for line in lines.values())
    assert {name: line for name, (_, line) in _COMMANDS.items()} == lines


LISTING = """
import sys
from kpalette.__main__ import main
try:
    main()
finally:
    print([name for name in ("numpy", "cv2", "PIL", "kpalette.recolorers") if name in sys.modules])
"""


@pytest.mark.parametrize("arguments", [["-h"], ["--version"], []])
def test_the_list_of_commands_imports_no_numpy(arguments):
    done = subprocess.run([sys.executable, "-c", LISTING, *arguments], capture_output=True, text=True)
    assert "Traceback" not in done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


def test_only_colour_maps_are_offered_as_tables(kp):
    text = words(kp("lut", "-h").text)
    assert f"--model [{'|'.join(list_color_maps())}]" in text
    assert "palettenet" not in text
    assert f"--model [{'|'.join(list_recolorers())}]" in words(kp("recolor", "-h").text)


@pytest.mark.parametrize("command", ["recolor a.png -p", "compare a.png -p", "lut a.png -p", "palette -p"])
@pytest.mark.parametrize("option", ["-p", "--palette"])
def test_the_shell_completes_presets_and_files(command, option):
    line = f"kpalette {command.replace('-p', option)} no"
    settings = {
        "_KPALETTE_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": str(len(line.split()) - 1)
    }  # fmt: skip
    script = [sys.executable, "-c", "import sys; sys.argv[0] = 'kpalette'; from kpalette.cli.app import main; main()"]
    done = subprocess.run(script, env={**os.environ, **settings}, capture_output=True, text=True)
    assert done.stderr == ""
    assert "plain,nord" in done.stdout.splitlines()
    assert "file,no" in done.stdout.splitlines()
    assert not re.search("^plain,(?!no)", done.stdout, re.MULTILINE)


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("kpalette evaluate -m nothing", "--model must be among palettenet, ablated, soft, fitted, baseline, or "),
        ("kpalette evaluate -m soft -m soft", "--model must hold each recolorer once. Received twice: 'soft'"),
        ("kpalette.train --filters 0", "--filters must be a positive whole number. Received: 0"),
    ],
)
def test_errors_name_options(command, message):
    done = subprocess.run([sys.executable, "-m", *command.split()], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith(f"kpalette: error: {message}")
    assert len(done.stderr.splitlines()) == 1
