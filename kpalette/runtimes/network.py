"""The choice of a network's runtime: ONNX Runtime, TensorFlow, or Keras on another backend."""

import importlib.util
import os
import threading
from collections.abc import Callable, Mapping
from typing import Any

from kpalette.models.backend import import_keras
from kpalette.runtimes.export import load, signature
from kpalette.runtimes.graph import has_graph, open_graph
from kpalette.runtimes.operators import simplified
from kpalette.types import FloatArray
from kpalette.weights.folder import read_checkpoint

RUNTIMES = ("auto", "onnx", "keras")
"""Runtimes of a network. "auto" is ONNX Runtime if it is installed and the checkpoint has a graph, else Keras."""

Network = Callable[[Mapping[str, FloatArray]], Any]
"""A function from inputs by name to ab (1, h, w, 2), network range; it ignores inputs that it does not need."""


def load_network(checkpoint: Any, runtime: str) -> Network:
    """Loads a network.

    Args:
        checkpoint: name of a preset, a checkpoint folder, or a `PaletteNet` (which needs Keras).
        runtime: one of `RUNTIMES`.

    Returns:
        The function that runs the network; several threads may call it.

    Raises:
        KPaletteError: if the weights are missing or damaged, or a package is not installed.
    """
    if isinstance(checkpoint, str | os.PathLike):
        found = read_checkpoint(checkpoint)  # first: Keras takes seconds, and missing weights are the usual error
        with_onnx = has_graph(found) and importlib.util.find_spec("onnxruntime") is not None
        if runtime == "onnx" or (runtime == "auto" and with_onnx):
            return open_graph(found)
    if import_keras().backend.backend() == "tensorflow":
        return _traced(simplified(load(checkpoint)))
    if isinstance(checkpoint, str | os.PathLike):
        from kpalette.models.checkpoint import load_checkpoint

        checkpoint = load_checkpoint(checkpoint, dtype="float32")
    return _predicting(checkpoint)


def _traced(model: Any) -> Network:
    """Runs a model as a TensorFlow graph, traced once for all sizes."""
    import tensorflow as tf

    specs = signature(model)
    traced = tf.function(model, input_signature=[specs]).get_concrete_function()
    return lambda inputs: traced(**{name: tf.constant(inputs[name]) for name in specs})


def _predicting(model: Any) -> Network:
    """Runs a model by Keras, on any backend; JAX compiles again for each size."""
    lock = threading.Lock()

    def run(inputs: Mapping[str, FloatArray]) -> Any:
        with lock:
            return model.predict_on_batch({name: inputs[name] for name in model.input})

    return run
