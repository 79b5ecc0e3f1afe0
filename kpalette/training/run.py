"""`train`: a whole run, from its config to the best weights."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from kpalette.data.designed import designed_palettes
from kpalette.data.image_set import split
from kpalette.data.samples import Sampler, default_size
from kpalette.data.sources import open_images
from kpalette.data.swatches import extract_swatches
from kpalette.errors import ArgumentError, OutputError, reason
from kpalette.files import hold_lock, write_file
from kpalette.models.backend import import_keras
from kpalette.training.config import CONFIG, TrainConfig
from kpalette.weights.config import BEST
from kpalette.weights.folder import read_checkpoint

FREE = ("run", "resume", "threads", "previews")
"""What a resumed run may do otherwise: nothing that its loss curve depends on."""

LOCK = ".lock"
"""Of a run folder, held while a process trains there."""

_SILENCE = 10.0  # seconds between lines on the palettes' extraction


def train(config: TrainConfig, *, quiet: bool = False) -> Path:
    """Trains PaletteNet, phase 1 or 2, into a run folder.

    The folder holds config.json, log.csv (a row for each epoch), tensorboard/, previews/, backup/ (the last two epochs,
    from which a killed run goes on) and best/, a checkpoint of the weights that did best on the selection split. The
    Keras backend is the one that KERAS_BACKEND names, tensorflow or jax; unless told, JAX where TensorFlow is missing.

    Args:
        config: everything that decides the run; with `resume`, the run's own config counts, and an option that is
            neither its nor the default is an error.
        quiet: whether nothing is said on standard error.

    Returns:
        The checkpoint of the best weights.

    Raises:
        ArgumentError: if the config does not fit the run that is resumed, or what training starts from.
        ImageError: if there are no pictures that can be read.
        OutputError: if the folder holds a run already, is in use, or cannot be written.
        KPaletteError: if a loss is no number any more; backups and best weights stay.
    """
    config = _resumed(config) if config.resume else _begun(config)
    # Keras takes seconds to import: not before the config is known to be right.
    import_keras()
    with _alone(config.folder):
        training, selection, notes = open_samplers(config, quiet=quiet)
        from kpalette.training.loop import Run

        run = Run(config, training, selection, quiet=quiet)
        if not config.resume:
            write_file(config.folder / CONFIG, config.to_json().encode(), overwrite=False)
        for note in notes:
            run.talk.say(note)
        return run.train()


def _begun(config: TrainConfig) -> TrainConfig:
    """The config of a new run; what it starts from decides the network's size and what it hears of."""
    path = config.folder / CONFIG
    if path.exists():
        raise OutputError(f"{config.folder} holds a run already: --resume goes on with it, --run names another folder")
    if not config.start_from:
        return config
    start, found = start_of(config.start_from), read_start(config.start_from)
    known = {name: found["config"][name] for name in ("filters", "conditioning") if name in found["config"]}
    if known.get("conditioning") == "target" and config.sharpen == _unset(config).sharpen:
        known["sharpen"] = 0.0
    return replace(config, start_from=start, **known)


def start_of(folder: str) -> str:
    """The checkpoint that training starts from where a run or a checkpoint is given."""
    best = Path(folder, BEST)
    return str(best if best.is_dir() else folder)


def read_start(folder: str) -> dict[str, Any]:
    """The config of the checkpoint `start_of`; CheckpointError, or ArgumentError if it is no PaletteNet's."""
    found = read_checkpoint(start_of(folder)).config
    if found["model"] != "PaletteNet":
        raise ArgumentError(f"{folder} holds a {found['model']}: training starts from a PaletteNet")
    return found


def _unset(config: TrainConfig) -> TrainConfig:
    """The config of which no option was given but the phase and what it starts from."""
    return TrainConfig(phase=config.phase, start_from=config.start_from, resume=config.resume)


def _resumed(config: TrainConfig) -> TrainConfig:
    """The run's own config, with what may be otherwise taken from the one given."""
    own = read_config(config.folder)
    default = _unset(own)
    given = [f.name for f in fields(config) if getattr(config, f.name) != getattr(default, f.name)]
    check_same(config, own, [name for name in given if (name, config.phase) != ("phase", "pretrain")])
    return replace(own, **{name: getattr(config, name) for name in FREE})


def read_config(folder: Path) -> TrainConfig:
    """The config of the run in a folder; ArgumentError where there is none."""
    path = folder / CONFIG
    if not path.is_file():
        raise ArgumentError(f"{folder} holds no run to resume: {path} does not exist")
    return TrainConfig.from_json(path)


def check_same(config: TrainConfig, own: TrainConfig, names: list[str]) -> None:
    """ArgumentError where an option that was given to a resumed run is not what the run has.

    Args:
        config: as given.
        own: the run's.
        names: of the options that were given.
    """
    for name in names:
        asked, before = getattr(config, name), getattr(own, name)
        if name not in FREE and asked != before:
            raise ArgumentError(
                f"the run in {config.folder} has {name} {before!r}, not {asked!r}: leave it out to resume, or give "
                "another folder to start anew"
            )


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Makes a run's folder and keeps other processes out of it."""
    made = not folder.exists()
    try:
        os.makedirs(folder / "backup", exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make {folder}: {reason(error)}") from None
    taken = f"another process trains in {folder}: wait for it, or give --run another folder"
    with hold_lock(folder / LOCK, taken=taken):
        try:
            yield
        finally:
            if made and not (folder / CONFIG).exists():
                _take_away(folder)


def _take_away(folder: Path) -> None:
    """Removes what a run that never began has made."""
    with suppress(OSError):
        (folder / LOCK).unlink()
        (folder / "backup").rmdir()
        folder.rmdir()


def open_samplers(config: TrainConfig, *, quiet: bool = False) -> tuple[Sampler, Sampler, list[str]]:
    """Opens a run's pictures; their palettes are extracted where the cache does not hold them.

    Args:
        config: of the run.
        quiet: whether nothing is said of a long extraction.

    Returns:
        Samplers for training and for selection, and lines on the pictures.

    Raises:
        KPaletteError: if there are no pictures or palettes that can be read.
    """
    images = open_images(config.images)
    if "train" in images.splits:
        images = images.subset(i for i, part in enumerate(images.splits) if part == "train")
    if config.limit is not None:
        images = images.spread(config.limit)
    designed = designed_palettes(config.palettes, part="train")
    size = config.image_size or default_size(config.crop)
    samplers, skipped = [], list(images.skipped)
    for part in split(images, share=config.selection_share):
        usable, swatches, left_out = extract_swatches(part, progress=None if quiet else _teller())
        skipped += left_out
        samplers.append(
            Sampler(usable, swatches, designed, config.crop, size, config.shuffle, config.natural, config.seed)
        )
    counts = " and ".join(str(len(sampler.images)) for sampler in samplers)
    notes = [f"{counts} pictures for training and selection, {len(skipped)} skipped"]
    return samplers[0], samplers[1], [*notes, *(f"skipped {line}" for line in skipped[:20])]


def _teller() -> Callable[[int, int], None]:
    """Says now and then how many pictures' palettes are extracted."""
    last = time.monotonic()

    def tell(done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last > _SILENCE:
            last = time.monotonic()
            print(f"palettes of {done} of {total} pictures extracted, kept for later runs", file=sys.stderr)

    return tell
