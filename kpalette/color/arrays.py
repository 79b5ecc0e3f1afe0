"""One formula, many array libraries: `namespace(x)` gives the functions that fit the argument.

Formulas are written once against NumPy's names (`xp.where`, `xp.clip`, ...). NumPy, JAX and `keras.ops` share these
names; TensorFlow gets a small table of aliases, because `keras.ops` raises inside `tf.data.Dataset.map` when the Keras
backend is another one. No array library is imported here unless the argument already belongs to it.
"""

import importlib
from types import SimpleNamespace
from typing import Any

import numpy as np

from kpalette.errors import ArgumentError
from kpalette.types import Array

_TENSORFLOW_NAMES = {
    "abs": "abs", "arctan2": "math.atan2", "clip": "clip_by_value", "concatenate": "concat", "cos": "cos",
    "exp": "exp", "floor": "floor", "logical_and": "logical_and", "maximum": "maximum", "minimum": "minimum",
    "ones_like": "ones_like", "sin": "sin", "sqrt": "sqrt", "stack": "stack", "sum": "reduce_sum", "where": "where",
    "zeros_like": "zeros_like",
}  # fmt: skip

_loaded: dict[str, Any] = {}


def namespace(*arrays: Array) -> Any:
    """Returns the array namespace of the first argument that is not a plain Python or NumPy value.

    Args:
        *arrays: arrays, tensors, scalars or nested lists.

    Returns:
        `numpy`, `jax.numpy`, `keras.ops`, or TensorFlow's functions under NumPy's names.

    Raises:
        ArgumentError: if an array belongs to a library that kpalette does not know.
    """
    for array in arrays:
        owner = type(array).__module__.split(".")[0]
        if owner not in ("builtins", "numpy"):
            if owner not in _loaded:
                _loaded[owner] = _load(owner)
            return _loaded[owner]
    return np


def _load(owner: str) -> Any:
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
    """Returns `x` as a floating array of its own library, float32 or wider: colour maths is never done in less.

    Args:
        x: array, tensor or nested list, any shape.

    Returns:
        The same values; float64 stays float64, everything else becomes float32 (lists and integers become float64).
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
