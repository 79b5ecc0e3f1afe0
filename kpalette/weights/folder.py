"""Checkpoint folders: `config.json`, weights as safetensors, `metrics.json`, `MODEL.md`. Keras is not needed.

Reading is safe: no code or class is loaded from a file, JSON is checked entry by entry, and weights by their SHA-256.
"""

import importlib.metadata
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kpalette.errors import ArgumentError, ExistsError, OutputError, reason
from kpalette.files import replaced_folder
from kpalette.weights.config import (
    ABOUT_FILE,
    BEST,
    CONFIG_FILE,
    FORMAT,
    GRAPH_FILE,
    KEYS,
    METRICS_FILE,
    WEIGHTS_FILE,
    CheckpointError,
    check_config,
)
from kpalette.weights.presets import PRESETS, find_preset
from kpalette.weights.tensors import read_json, read_tensors, to_json, to_stored, write_tensors


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """The content of a checkpoint folder.

    Attributes:
        folder: the folder.
        config: the checked `config.json`: "model", "config" (the model's arguments), "tensors" and so on.
        tensors: float32 arrays by the names of the model's variables.
        metrics: `metrics.json`; {} if there is none.

    Example:
        >>> config = {"model": "PaletteNet", "config": {"filters": 4}}
        >>> folder = write_checkpoint("small", config=config, tensors={"kernel": np.ones((2, 3))})
        >>> checkpoint = read_checkpoint(folder)
        >>> checkpoint.config["config"], checkpoint.tensors["kernel"].shape
        ({'filters': 4}, (2, 3))
    """

    folder: Path
    config: dict[str, Any]
    tensors: dict[str, NDArray[np.float32]]
    metrics: dict[str, Any]


def read_checkpoint(name_or_folder: str | os.PathLike[str]) -> Checkpoint:
    """Reads a checkpoint and checks all of it.

    Args:
        name_or_folder: the name of a preset, or a folder.

    Returns:
        The content; tensors that are stored as float16 are converted to float32.

    Raises:
        ArgumentError: if there is no preset of that name and no such folder.
        CheckpointError: if the weights of the preset are missing, or a file is missing, changed or malformed.
    """
    folder = _find(name_or_folder)
    path = folder / CONFIG_FILE
    document, best = read_json(path), folder / BEST
    if isinstance(document, dict) and "format" not in document and (best / CONFIG_FILE).is_file():
        raise CheckpointError(f"{folder} is a run folder, not a checkpoint: its best weights are in {best}")
    config = check_config(document, path)
    tensors: dict[str, NDArray[np.float32]] = {}
    for entry in config["files"]:
        tensors |= read_tensors(folder, entry, config)
    metrics = read_json(folder / METRICS_FILE) if (folder / METRICS_FILE).exists() else {}
    if not isinstance(metrics, dict):
        raise CheckpointError(f"{folder / METRICS_FILE}: must hold a JSON object")
    return Checkpoint(folder, config, {name: tensors[name] for name in sorted(tensors)}, metrics)


def _find(name_or_folder: str | os.PathLike[str]) -> Path:
    if not isinstance(name_or_folder, str | os.PathLike):
        raise ArgumentError(f"`name_or_folder` must be a preset's name or a folder. Received: {name_or_folder!r}")
    text = os.fspath(name_or_folder)
    folder = Path(text)
    by_name = isinstance(name_or_folder, str) and not {os.sep, os.altsep} & set(text)
    try:
        is_folder = bool(text) and folder.is_dir()
        has_config = is_folder and (folder / CONFIG_FILE).exists()
    except (OSError, ValueError) as error:
        raise CheckpointError(f"cannot read {folder}: {reason(error)}") from None
    # A preset takes precedence over a folder of the same name that is no checkpoint.
    if by_name and not has_config and (text in PRESETS or not is_folder):
        return find_preset(text)
    if not is_folder:
        raise CheckpointError(f"{folder} is no folder")
    if not has_config:
        raise CheckpointError(f"{folder} is no checkpoint: it has no {CONFIG_FILE}")
    return folder


def write_checkpoint(
    folder: str | os.PathLike[str],
    *,
    config: dict[str, Any],
    tensors: Mapping[str, Any],
    metrics: dict[str, Any] | None = None,
    about: str | None = None,
    half: bool = True,
    overwrite: bool = False,
) -> Path:
    """Writes a checkpoint, whole or not at all: a temporary folder beside it is written first, and then renamed.

    Args:
        folder: the folder, which must be missing or empty, or a checkpoint if `overwrite` is true. Folders above it are
            made.
        config: "model", the name of the model's class, and "config", its arguments. May be a `Checkpoint.config`.
        tensors: arrays of finite numbers by name, of any shape; stored as float16 or float32.
        metrics: figures for `metrics.json`, anything that JSON can hold.
        about: text for `MODEL.md`: what the weights were trained on, and by which command.
        half: whether to store float16, which has half the size and some 3 digits; float32 is exact.
        overwrite: whether an existing checkpoint may be replaced.

    Returns:
        The folder.

    Raises:
        ArgumentError: if `config`, `tensors` or `metrics` cannot be stored; the message names the entry.
        ExistsError: if there is a checkpoint and `overwrite` is false.
        OutputError: if there is something else in the folder, or writing fails.
    """
    target = _target(folder, overwrite=overwrite)
    if not {"model", "config"} <= config.keys():
        raise ArgumentError(f'`config` must hold "model" and "config". Received: {sorted(config)}')
    document = {"format": FORMAT, "model": config["model"], "config": config["config"]}
    document |= {"dtype": "float16" if half else "float32", **_version()}
    stored = {name: to_stored(name, tensors[name], document["dtype"]) for name in sorted(tensors)}
    metrics_text = to_json(metrics or {}, "metrics")
    try:
        with replaced_folder(target) as temporary:
            document |= write_tensors(temporary, stored)
            try:
                check_config(document, Path(CONFIG_FILE))
            except CheckpointError as error:
                raise ArgumentError(f"cannot be stored: {error}") from None
            (temporary / CONFIG_FILE).write_text(to_json(document, "config"), "utf-8")
            (temporary / METRICS_FILE).write_text(metrics_text, "utf-8")
            (temporary / ABOUT_FILE).write_text(_model_card(target.name, document, stored, about), "utf-8")
            _target(folder, overwrite=overwrite)
    except OSError as error:
        raise OutputError(f"cannot write {folder}: {reason(error)}") from None
    return Path(folder)


def _target(folder: str | os.PathLike[str], *, overwrite: bool) -> Path:
    """The folder, links resolved; OutputError if no checkpoint may be written there."""
    if not os.fspath(folder):
        raise OutputError("the folder's name is empty")
    try:
        target = Path(os.path.realpath(folder))
        if not target.exists():
            return target
        if not target.is_dir():
            raise OutputError(f"cannot write {folder}: it is a file")
        names = {path.name for path in target.iterdir()}
    except (OSError, ValueError) as error:
        raise OutputError(f"cannot write {folder}: {reason(error)}") from None
    if not names:
        return target
    if not _is_checkpoint(target):
        raise OutputError(f"cannot write {folder}: it is a folder with other things in it, and no checkpoint")
    if not overwrite:
        raise ExistsError(folder)
    own = {CONFIG_FILE, METRICS_FILE, ABOUT_FILE, GRAPH_FILE}
    foreign = {name for name in names - own if not WEIGHTS_FILE.fullmatch(name)}
    if foreign:
        raise OutputError(f"cannot replace {folder}: {min(foreign)} in it is no part of a checkpoint, move it away")
    return target


def _is_checkpoint(folder: Path) -> bool:
    """Whether a folder is a checkpoint, of any format, perhaps damaged: other programs write a `config.json`, too."""
    try:
        document = read_json(folder / CONFIG_FILE)
    except CheckpointError:
        return False
    return isinstance(document, dict) and KEYS.keys() <= document.keys()


def _version() -> dict[str, str]:
    try:
        return {"kpalette": importlib.metadata.version("kpalette")}
    except importlib.metadata.PackageNotFoundError:
        return {}


def _model_card(name: str, document: dict[str, Any], tensors: dict[str, NDArray[Any]], about: str | None) -> str:
    config = ", ".join(f"{key}={value!r}" for key, value in sorted(document["config"].items()))
    values = sum(array.size for array in tensors.values())
    megabytes = sum(entry["bytes"] for entry in document["files"]) / 1e6
    parts = [
        f"# {name}",
        about and about.strip(),
        f"`{document['model']}({config})`, {values:,} weights in {len(tensors)} tensors, {document['dtype']}, "
        f"{megabytes:.1f} MB. Figures are in `{METRICS_FILE}`.",
        "```python\nfrom kpalette.models.checkpoint import load_checkpoint\n\n"
        f'model = load_checkpoint("path/to/{name}")\n```',
    ]
    return "\n\n".join(part for part in parts if part) + "\n"
