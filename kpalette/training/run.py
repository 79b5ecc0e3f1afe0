"""`train`: a whole training run, from its options to the best weights."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Any

from kpalette.data.designed import designed_palettes
from kpalette.data.image_set import split
from kpalette.data.samples import Sampler, default_size
from kpalette.data.sources import open_images
from kpalette.data.swatches import extract_swatches
from kpalette.errors import ArgumentError, OutputError
from kpalette.files import held_folder, write_file
from kpalette.images.decoders import Guard
from kpalette.models.backend import import_keras
from kpalette.report.progress import ProgressBar
from kpalette.training.backup import BACKUP, last_epoch
from kpalette.training.config import CONFIG, TrainConfig
from kpalette.weights.config import BEST
from kpalette.weights.folder import read_checkpoint
from kpalette.weights.presets import find_preset, list_checkpoints

FREE = ("run", "resume", "threads", "previews")
"""Options that may change when a run is resumed: its loss curve does not depend on them."""

SHIPPED_START = "ablated"
"""The phase-1 checkpoint that ships with kpalette."""

_OF_THE_START = ("filters", "conditioning")
"""Options that starting weights decide."""

_INTERVAL = 10.0  # seconds between lines on the extraction of palettes


def train(config: TrainConfig, *, quiet: bool = False, guard: Guard = nullcontext) -> Path:
    """Trains PaletteNet into a run folder.

    The folder holds config.json, log.csv (a row for each epoch), tensorboard/, previews/, backup/ (the last two epochs,
    from which a killed run continues) and best/, a checkpoint of the weights that did best on the selection split. A
    phase 2 that no phase-1 checkpoint fits trains phase 1 first, into the same files in pretrain/. The Keras backend is
    the one that KERAS_BACKEND names, tensorflow or jax; if it is not set, JAX is used where TensorFlow is missing.

    Args:
        config: all options. With `resume` the run's own options count, and one that is given differently is an error.
        quiet: whether to print nothing on standard error.
        guard: entered around the import of Keras; a program that owns its process can keep TensorFlow from printing.

    Returns:
        The checkpoint of the best weights.

    Raises:
        ArgumentError: if the options do not fit the run that is resumed, or the weights that training starts from.
        ImageError: if no picture can be read.
        OutputError: if the folder holds a run already, is in use, or cannot be written.
        KPaletteError: if a loss becomes NaN or infinite; backups and best weights stay.

    Example:
        >>> train(TrainConfig(run="runs/none", resume=True))
        Traceback (most recent call last):
        kpalette.errors.ArgumentError: runs/none holds no run to resume: runs/none/config.json does not exist
    """
    config, notes = (_resumed(config), []) if config.resume else _new_config(config)
    # Keras takes seconds to import, so this comes after the options are checked.
    with guard():
        import_keras()
    with _exclusive(config.folder):
        if not config.resume:
            _check_new(config.folder)
        training, selection, about = open_samplers(config, quiet=quiet)
        return _train_parts(config, training, selection, notes=[*about, *notes], quiet=quiet)


def _train_parts(config: TrainConfig, training: Sampler, selection: Sampler, *, notes: list[str], quiet: bool) -> Path:
    from kpalette.training.logs import TrainingProgress
    from kpalette.training.loop import Run, steps_per_epoch

    # In a function of its own: the networks of phase 1 are gone before those of phase 2 are built.
    def train_part(part: TrainConfig, *new: TrainConfig) -> None:
        run = Run(part, training, selection, progress=progress)
        for each in new:
            _write_config(each)
        run.train()

    parts = config.parts()
    epochs = [int(part.epochs or 0) for part in parts]
    steps = steps_per_epoch(config, training)
    with TrainingProgress(epochs, steps=steps, batch_size=config.batch_size, quiet=quiet) as progress:
        for note in notes:
            progress.bar.say(note)
        for number, part in enumerate(parts):
            progress.begin_phase(number)
            if part.folder == config.folder:
                train_part(part, config)
            elif not _is_done(part, config):
                with _exclusive(part.folder):
                    train_part(part, config, part)
    return config.folder / BEST


def _is_done(first: TrainConfig, config: TrainConfig) -> bool:
    """Whether phase 1 of a run is trained: it has its last backup, or phase 2 has one."""
    return last_epoch(first.folder / BACKUP) >= int(first.epochs or 0) or last_epoch(config.folder / BACKUP) > 0


def _write_config(config: TrainConfig) -> None:
    path = config.folder / CONFIG
    if not path.exists():
        write_file(path, replace(config, resume=False).to_json().encode(), overwrite=False)


def _new_config(config: TrainConfig) -> tuple[TrainConfig, list[str]]:
    """The options of a new run, with those that the starting weights decide, and a note on what it starts from."""
    _check_new(config.folder)
    notes = []
    start = config.start_from
    if config.trains_both:
        start = shipped_start(config)
        if start is None:
            first = config.parts()[0]
            network = " and ".join(f"{name} {getattr(config, name)}" for name in _OF_THE_START)
            return config, [
                f"no phase-1 checkpoint ships with {network}: phase 1 is trained first, {first.epochs} epochs, in "
                f"{first.folder}"
            ]
        notes = [f"phase 2 starts from the phase-1 checkpoint that ships, {start}"]
    if not start:
        return config, notes
    found = read_start(start)["config"]
    known = {name: found[name] for name in _OF_THE_START if name in found}
    if known.get("conditioning") == "target" and config.sharpen == _unset(config).sharpen:
        known["sharpen"] = 0.0
    return replace(config, start_from=start_of(start), **known), notes


def _check_new(folder: Path) -> None:
    if (folder / CONFIG).exists():
        raise OutputError(f"{folder} holds a run already: `resume` goes on with it, `run` names another folder")


def shipped_start(config: TrainConfig) -> str | None:
    """The folder of the phase-1 checkpoint that ships, if it has the config's network; None otherwise."""
    if SHIPPED_START not in list_checkpoints():
        return None
    folder = str(find_preset(SHIPPED_START))
    found = read_start(folder)["config"]
    return folder if all(found.get(name) == getattr(config, name) for name in _OF_THE_START) else None


def start_of(folder: str) -> str:
    """The checkpoint in a folder that training starts from: a run's best weights, or the folder itself."""
    best = Path(folder, BEST)
    return str(best if best.is_dir() else folder)


def read_start(folder: str) -> dict[str, Any]:
    """The config of the checkpoint `start_of` a folder.

    Args:
        folder: of a run or a checkpoint.

    Returns:
        Its config.json, checked.

    Raises:
        CheckpointError: if there is no checkpoint, or it is damaged.
        ArgumentError: if it is not a PaletteNet's.
    """
    found = read_checkpoint(start_of(folder)).config
    if found["model"] != "PaletteNet":
        raise ArgumentError(f"{folder} holds a {found['model']}: training starts from a PaletteNet")
    return found


def _unset(config: TrainConfig) -> TrainConfig:
    """The default options of a config's phase."""
    return TrainConfig(phase=config.phase, start_from=config.start_from, resume=config.resume)


def _resumed(config: TrainConfig) -> TrainConfig:
    """The run's own options, with those of `FREE` from the given config."""
    own = read_config(config.folder)
    default = TrainConfig(phase=config.phase)
    given = [f.name for f in fields(config) if getattr(config, f.name) != getattr(default, f.name)]
    check_same(config, own, [name for name in given if (name, config.phase) != ("phase", "pretrain")])
    return replace(own, **{name: getattr(config, name) for name in FREE})


def read_config(folder: Path) -> TrainConfig:
    """The options of the run in a folder; an ArgumentError if there is no run."""
    path = folder / CONFIG
    if not path.is_file():
        raise ArgumentError(f"{folder} holds no run to resume: {path} does not exist")
    return TrainConfig.from_json(path)


def check_same(config: TrainConfig, own: TrainConfig, names: list[str]) -> None:
    """Checks that options given to a resumed run are the run's own.

    Args:
        config: the given options.
        own: the run's options.
        names: names of the options that were given.

    Raises:
        ArgumentError: names the first option that differs.
    """
    for name in names:
        asked, before = getattr(config, name), getattr(own, name)
        if name not in FREE and asked != before:
            raise ArgumentError(
                f"the run in {config.folder} has {name} {before!r}, not {asked!r}: leave it out to resume, or give "
                "another folder to start anew"
            )


def _exclusive(folder: Path) -> AbstractContextManager[None]:
    """Makes a run folder and keeps other processes out of it."""
    taken = f"another process trains in {folder}: wait for it, or give another folder as `run`"
    return held_folder(folder, taken=taken)


def open_samplers(config: TrainConfig, *, quiet: bool = False) -> tuple[Sampler, Sampler, list[str]]:
    """Opens a run's pictures, and extracts the palettes that the cache does not hold.

    Args:
        config: options of the run.
        quiet: whether to print nothing about a long extraction.

    Returns:
        Samplers for training and for selection, and lines about the pictures.

    Raises:
        KPaletteError: if no pictures or no palettes can be read.
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
        with ProgressBar(interval=_INTERVAL, quiet=quiet) as bar:
            usable, swatches, left_out = extract_swatches(part, progress=partial(_show_extraction, bar))
        skipped += left_out
        samplers.append(
            Sampler(usable, swatches, designed, config.crop, size, config.shuffle, config.natural, config.seed)
        )
    counts = " and ".join(str(len(sampler.images)) for sampler in samplers)
    notes = [f"{counts} pictures for training and selection, {len(skipped)} skipped"]
    return samplers[0], samplers[1], [*notes, *(f"skipped {line}" for line in skipped[:20])]


def _show_extraction(bar: ProgressBar, done: int, total: int) -> None:
    line = f"palettes of {done} of {total} pictures extracted, kept for later runs"
    bar.update(done, total=total, note="palettes extracted, kept for later runs", line=line)
