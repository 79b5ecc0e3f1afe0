"""Keras and its backend, imported when they are needed.

The modules of networks take Keras from here (`from kpalette.models.backend import keras`), so that a machine without a
backend says in one line what to install and what to set.
"""

import importlib
import importlib.util
import os
from typing import TYPE_CHECKING, Any

from kpalette.errors import KPaletteError
from kpalette.parallel import THREADS_VARIABLE, thread_count

if TYPE_CHECKING:
    keras: Any
    ops: Any


class BackendError(KPaletteError):
    """Keras or its backend is not installed."""


def import_keras() -> Any:
    """Imports Keras, quietly and on as many threads as kpalette may use.

    Returns:
        The module `keras`.

    Raises:
        BackendError: if Keras or its backend is missing; the message says what to install and what to set.
    """
    # TensorFlow's greetings would stand among kpalette's own lines.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if THREADS_VARIABLE in os.environ:
        os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(thread_count()))
    if _jax_alone():
        os.environ.setdefault("KERAS_BACKEND", "jax")
    try:
        return importlib.import_module("keras")
    except ImportError:
        raise BackendError(
            "Keras or its backend is not installed: pip install 'kpalette[tensorflow]', or 'kpalette[jax]' and "
            "KERAS_BACKEND=jax (checkpoints that have a graph.onnx need onnxruntime alone)"
        ) from None


def _jax_alone() -> bool:
    """Whether JAX is the backend that is installed: Keras would take TensorFlow unless told, and fail."""
    return importlib.util.find_spec("tensorflow") is None and importlib.util.find_spec("jax") is not None


def __getattr__(name: str) -> Any:
    if name in ("keras", "ops"):
        keras = import_keras()
        return keras if name == "keras" else keras.ops
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
