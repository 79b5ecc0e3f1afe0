"""`python -m kpalette.train`: trains PaletteNet. The function is `kpalette.training.run.train`.

The package's public name `train` is that function, and so is this module when it is called: `kpalette.train(config)`
works whatever was imported before.
"""

import sys
from collections.abc import Callable
from dataclasses import Field, fields, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import click

from kpalette.cli.app import run
from kpalette.errors import ArgumentError
from kpalette.training.config import CHOICES, TrainConfig, describe, read_entries
from kpalette.training.run import FREE, check_same, read_config, train

_FLAGS = {name: f"--{name}/--no-{name}" for name in ("discriminator", "shuffle", "smooth")}
_NAMES = {"start_from": "--from", "resume": "--resume"}


def _option(field: "Field[Any]", text: str) -> Callable[[Any], Any]:
    """The option of a field of `TrainConfig`: its name, its type, its own words."""
    name = _FLAGS.get(field.name) or _NAMES.get(field.name) or "--" + field.name.replace("_", "-")
    shown: dict[str, Any] = {"show_default": field.default is not None and field.default is not False}
    if field.name in _FLAGS or field.name == "resume":
        return click.option(name, field.name, is_flag=True, default=field.default, help=text, **shown)
    kind: Any = click.Choice(CHOICES[field.name]) if field.name in CHOICES else _kind(str(field.type))
    return click.option(name, field.name, type=kind, default=field.default, help=text, **shown)


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
    help="Options as JSON, best.json of a search or config.json of a run; those given here win.",
)
@click.option("--quiet", is_flag=True, help="Say nothing on standard error but errors.")
def command(config: str | None, quiet: bool, **options: Any) -> None:
    """Train PaletteNet into a run folder.

    \b
    python -m kpalette.train --phase pretrain --images PICTURES --run runs/one
    python -m kpalette.train --phase adversarial --from runs/one --images PICTURES --run runs/two
    """  # noqa: D301
    source = click.get_current_context().get_parameter_source
    given = {name: value for name, value in options.items() if source(name) is click.core.ParameterSource.COMMANDLINE}
    settings = TrainConfig(**options) if config is None else _from_file(Path(config), given)
    if settings.resume:
        own = read_config(settings.folder)
        check_same(settings, own, list(given))
        # What was left out is the run's own, not the default.
        settings = replace(own, **{name: getattr(settings, name) for name in FREE if name in given})
    best: Path = train(settings, quiet=quiet)
    click.echo(best)


def _from_file(path: Path, given: dict[str, Any]) -> TrainConfig:
    """What a file holds, but for where its run went, and over it what was given; `given` grows by the file's."""
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
