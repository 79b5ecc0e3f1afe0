"""How kernels are compiled: at their first call, once for each machine; then they are read from Numba's cache."""

from collections.abc import Callable
from typing import Any

import numba


def kernel(function: Callable[..., Any]) -> Any:
    """Compiles a function. It runs without the interpreter lock; a product and a sum may become one operation."""
    compile_it = numba.njit(nogil=True, cache=True, error_model="numpy", fastmath={"contract", "nsz"})
    return compile_it(function)
