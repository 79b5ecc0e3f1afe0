"""ONNX Runtime: a graph's bytes to a function."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kpalette.errors import KPaletteError, reason
from kpalette.parallel import thread_count

Inputs = Mapping[str, NDArray[np.float32]]


class ExportError(KPaletteError):
    """A model that cannot be exported or run here, or whose export differs from it."""


def import_onnxruntime() -> Any:
    """ONNX Runtime; ExportError that says how to install it where it is missing."""
    try:
        import onnxruntime
    except ImportError as error:
        raise ExportError(f"onnxruntime cannot be imported (pip install onnxruntime): {reason(error)}") from None
    return onnxruntime


def onnx_session(data: bytes, *, weights: Mapping[str, NDArray[np.float32]] | None = None) -> Callable[[Inputs], Any]:
    """A function that runs an ONNX graph; nothing but ONNX Runtime is needed.

    Args:
        data: the file's bytes.
        weights: initialisers that the graph names and does not hold.

    Returns:
        From inputs by name, of which it takes those that the graph has, to the first output; safe in threads.

    Raises:
        ExportError: if ONNX Runtime is not installed, or does not take the graph.
    """
    runtime = import_onnxruntime()
    options = runtime.SessionOptions()
    options.intra_op_num_threads = thread_count()
    options.log_severity_level = 3
    # Threads that spin between operators take the cores from whatever else runs, from kpalette's own strips too.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # The session reads them where they lie: they must live as long.
    kept = {name: runtime.OrtValue.ortvalue_from_numpy(value) for name, value in (weights or {}).items()}
    if kept:
        options.add_external_initializers(list(kept), list(kept.values()))
    try:
        session = runtime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime has a class of its own for each code of failure, under no public base
        raise ExportError(f"ONNX Runtime does not take the graph: {reason(error)}") from None
    names = [node.name for node in session.get_inputs()]

    def run(inputs: Inputs) -> Any:
        assert kept is not None
        return session.run(None, {name: inputs[name] for name in names})[0]

    return run
