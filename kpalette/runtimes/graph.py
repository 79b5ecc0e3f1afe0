"""`graph.onnx`: the graph of a checkpoint's model without the weights; ONNX Runtime runs it without TensorFlow.

The graph, 100 to 300 KB, lies beside the weights. `config.json` has an entry for it:

```
"graph": {"bytes": 123, "name": "graph.onnx", "sha256": "...",
          "initializers": {"stem_conv/kernel": {"axes": [3, 2, 0, 1], "shape": [64, 3, 3, 3]}, ...}}
```

An initialiser has the name of a tensor. Its value is that tensor, transposed to the order `axes` and then reshaped to
`shape`, since exporters transpose kernels.
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
    """Writes `graph.onnx` into a checkpoint, and its entry into `config.json`; replaces existing ones.

    Args:
        folder: folder of the checkpoint, or name of a preset.

    Returns:
        The largest difference from Keras, in network range.

    Raises:
        ExportError: if a package is missing, or the graph differs from the model.
        CheckpointError: if the checkpoint is missing or damaged.
        OutputError: if a file cannot be written.
    """
    checkpoint = read_checkpoint(folder)
    model = load(checkpoint.folder)
    # Random weights that all differ, so that each initialiser can be matched with its tensor.
    generator = np.random.default_rng(0)
    unlike = {name: generator.standard_normal(t.shape).astype(np.float32) for name, t in checkpoint.tensors.items()}
    proto = to_onnx(simplified(copy_of(model, tensors=unlike), channels_first=True))
    places = _remove_weights(proto, unlike)
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
        checkpoint: from `read_checkpoint`.

    Returns:
        A function as of `onnx_session`.

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


def _remove_weights(proto: Any, tensors: dict[str, NDArray[np.float32]]) -> dict[str, Any]:
    """Removes the weights from a graph, in place, and names them by tensors; returns the entries of config.json."""
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
            raise ExportError(f"the exporter used {tensor!r} twice, which a graph.onnx cannot express")
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
        raise ExportError(f"the exporter merged {min(missing)!r} with another tensor: the graph needs its own weights")
    return places


def _place_of(
    value: NDArray[np.float32], tensors: dict[str, NDArray[np.float32]]
) -> tuple[str, tuple[int, ...]] | None:
    """The tensor that an initialiser was made of, and the order of its axes."""
    for name, tensor in tensors.items():
        # The first value stays the first in every order of the axes.
        if tensor.size != value.size or tensor.flat[0] != value.flat[0]:
            continue
        for axes in itertools.permutations(range(tensor.ndim)):
            if np.array_equal(tensor.transpose(axes).reshape(-1), value.reshape(-1)):
                return name, axes
    return None
