"""ONNX Runtime: runs a graph from its bytes."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kpalette.errors import KPaletteError, reason
from kpalette.parallel import thread_count

Inputs = Mapping[str, NDArray[np.float32]]


class ExportError(KPaletteError):
    """A model cannot be exported or run here, or its export gives other results.

    Example:
        >>> onnx_session(b"not a graph")
        Traceback (most recent call last):
        kpalette.runtimes.session.ExportError: ONNX Runtime does not take the graph: ...
    """


def import_onnxruntime() -> Any:
    """Imports ONNX Runtime; if it is missing, an ExportError says how to install it."""
    try:
        import onnxruntime
    except ImportError as error:
        raise ExportError(f"onnxruntime cannot be imported (pip install onnxruntime): {reason(error)}") from None
    return onnxruntime


def onnx_session(data: bytes, *, weights: Mapping[str, NDArray[np.float32]] | None = None) -> Callable[[Inputs], Any]:
    """Opens an ONNX graph; only ONNX Runtime is needed.

    Args:
        data: bytes of the file.
        weights: initialisers that the graph names but does not contain.

    Returns:
        A function from inputs by name to the first output. It ignores inputs that the graph does not have, and several
        threads may call it.

    Raises:
        ExportError: if ONNX Runtime is not installed, or does not take the graph.
    """
    runtime = import_onnxruntime()
    options = runtime.SessionOptions()
    options.intra_op_num_threads = thread_count()
    options.log_severity_level = 3
    # Threads that spin between operators would take the cores from everything else, also from kpalette's own threads.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # The session does not copy the weights, so they must live as long as the session.
    kept = {name: runtime.OrtValue.ortvalue_from_numpy(value) for name, value in (weights or {}).items()}
    if kept:
        options.add_external_initializers(list(kept), list(kept.values()))
    try:
        session = runtime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's error classes have no public base class
        raise ExportError(f"ONNX Runtime does not take the graph: {reason(error)}") from None
    shapes = {node.name: node.shape for node in session.get_inputs()}

    def run(inputs: Inputs) -> Any:
        assert kept is not None
        return session.run(None, {name: _padded(inputs[name], shape) for name, shape in shapes.items()})[0]

    return run


def _padded(value: NDArray[np.float32], shape: list[Any]) -> NDArray[np.float32]:
    """Pads an input with zeros to the sizes that a graph fixes, as older graphs fix 8 swatches."""
    missing = [size - own if isinstance(size, int) else 0 for size, own in zip(shape, value.shape, strict=True)]
    if min(missing) < 0:
        raise ExportError(
            f"this graph takes {shape[1]} swatches at most, not {value.shape[1]}: "
            "write it anew (kpalette export CHECKPOINT --graph --force), or use the runtime keras"
        )
    return np.pad(value, [(0, count) for count in missing]) if any(missing) else value
