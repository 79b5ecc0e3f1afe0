"""The command `python -m kpalette.train`; the function `train` is in `kpalette.training.run`.

Importing this module replaces the function `kpalette.train` by the module. So the module can be called too, and
`kpalette.train(config)` works in every case.
"""

import re
import sys
from collections.abc import Callable
from dataclasses import Field, fields, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import click

from kpalette.cli.app import run
from kpalette.cli.streams import silent_stderr
from kpalette.errors import ArgumentError, KPaletteError
from kpalette.training.config import CHOICES, TrainConfig, describe, read_entries
from kpalette.training.run import FREE, check_same, read_config, train

_FLAGS = {name: f"--{name}/--no-{name}" for name in ("discriminator", "shuffle", "smooth")}
_NAMES = {"start_from": "--from"}


def _option(field: "Field[Any]", text: str) -> Callable[[Any], Any]:
    """The command line option of a field of `TrainConfig`, with the field's docstring as help."""
    name = _FLAGS.get(field.name) or _name(field.name)
    shown: dict[str, Any] = {"show_default": field.default is not None and field.default is not False}
    if field.name in _FLAGS or field.name == "resume":
        return click.option(name, field.name, is_flag=True, default=field.default, help=text, **shown)
    kind: Any = click.Choice(CHOICES[field.name]) if field.name in CHOICES else _kind(str(field.type))
    return click.option(name, field.name, type=kind, default=field.default, help=text, **shown)


def _name(field: str) -> str:
    return _NAMES.get(field) or "--" + field.replace("_", "-")


def _kind(annotation: str) -> type:
    return next((kind for name, kind in (("float", float), ("int", int)) if name in annotation), str)


def _with_options(function: Callable[..., None]) -> Callable[..., None]:
    texts = describe()
    for field in reversed(fields(TrainConfig)):
        function = _option(field, texts[field.name])(function)
    return function


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@_with_options
@click.option(
    "--config",
    metavar="FILE",
    help="JSON file of options: best.json of a search or config.json of a run. Options given here override it.",
)
@click.option("--quiet", is_flag=True, help="Print only errors on standard error.")
def command(config: str | None, quiet: bool, **options: Any) -> None:
    """Train PaletteNet into a run folder.

    \b
    python -m kpalette.train --phase adversarial          # from the phase 1 that ships, on the embedded pictures
    python -m kpalette.train --phase pretrain --images PICTURES --run runs/one
    python -m kpalette.train --phase adversarial --from runs/one --images PICTURES --run runs/two
    """  # noqa: D301
    source = click.get_current_context().get_parameter_source
    given = {name: value for name, value in options.items() if source(name) is click.core.ParameterSource.COMMANDLINE}
    try:
        settings = _settings(config, options, given)
        best: Path = train(settings, quiet=quiet, guard=silent_stderr)
    except KPaletteError as error:
        raise KPaletteError(_in_option_words(str(error))) from None
    click.echo(best)


def _settings(config: str | None, options: dict[str, Any], given: dict[str, Any]) -> TrainConfig:
    settings = TrainConfig(**options) if config is None else _from_file(Path(config), given)
    if not settings.resume:
        return settings
    own = read_config(settings.folder)
    check_same(settings, own, list(given))
    # Options that were not given are the run's own, not the defaults; the folder may have been moved.
    return replace(own, **{name: getattr(settings, name) for name in FREE if name in (*given, "run")})


def _in_option_words(message: str) -> str:
    """An error message with options in place of the fields of `TrainConfig`."""
    names = {field.name for field in fields(TrainConfig)}
    return re.sub(r"`(\w+)`", lambda found: _name(found[1]) if found[1] in names else found[0], message)


def _from_file(path: Path, given: dict[str, Any]) -> TrainConfig:
    """The options of a file, overridden by the given ones; adds the file's options to `given`."""
    entries = {name: value for name, value in read_entries(path).items() if name not in ("run", "resume")}
    merged = {**entries, **given}
    try:
        config = TrainConfig(**merged)
    except ArgumentError as error:
        raise ArgumentError(f"with the options of {path}: {error}") from None
    given |= {name: value for name, value in merged.items() if name not in FREE}
    return config


class _Callable(ModuleType):
    def __call__(self, config: TrainConfig, *, quiet: bool = False) -> Path:
        return train(config, quiet=quiet)


sys.modules[__name__].__class__ = _Callable

if __name__ == "__main__":
    run(command, name="python -m kpalette.train")
