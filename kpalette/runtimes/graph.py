"""`graph.onnx`: what a checkpoint's model computes, without the weights, so that ONNX Runtime needs no TensorFlow.

The graph of an architecture, 100 to 300 KB, lies beside the weights; `config.json` gains

```
"graph": {"bytes": 123, "name": "graph.onnx", "sha256": "...",
          "initializers": {"stem_conv/kernel": {"axes": [3, 2, 0, 1], "shape": [64, 3, 3, 3]}, ...}}
```

An initialiser has its tensor's name and is that tensor with its axes in that order, then reshaped: exporters turn
kernels.
"""

import hashlib
import itertools
import os
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kpalette.files import read_file, write_file
from kpalette.runtimes.export import checked, copy_of, load, to_onnx
from kpalette.runtimes.operators import simplified
from kpalette.runtimes.session import ExportError, onnx_session
from kpalette.weights.config import CONFIG_FILE, GRAPH_FILE, CheckpointError
from kpalette.weights.folder import Checkpoint, read_checkpoint
from kpalette.weights.tensors import to_json

_ENTRY = {"bytes": int, "name": str, "sha256": str, "initializers": dict}


def has_graph(checkpoint: Checkpoint) -> bool:
    """Whether a checkpoint can run without TensorFlow."""
    return "graph" in checkpoint.config


def write_graph(folder: str | os.PathLike[str]) -> float:
    """Gives a checkpoint its `graph.onnx`, and `config.json` the entry for it; one that is there is replaced.

    Args:
        folder: of the checkpoint, or a preset's name.

    Returns:
        The largest difference from Keras that was found, in network range.

    Raises:
        ExportError: if a package is missing, or the graph differs from the model.
        CheckpointError: if the checkpoint is missing or damaged.
        OutputError: if a file cannot be written.
    """
    checkpoint = read_checkpoint(folder)
    model = load(checkpoint.folder)
    # Random weights, none like another, so that each initialiser tells which tensor it is.
    generator = np.random.default_rng(0)
    unlike = {name: generator.standard_normal(t.shape).astype(np.float32) for name, t in checkpoint.tensors.items()}
    proto = to_onnx(simplified(copy_of(model, tensors=unlike), channels_first=True))
    places = _take_weights_out(proto, unlike)
    data = proto.SerializeToString()
    entry = {"bytes": len(data), "name": GRAPH_FILE, "sha256": hashlib.sha256(data).hexdigest(), "initializers": places}
    difference = checked(model, onnx_session(data, weights=_initializers(entry, checkpoint)), GRAPH_FILE)
    write_file(checkpoint.folder / GRAPH_FILE, data, overwrite=True)
    config = to_json({**checkpoint.config, "graph": entry}, "config")
    write_file(checkpoint.folder / CONFIG_FILE, config.encode(), overwrite=True)
    return difference


def open_graph(checkpoint: Checkpoint) -> Callable[..., Any]:
    """Runs a checkpoint's graph with its weights.

    Args:
        checkpoint: what `read_checkpoint` gave.

    Returns:
        As `export.onnx_session`.

    Raises:
        CheckpointError: if there is no graph, or it is damaged.
        ExportError: if ONNX Runtime is not installed, or does not take the graph.
    """
    path = checkpoint.folder / CONFIG_FILE
    entry = checkpoint.config.get("graph")
    if entry is None:
        raise CheckpointError(
            f"{checkpoint.folder} has no {GRAPH_FILE}: make it with `kpalette export {checkpoint.folder} --graph`, "
            "or use the runtime keras"
        )
    if not isinstance(entry, dict) or any(type(entry.get(key)) is not kind for key, kind in _ENTRY.items()):
        raise CheckpointError(f'{path}: "graph" must have bytes, name, sha256 and initializers')
    if entry["name"] != GRAPH_FILE:
        raise CheckpointError(f'{path}: "graph": "name" must be {GRAPH_FILE}')
    data = read_file(checkpoint.folder / GRAPH_FILE, error=CheckpointError, what="an ONNX graph")
    if len(data) != entry["bytes"] or hashlib.sha256(data).hexdigest() != entry["sha256"]:
        raise CheckpointError(
            f"{checkpoint.folder / GRAPH_FILE} has another SHA-256 than {CONFIG_FILE} says: it was changed or damaged"
        )
    return onnx_session(data, weights=_initializers(entry, checkpoint))


def _initializers(entry: dict[str, Any], checkpoint: Checkpoint) -> dict[str, NDArray[np.float32]]:
    values = {}
    for name, place in entry["initializers"].items():
        try:
            turned = checkpoint.tensors[name].transpose(place["axes"])
            values[name] = np.ascontiguousarray(turned.reshape(place["shape"]))
        except (KeyError, TypeError, ValueError, IndexError):
            path = checkpoint.folder / CONFIG_FILE
            raise CheckpointError(f'{path}: "graph": initializer {name[:80]!r} fits no tensor') from None
    return values


def _take_weights_out(proto: Any, tensors: dict[str, NDArray[np.float32]]) -> dict[str, Any]:
    """Strips a graph of its weights, in place, and names their places by tensors; says how each is turned."""
    from onnx import TensorProto, numpy_helper

    places: dict[str, Any] = {}
    names: dict[str, str] = {}
    for initializer in proto.graph.initializer:
        if initializer.data_type != TensorProto.FLOAT:
            continue
        value = numpy_helper.to_array(initializer)
        found = _place_of(value, tensors)
        if found is None:
            continue
        tensor, axes = found
        if tensor in places:
            raise ExportError(f"the exporter has put {tensor!r} into the graph twice, which a graph.onnx cannot say")
        places[tensor] = {"axes": list(axes), "shape": list(value.shape)}
        names[initializer.name] = tensor
        initializer.name = tensor
        initializer.ClearField("raw_data")
        initializer.ClearField("float_data")
        initializer.data_location = TensorProto.EXTERNAL
        initializer.external_data.add(key="location", value=tensor)
    for node in proto.graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
    missing = tensors.keys() - places.keys()
    if missing:
        raise ExportError(f"the exporter has mixed {min(missing)!r} into something else: the graph needs its weights")
    return places


def _place_of(
    value: NDArray[np.float32], tensors: dict[str, NDArray[np.float32]]
) -> tuple[str, tuple[int, ...]] | None:
    """The tensor that an initialiser is, and the order of its axes."""
    for name, tensor in tensors.items():
        # However the axes are turned, the first value stays the first.
        if tensor.size != value.size or tensor.flat[0] != value.flat[0]:
            continue
        for axes in itertools.permutations(range(tensor.ndim)):
            if np.array_equal(tensor.transpose(axes).reshape(-1), value.reshape(-1)):
                return name, axes
    return None
