"""The files of a checkpoint: reading JSON and safetensors with every check, and writing them."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from kpalette.errors import ArgumentError, reason
from kpalette.files import read_file
from kpalette.weights.config import CONFIG_FILE, CheckpointError

FILE_BYTES = 15_000_000
"""The largest file of weights that is written. Only a single tensor may be larger: it gets a file of its own."""

_HALF_MAX = float(np.finfo(np.float16).max)
_MAX_JSON = 4 * 2**20


def _read(path: Path, *, most: int) -> bytes:
    try:
        if path.exists() and not path.is_file():
            raise CheckpointError(f"{path} is no regular file")
        size = path.stat().st_size if path.exists() else 0
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {reason(error)}") from None
    if size > most:
        raise CheckpointError(f"{path} has {size} bytes, more than the {most} it may have")
    return read_file(path, error=CheckpointError, what="a file of a checkpoint")


def read_json(path: Path) -> Any:
    """Reads a JSON file of a checkpoint.

    Args:
        path: the file.

    Returns:
        Its content, as `json.loads` returns it.

    Raises:
        CheckpointError: if the file is missing, too large, or no JSON.
    """

    def refuse(constant: str) -> Any:
        raise ValueError(f"{constant} is no number")

    try:
        return json.loads(_read(path, most=_MAX_JSON), parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is no JSON: {reason(error)}") from None


def read_tensors(folder: Path, entry: dict[str, Any], config: dict[str, Any]) -> dict[str, NDArray[np.float32]]:
    """Reads one file of weights, after checking its SHA-256.

    Args:
        folder: the folder of the checkpoint.
        entry: the entry of the file in "files" of `config`.
        config: the result of `check_config`.

    Returns:
        The tensors of the file by name, as float32.

    Raises:
        CheckpointError: if the file is missing, changed, or does not hold exactly what `config` says.
    """
    path = folder / entry["name"]
    data = _read(path, most=entry["bytes"])
    if len(data) != entry["bytes"]:
        raise CheckpointError(f"{path} has {len(data)} bytes, not {entry['bytes']}: it is cut short")
    if hashlib.sha256(data).hexdigest() != entry["sha256"]:
        raise CheckpointError(f"{path} has another SHA-256 than {CONFIG_FILE} says: it was changed or damaged")
    try:
        tensors = safetensors.numpy.load(data)
    except (safetensors.SafetensorError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path} is no safetensors file: {reason(error)}") from None
    wanted = {name: place["shape"] for name, place in config["tensors"].items() if place["file"] == path.name}
    for name in sorted(wanted.keys() ^ tensors.keys()):
        fault = "is missing" if name in wanted else f"is not in {CONFIG_FILE}"
        raise CheckpointError(f"{path}: tensor {name!r} {fault}")
    for name, shape in wanted.items():
        found = tensors[name]
        if list(found.shape) != shape or found.dtype != config["dtype"]:
            raise CheckpointError(
                f"{path}: tensor {name!r} is {found.dtype} of shape {list(found.shape)}, "
                f"not {config['dtype']} of shape {shape} as {CONFIG_FILE} says"
            )
    return {name: array.astype(np.float32) for name, array in tensors.items()}


def to_json(value: Any, what: str) -> str:
    """The text of a JSON file of a checkpoint.

    Args:
        value: the content; NumPy's numbers and arrays are converted to plain ones.
        what: the name of the argument that `value` comes from, for the message.

    Returns:
        JSON, indented, keys sorted, with a line end.

    Raises:
        ArgumentError: if JSON cannot hold `value`, because of NaN for instance.
    """
    try:
        return json.dumps(value, sort_keys=True, indent=2, allow_nan=False, default=_as_python) + "\n"
    except (TypeError, ValueError, RecursionError) as error:
        raise ArgumentError(f"`{what}` must be what JSON can hold: {reason(error)}") from None


def _as_python(value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is not")


def to_stored(name: str, value: Any, dtype: str) -> NDArray[Any]:
    """Converts a tensor to the array that is stored.

    Args:
        name: the name of the tensor, for the message.
        value: numbers, of any shape and dtype.
        dtype: "float16" or "float32".

    Returns:
        An array of that dtype, in C order: safetensors writes the memory of other orders as it is, in the wrong order.

    Raises:
        ArgumentError: if `value` is no array of finite numbers, or `dtype` cannot hold them.
    """
    try:
        with np.errstate(over="ignore"):  # the check below names the tensor
            array = np.asarray(value, np.float32, order="C")
    except (TypeError, ValueError):
        raise ArgumentError(f"`tensors`: {name!r} is no array of numbers") from None
    if not np.isfinite(array).all():
        raise ArgumentError(f"`tensors`: {name!r} holds numbers that are not finite")
    if dtype == "float16" and array.size and np.abs(array).max() > _HALF_MAX:
        raise ArgumentError(
            f"`tensors`: {name!r} holds {np.abs(array).max():g}, and float16 ends at {_HALF_MAX:g}: use half=False"
        )
    return array.astype(dtype)


def write_tensors(folder: Path, tensors: dict[str, NDArray[Any]]) -> dict[str, Any]:
    """Writes the files of weights.

    Args:
        folder: the folder to write into.
        tensors: results of `to_stored` by name.

    Returns:
        The entries "files" and "tensors" of `config.json`.

    Raises:
        OSError: if a file cannot be written.
    """
    shards: list[dict[str, NDArray[Any]]] = []
    room = 0
    for name, array in tensors.items():
        # Upper bound of the tensor's entry in the head of the file: its name, escaped, and some 160 characters.
        needed = array.nbytes + 6 * len(name) + 160
        if needed > room:
            shards.append({})
            room = FILE_BYTES
        shards[-1][name] = array
        room -= needed
    files: list[dict[str, Any]] = []
    places: dict[str, Any] = {}
    for number, shard in enumerate(shards, start=1):
        part = f"-{number:05}-of-{len(shards):05}" if len(shards) > 1 else ""
        file = f"weights{part}.safetensors"
        data = safetensors.numpy.save(shard)
        (folder / file).write_bytes(data)
        files.append({"name": file, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()})
        places |= {name: {"file": file, "shape": list(array.shape)} for name, array in shard.items()}
    return {"files": files, "tensors": places}
