"""Array libraries: `namespace(x)` returns the functions of the library that the array `x` belongs to.

Formulas are written once, with NumPy's names (`xp.where`, `xp.clip`, ...), and so run on NumPy, TensorFlow, JAX and
Keras. NumPy, JAX and `keras.ops` share these names. TensorFlow has other names for some: a table translates them.
(`keras.ops` is no replacement: inside `tf.data.Dataset.map` it fails if the backend of Keras is not TensorFlow.)

A library is imported only if an argument belongs to it, so that it is loaded already.
"""

import importlib
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np

from kpalette.errors import ArgumentError
from kpalette.types import Array

_TENSORFLOW_NAMES = {
    "abs": "abs", "arctan2": "math.atan2", "clip": "clip_by_value", "concatenate": "concat", "cos": "cos",
    "exp": "exp", "floor": "floor", "logical_and": "logical_and", "maximum": "maximum", "minimum": "minimum",
    "ones_like": "ones_like", "reshape": "reshape", "sin": "sin", "sqrt": "sqrt", "stack": "stack",
    "sum": "reduce_sum", "where": "where", "zeros_like": "zeros_like",
}  # fmt: skip


def namespace(*arrays: Array) -> Any:
    """Returns the functions of an array library, under NumPy's names.

    Args:
        *arrays: arrays, tensors, numbers or nested lists. The first that belongs to a library other than NumPy decides.

    Returns:
        `numpy`, `jax.numpy`, `keras.ops`, or TensorFlow's functions under NumPy's names.

    Raises:
        ArgumentError: if an array belongs to a library that kpalette does not support.

    Example:
        >>> namespace([1, 2], np.zeros(2)) is np
        True
    """
    for array in arrays:
        owner = type(array).__module__.split(".")[0]
        if owner not in ("builtins", "numpy"):
            return _functions_of(owner)
    return np


@cache
def _functions_of(owner: str) -> Any:
    if owner == "tensorflow":
        return _tensorflow()
    if owner in ("jax", "jaxlib"):
        return importlib.import_module("jax.numpy")
    if owner == "keras":
        return importlib.import_module("keras.ops")
    raise ArgumentError(
        f"Arrays must be of NumPy, TensorFlow, JAX or Keras. Received: an object of package {owner!r}; "
        "convert it with numpy.asarray first."
    )


def _tensorflow() -> SimpleNamespace:
    tf = importlib.import_module("tensorflow")
    functions: dict[str, Any] = {}
    for name, path in _TENSORFLOW_NAMES.items():
        target: Any = tf
        for part in path.split("."):
            target = getattr(target, part)
        functions[name] = target
    return SimpleNamespace(**functions)


def as_float(x: Array) -> Array:
    """Returns an array as floats of at least 32 bits, in its own library: colour formulas need that precision.

    Args:
        x: array, tensor or nested list, any shape.

    Returns:
        The same values. float64 stays; NumPy's integers and lists become float64; all else becomes float32.

    Example:
        >>> as_float([1, 2]).dtype
        dtype('float64')
    """
    if namespace(x) is np:
        array = np.asarray(x)
        if array.dtype in (np.float32, np.float64):
            return array
        return array.astype(np.float32 if array.dtype == np.float16 else np.float64)
    dtype = getattr(x.dtype, "name", str(x.dtype))
    if dtype in ("float32", "float64"):
        return x
    owner = type(x).__module__.split(".")[0]
    if owner == "tensorflow":
        return importlib.import_module("tensorflow").cast(x, "float32")
    if owner == "keras":
        return importlib.import_module("keras.ops").cast(x, "float32")
    return x.astype("float32")
