"""`train`: a whole run, from its config to the best weights."""

import os
from dataclasses import MISSING, fields, replace
from pathlib import Path

from kpalette.data.artbench import open_images
from kpalette.data.images import split
from kpalette.data.samples import Sampler
from kpalette.data.swatches import designed_palettes, extract_swatches
from kpalette.errors import ArgumentError, OutputError
from kpalette.files import reason, write_file
from kpalette.training.config import TrainConfig

CONFIG = "config.json"

_FREE = ("run", "resume", "threads", "previews")
"""What a resumed run may do otherwise: nothing that its loss curve depends on."""


def train(config: TrainConfig, *, quiet: bool = False) -> Path:
    """Trains PaletteNet, phase 1 or 2, into a run folder.

    The folder holds config.json, log.csv (a row for each epoch), tensorboard/, previews/, backup/ (the last two epochs,
    from which a killed run goes on) and best/, a checkpoint of the weights that did best on the selection split. The
    Keras backend is the one that KERAS_BACKEND names: tensorflow or jax.

    Args:
        config: everything that decides the run; with `resume`, what differs from the run's own config is an error.
        quiet: whether nothing is said on standard error.

    Returns:
        The checkpoint of the best weights.

    Raises:
        ArgumentError: if the config does not fit the run that is resumed, or what phase 2 starts from.
        ImageError: if there are no pictures that can be read.
        OutputError: if the folder holds a run already, or cannot be written.
        KPaletteError: if a loss is no number any more; backups and best weights stay.
    """
    config = _resumed(config) if config.resume else _begun(config)
    training, selection, notes = _samplers(config)
    # Keras takes seconds to import: not before everything else is known to be right.
    from kpalette.training.loop import Run

    run = Run(config, training, selection, quiet=quiet)
    for note in notes:
        run.talk.say(note)
    return run.train()


def _begun(config: TrainConfig) -> TrainConfig:
    path = config.folder / CONFIG
    if path.exists():
        raise OutputError(f"{config.folder} holds a run already: --resume goes on with it, --run names another folder")
    return config


def _resumed(config: TrainConfig) -> TrainConfig:
    """The run's own config, with what may be otherwise taken from the one given."""
    path = config.folder / CONFIG
    if not path.is_file():
        raise ArgumentError(f"{config.folder} holds no run to resume: {path} does not exist")
    own = TrainConfig.from_json(path)
    unset = TrainConfig(phase=config.phase, start_from=own.start_from)
    for field in fields(TrainConfig):
        asked, before = getattr(config, field.name), getattr(own, field.name)
        default = field.default if field.default is not MISSING else None
        if field.name in _FREE or asked in (before, default, getattr(unset, field.name)):
            continue
        raise ArgumentError(
            f"the run in {config.folder} has {field.name} {before!r}, not {asked!r}: leave it out to resume, or give "
            "another folder to start anew"
        )
    return replace(own, **{name: getattr(config, name) for name in _FREE})


def _samplers(config: TrainConfig) -> tuple[Sampler, Sampler, list[str]]:
    """Training and selection samples, and what is to be said of the pictures."""
    images = open_images(config.images)
    if "train" in images.splits:
        images = images.subset(i for i, part in enumerate(images.splits) if part == "train")
    designed = designed_palettes(config.palettes, part="train")
    size = config.image_size or round(config.crop * 4 / 3)
    samplers, skipped = [], list(images.skipped)
    for part in split(images, share=config.selection_share):
        usable, swatches, left_out = extract_swatches(part)
        skipped += left_out
        samplers.append(
            Sampler(usable, swatches, designed, config.crop, size, config.shuffle, config.natural, config.seed)
        )
    _write_config(config)
    counts = " and ".join(str(len(sampler.images)) for sampler in samplers)
    notes = [f"{counts} pictures for training and selection, {len(skipped)} skipped"]
    return samplers[0], samplers[1], [*notes, *(f"skipped {line}" for line in skipped[:20])]


def _write_config(config: TrainConfig) -> None:
    try:
        os.makedirs(config.folder / "backup", exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make {config.folder}: {reason(error)}") from None
    if not config.resume:
        write_file(config.folder / CONFIG, config.to_json().encode(), overwrite=False)
