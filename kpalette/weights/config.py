"""The `config.json` of a checkpoint, and its check. The file is treated as untrusted input.

```
{"config": {"filters": 64, ...},             arguments of the model's constructor: numbers, strings, true, false, null
 "dtype": "float16" or "float32",            the type of the stored tensors
 "files": [{"bytes": 123, "name": "weights.safetensors", "sha256": "..."}, ...],
 "format": 1,
 "graph": {"bytes": 123, "name": "graph.onnx", "sha256": "...", "initializers": {...}},    optional: the model for ONNX
                                             Runtime, without weights (`kpalette.runtimes.graph`)
 "kpalette": "0.1.0",                        optional: the release that wrote the file
 "model": "PaletteNet",                      the name of one of kpalette's models
 "tensors": {"stem_conv/kernel": {"file": "weights.safetensors", "shape": [3, 3, 3, 64]}, ...}}
```
"""

import math
import re
from pathlib import Path
from typing import Any

from kpalette.errors import KPaletteError

FORMAT = 1
CONFIG_FILE, METRICS_FILE, ABOUT_FILE = "config.json", "metrics.json", "MODEL.md"
GRAPH_FILE = "graph.onnx"
BEST = "best"  # the folder of the best weights inside a run folder
WEIGHTS_FILE = re.compile(r"weights(-[0-9]{5}-of-[0-9]{5})?\.safetensors")
ITEM_SIZES = {"float16": 2, "float32": 4}
MAX_VALUES = 2**30
"""The most numbers that a checkpoint may hold: 4 GiB. The largest networks of kpalette have a hundredth of that."""

KEYS: dict[str, type] = {"format": int, "model": str, "config": dict, "dtype": str, "files": list, "tensors": dict}
_FILE_KEYS: dict[str, type] = {"name": str, "sha256": str, "bytes": int}
_TENSOR_KEYS: dict[str, type] = {"shape": list, "file": str}
_JSON_NAMES = {int: "a whole number", str: "a string", dict: "an object", list: "a list"}
_MAX_RANK = 8


class CheckpointError(KPaletteError):
    """A checkpoint is missing or damaged, or does not fit the model.

    Example:
        >>> check_config({"format": 2}, Path("config.json"))
        Traceback (most recent call last):
        kpalette.weights.config.CheckpointError: config.json: "format" must be 1: ...
    """


def check_config(document: Any, path: Path) -> dict[str, Any]:
    """Checks the content of a `config.json`.

    Args:
        document: the content, as `json.loads` returns it.
        path: the file, for the message.

    Returns:
        `document`. It has the form that the head of this module shows.

    Raises:
        CheckpointError: if it has not; the message names the file and what is wrong.
    """
    if not isinstance(document, dict):
        raise CheckpointError(f"{path}: must hold a JSON object. Received: {_short(document)}")
    if "format" in document and document["format"] != FORMAT:
        raise CheckpointError(f'{path}: "format" must be {FORMAT}: a newer kpalette wrote it, or something else did')
    _check_keys(document, KEYS, path, "")
    if document["dtype"] not in ITEM_SIZES:
        raise CheckpointError(f'{path}: "dtype" must be float16 or float32. Received: {_short(document["dtype"])}')
    for key, value in document["config"].items():
        if not isinstance(value, bool | int | float | str | None):
            raise CheckpointError(f'{path}: "config": {_short(key)} must be a plain value. Received: {_short(value)}')
    sizes = _check_files(document["files"], path)
    _check_tensors(document["tensors"], sizes, ITEM_SIZES[document["dtype"]], path)
    return document


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _check_keys(value: Any, keys: dict[str, type], path: Path, where: str) -> None:
    if not isinstance(value, dict):
        raise CheckpointError(f"{path}: {where}must be an object. Received: {_short(value)}")
    for key, kind in keys.items():
        if key not in value:
            raise CheckpointError(f'{path}: {where}"{key}" is missing')
        # Not isinstance: True is an instance of int.
        if type(value[key]) is not kind:
            raise CheckpointError(f'{path}: {where}"{key}" must be {_JSON_NAMES[kind]}. Received: {_short(value[key])}')


def _check_files(files: list[Any], path: Path) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for number, entry in enumerate(files):
        where = f'"files"[{number}]: '
        _check_keys(entry, _FILE_KEYS, path, where)
        name, size = entry["name"], entry["bytes"]
        # No other names are allowed: none of these leads out of the folder.
        if not WEIGHTS_FILE.fullmatch(name):
            raise CheckpointError(
                f'{path}: {where}"name" must be weights.safetensors or weights-00001-of-00002.safetensors, and so on. '
                f"Received: {_short(name)}"
            )
        if name in sizes:
            raise CheckpointError(f"{path}: {where}{name} is listed twice")
        if not re.fullmatch("[0-9a-f]{64}", entry["sha256"]):
            raise CheckpointError(f'{path}: {where}"sha256" must be 64 digits. Received: {_short(entry["sha256"])}')
        if not 0 < size <= 8 * MAX_VALUES:
            raise CheckpointError(f'{path}: {where}"bytes" is out of range: {_short(size)}')
        sizes[name] = size
    return sizes


def _check_tensors(tensors: dict[str, Any], sizes: dict[str, int], item_size: int, path: Path) -> None:
    if not tensors:
        raise CheckpointError(f'{path}: "tensors" is empty')
    room, total = dict(sizes), 0
    for name, entry in tensors.items():
        where = f'"tensors"[{_short(name)}]: '
        _check_keys(entry, _TENSOR_KEYS, path, where)
        # Names that a safetensors file cannot hold, or that would break the line of a message.
        if not name.isprintable() or name in ("", "__metadata__"):
            raise CheckpointError(f'{path}: "tensors" has a wrong name: {_short(name)}')
        shape, file = entry["shape"], entry["file"]
        if len(shape) > _MAX_RANK or not all(type(side) is int and side > 0 for side in shape):
            raise CheckpointError(f'{path}: {where}"shape" must be sizes above 0. Received: {_short(shape)}')
        if file not in room:
            raise CheckpointError(f'{path}: {where}"file" is not one of "files". Received: {_short(file)}')
        values = math.prod(shape)
        total += values
        room[file] -= values * item_size
        if room[file] < 0 or total > MAX_VALUES:
            raise CheckpointError(
                f"{path}: {where}shape {_short(shape)} is too large for {file} of {sizes[file]} bytes"
            )
