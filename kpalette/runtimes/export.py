"""Exports of PaletteNet to ONNX and SavedModel, for pictures and batches of any size.

Each export is compared with the model under Keras before it replaces anything. Keras must run on TensorFlow, and ONNX
also needs `pip install 'kpalette[export]'`. Inputs and output are those of `PaletteNet`; the output is called "ab".
"""

import importlib
import importlib.util
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kpalette.errors import ExistsError, OutputError, reason
from kpalette.files import check_free, replaced_folder, write_file
from kpalette.models.backend import import_keras
from kpalette.runtimes.operators import simplified
from kpalette.runtimes.session import ExportError, Inputs, import_onnxruntime, onnx_session
from kpalette.types import MAX_COLORS
from kpalette.weights.folder import Checkpoint

OPSET = 18
TOLERANCE = 1e-3
"""Largest difference of an export from Keras, in network range: an eighth of a unit of a or b."""

CHECKED_SIZES = ((1, 48, 80), (2, 33, 17))
"""Batch, height and width of the random inputs for the comparison; some sides are not multiples of 16."""


def export_onnx(checkpoint: Any, path: str | os.PathLike[str], *, overwrite: bool = False) -> float:
    """Writes a model as an ONNX file with its weights.

    Args:
        checkpoint: name of a preset, a checkpoint folder, or a `PaletteNet`.
        path: the file.
        overwrite: whether an existing file may be replaced.

    Returns:
        The largest difference from Keras, in network range.

    Raises:
        ExportError: if a package is missing, Keras runs on another backend, or the difference is above `TOLERANCE`.
        CheckpointError: if the checkpoint is missing or damaged.
        OutputError: if the file exists, or cannot be written.
    """
    check_free(Path(path), overwrite=overwrite)
    import_onnxruntime()
    model = load(checkpoint)
    data = to_onnx(simplified(copy_of(model), channels_first=True)).SerializeToString()
    difference = checked(model, onnx_session(data), "the ONNX file")
    write_file(path, data, overwrite=overwrite)
    return difference


def export_saved_model(checkpoint: Any, path: str | os.PathLike[str], *, overwrite: bool = False) -> float:
    """Writes a model as a folder in TensorFlow's SavedModel format, with the signature "serve".

    Args:
        checkpoint: as in `export_onnx`.
        path: the folder. It must not exist or be empty; with `overwrite` it may hold a SavedModel.
        overwrite: whether an existing SavedModel may be replaced.

    Returns:
        The largest difference from Keras, in network range.

    Raises:
        ExportError: as in `export_onnx`.
        CheckpointError: if the checkpoint is missing or damaged.
        OutputError: if the folder holds something else, or cannot be written.
    """
    target = Path(os.path.realpath(path))
    _check_folder(target, path, overwrite=overwrite)
    model = load(checkpoint)
    served = simplified(copy_of(model))
    import keras
    import tensorflow as tf

    archive = keras.export.ExportArchive()
    archive.track(served)
    archive.add_endpoint("serve", lambda inputs: {"ab": served(inputs)}, input_signature=[signature(served)])
    try:
        with replaced_folder(target) as temporary:
            archive.write_out(str(temporary), verbose=False)
            loaded = tf.saved_model.load(str(temporary))
            difference = checked(model, lambda inputs: loaded.serve(dict(inputs))["ab"], "the SavedModel")
            _check_folder(target, path, overwrite=overwrite)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {reason(error)}") from None
    return difference


def _check_folder(target: Path, path: Any, *, overwrite: bool) -> None:
    if not target.exists():
        return
    if not target.is_dir() or (any(target.iterdir()) and not (target / "saved_model.pb").is_file()):
        raise OutputError(f"cannot write {path}: it exists and is not a SavedModel")
    if any(target.iterdir()) and not overwrite:
        raise ExistsError(path)


def _need(package: str, extra: str) -> Any:
    try:
        return importlib.import_module(package)
    except ImportError:
        raise ExportError(f"{package} is not installed: pip install 'kpalette[{extra}]'") from None


def load(checkpoint: Any) -> Any:
    """Loads a float32 model under TensorFlow.

    Args:
        checkpoint: name of a preset, a checkpoint folder, or a `PaletteNet`, which is copied.

    Returns:
        The model, for calls only.

    Raises:
        ExportError: if Keras is not installed, or its backend is not TensorFlow.
        CheckpointError: if the checkpoint is missing or damaged.
    """
    keras = import_keras()
    if keras.backend.backend() != "tensorflow":
        raise ExportError(f"exports need TensorFlow: Keras runs on {keras.backend.backend()} (KERAS_BACKEND)")
    if not isinstance(checkpoint, str | os.PathLike):
        return copy_of(checkpoint)
    from kpalette.models.checkpoint import load_checkpoint

    return load_checkpoint(checkpoint, dtype="float32")


def copy_of(model: Any, *, tensors: Mapping[str, NDArray[np.float32]] | None = None) -> Any:
    """A float32 copy of a model.

    Args:
        model: a `PaletteNet`.
        tensors: weights by name, as `kpalette.models.variables.tensors_of` returns them; the model's own if None.

    Returns:
        The copy.
    """
    from kpalette.models.preset import build_model, options_of
    from kpalette.models.variables import tensors_of

    weights = dict(tensors_of(model) if tensors is None else tensors)
    config = {"config": options_of(model), "tensors": {}}
    return build_model(type(model), Checkpoint(Path(), config, weights, {}), dtype="float32")


def signature(model: Any) -> dict[str, Any]:
    """TensorFlow's specs of a model's inputs, by name."""
    import tensorflow as tf

    return {name: tf.TensorSpec(x.shape, tf.float32, name=name) for name, x in model.input.items()}


def to_onnx(model: Any) -> Any:
    """Converts a `simplified` model to an `onnx.ModelProto`; an ExportError if tf2onnx is missing."""
    import tensorflow as tf

    tf2onnx = _need("tf2onnx", "export")
    specs = [signature(model)]
    traced = tf.function(lambda inputs: {"ab": model(inputs)}, input_signature=specs)
    proto, _ = tf2onnx.convert.from_function(traced, input_signature=specs, opset=OPSET)
    return proto


def checked(model: Any, exported: Callable[[Inputs], Any], what: str) -> float:
    """Compares an export with its model on random pictures of `CHECKED_SIZES`.

    Args:
        model: the model under Keras.
        exported: runs the export: inputs by name to ab.
        what: name of the export in the message.

    Returns:
        The largest difference, in network range.

    Raises:
        ExportError: if the difference is above `TOLERANCE`.
    """
    generator = np.random.default_rng(0)
    differences = []
    for number, (batch, height, width) in enumerate(CHECKED_SIZES):
        lab = generator.uniform(-1, 1, (batch, height, width, 3)) * [1.0, 0.5, 0.5]
        palettes = generator.uniform(-0.5, 0.5, (2, batch, MAX_COLORS, 3))
        mask = np.tile(np.arange(MAX_COLORS) < 4 + number, (batch, 1))
        every = {"lab": lab, "source_palette": palettes[0], "target_palette": palettes[1], "mask": mask}
        inputs = {name: every[name].astype(np.float32) for name in model.input}
        differences.append(np.abs(np.asarray(exported(inputs)) - np.asarray(model(inputs))).max())
    largest = float(np.max(differences))
    if not largest <= TOLERANCE:
        raise ExportError(f"{what} differs from Keras by {largest:.2g} on random pictures, more than {TOLERANCE:g}")
    return largest
