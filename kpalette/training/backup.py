"""Backups of a run: all that a killed run needs to continue exactly where it was.

Each epoch writes one safetensors file, whole or not at all. The last two are kept; if the newer one is damaged, the
older one is used.
"""

import contextlib
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from kpalette.errors import ArgumentError, one_line
from kpalette.files import write_file

Tensors = dict[str, NDArray[np.generic]]

BACKUP = "backup"
"""Name of the folder of the backups in a run folder."""

_KEPT = 2
_PREFIX = "epoch-"


def trainer_tensors(trainer: Any) -> Tensors:
    """All variables of both networks and both optimizers, by role and number."""
    return {name: np.array(variable.value) for name, variable in _variables(trainer).items()}


def restore_trainer(trainer: Any, tensors: Tensors) -> None:
    """Restores the variables from `trainer_tensors`; an ArgumentError names the first tensor that does not fit."""
    variables = _variables(trainer)
    for name in sorted(variables.keys() ^ tensors.keys()):
        raise ArgumentError(f"the backup and the run's config.json differ: {name} is only in one of them")
    for name, variable in variables.items():
        if tuple(variable.shape) != tensors[name].shape:
            raise ArgumentError(
                f"the backup and the run's config.json differ: {name} has shape {tensors[name].shape}, "
                f"needed is {tuple(variable.shape)}"
            )
    for name, variable in variables.items():
        variable.assign(tensors[name])


def _variables(trainer: Any) -> dict[str, Any]:
    parts = {
        "generator": trainer.generator, "generator_optimizer": trainer.optimizer,
        "discriminator": trainer.discriminator, "discriminator_optimizer": trainer.discriminator_optimizer,
    }  # fmt: skip
    return {
        f"{name}/{number:04d}": variable
        for name, part in parts.items()
        if part is not None
        for number, variable in enumerate(part.variables)
    }


def write_backup(folder: Path, *, epoch: int, tensors: Tensors, notes: dict[str, Any]) -> None:
    """Writes the backup of an epoch and removes all but the last two.

    Args:
        folder: the folder of the backups.
        epoch: number of epochs done.
        tensors: from `trainer_tensors`.
        notes: any values that JSON can hold.

    Raises:
        OutputError: if it cannot be written; earlier backups stay.
    """
    # Some releases of safetensors scramble arrays of another order. Not ascontiguousarray: it changes the shape ().
    in_c_order = {name: np.asarray(array, order="C") for name, array in tensors.items()}
    metadata = {"epoch": str(epoch), "notes": json.dumps(notes), "sha256": _digest(tensors)}
    folder.mkdir(parents=True, exist_ok=True)
    write_file(_path(folder, epoch), save(in_c_order, metadata), overwrite=True)
    for path in _found(folder)[_KEPT:]:
        with contextlib.suppress(OSError):
            path.unlink()


def read_backup(folder: Path) -> tuple[int, Tensors, dict[str, Any], list[str]]:
    """Reads the newest backup that is not damaged.

    Args:
        folder: the folder of the backups.

    Returns:
        Epochs done, tensors, notes, and a line for each damaged backup that was skipped; 0 epochs and nothing else if
        there is no backup at all.

    Raises:
        ArgumentError: if there are backups, but all are damaged.
    """
    skipped: list[str] = []
    for path in _found(folder):
        try:
            return (*_read(path), skipped)
        except (OSError, ValueError, KeyError, SafetensorError) as error:
            skipped.append(f"{path} is damaged: {one_line(error)}")
    if skipped:
        raise ArgumentError(f"no backup can be read: {'; '.join(skipped)}; start the run anew in another folder")
    return 0, {}, {}, skipped


def last_epoch(folder: Path) -> int:
    """The number of epochs done according to the newest backup's name; 0 if there is no backup."""
    return int(next((path.stem.removeprefix(_PREFIX) for path in _found(folder)), 0))


def _read(path: Path) -> tuple[int, Tensors, dict[str, Any]]:
    data = path.read_bytes()
    tensors: Tensors = load(data)
    length = int.from_bytes(data[:8], "little")
    metadata = json.loads(data[8 : 8 + length])["__metadata__"]
    if _digest(tensors) != metadata["sha256"]:
        raise ValueError("its tensors have changed since they were written")
    return int(metadata["epoch"]), tensors, json.loads(metadata["notes"])


def _digest(tensors: Tensors) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(tensors[name]).tobytes())
    return digest.hexdigest()


def _path(folder: Path, epoch: int) -> Path:
    return folder / f"{_PREFIX}{epoch:06d}.safetensors"


def _found(folder: Path) -> list[Path]:
    """Backups, newest first."""
    return sorted(folder.glob(f"{_PREFIX}[0-9]*.safetensors"), reverse=True) if folder.is_dir() else []
