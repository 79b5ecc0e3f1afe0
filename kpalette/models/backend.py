"""Keras and its backend, imported when first needed.

Modules with networks import Keras from here (`from kpalette.models.backend import keras`). On a machine without a
backend the error then says in one line what to install and what to set.
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
    """Keras or its backend is not installed, or the backend cannot run the networks.

    Example:
        >>> raise BackendError("Keras is not installed")
        Traceback (most recent call last):
        kpalette.models.backend.BackendError: Keras is not installed
    """


def import_keras() -> Any:
    """Imports Keras, with little output and with as many threads as kpalette may use.

    Returns:
        The module `keras`.

    Raises:
        BackendError: if Keras or its backend is missing, or KERAS_BACKEND is torch; the message says what to install
            and what to set.
    """
    # TensorFlow's log lines would mix with kpalette's own.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if THREADS_VARIABLE in os.environ:
        os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(thread_count()))
    if _jax_alone():
        os.environ.setdefault("KERAS_BACKEND", "jax")
    _refuse_torch(os.environ.get("KERAS_BACKEND"))
    try:
        keras = importlib.import_module("keras")
    except ImportError:
        raise BackendError(
            "Keras or its backend is not installed: pip install 'kpalette[tensorflow]', or 'kpalette[jax]' and "
            "KERAS_BACKEND=jax (checkpoints that have a graph.onnx need onnxruntime alone)"
        ) from None
    _refuse_torch(keras.backend.backend())  # which Keras' own keras.json can name too
    return keras


def _refuse_torch(backend: str | None) -> None:
    if backend == "torch":
        raise BackendError("kpalette's networks do not run on PyTorch: set KERAS_BACKEND to tensorflow or jax")


def _jax_alone() -> bool:
    """Whether only JAX is installed; Keras would choose TensorFlow by default, and fail."""
    return importlib.util.find_spec("tensorflow") is None and importlib.util.find_spec("jax") is not None


def __getattr__(name: str) -> Any:
    if name in ("keras", "ops"):
        keras = import_keras()
        return keras if name == "keras" else keras.ops
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
