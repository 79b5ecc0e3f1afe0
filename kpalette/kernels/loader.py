"""Whether a picture gets compiled kernels: Numba is installed, the picture is large, and nothing forbids it.

The choice depends on the picture's size alone, so that a file has one answer on one machine. Kernels and NumPy differ
by rounding: by one level in less than one pixel of a thousand. A server of previews may choose (`using_kernels`).
"""

import importlib
import importlib.util
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from types import ModuleType

LEAST = 1 << 18
"""Pictures of more pixels than this get kernels. To load them takes half a second, as long as NumPy takes for 2 MP."""

VARIABLE = "KPALETTE_KERNELS"
"""The environment variable that forbids kernels where it is 0."""

_chosen: ContextVar[bool | None] = ContextVar("kernels", default=None)
_log = logging.getLogger(__name__)


@contextmanager
def using_kernels(wanted: bool) -> Iterator[None]:
    """Inside, all pictures get kernels, or none does, whatever their size: for servers, which load them only once.

    Example:
        >>> with using_kernels(False):
        ...     kernels_for(10 * LEAST) is None
        True
    """
    token = _chosen.set(wanted)
    try:
        yield
    finally:
        _chosen.reset(token)


def kernels_for(pixels: int) -> ModuleType | None:
    """Returns `kpalette.kernels.planes` for a large picture, else None.

    Example:
        >>> kernels_for(512 * 512) is None
        True
    """
    chosen = _chosen.get()
    wanted = pixels > LEAST if chosen is None else chosen
    if not wanted or os.environ.get(VARIABLE) == "0":
        return None
    return _load()


@cache
def _load() -> ModuleType | None:
    if importlib.util.find_spec("numba") is None:
        return None
    try:
        return importlib.import_module("kpalette.kernels.planes")
    # A Numba that does not fit NumPy raises ImportError; RuntimeError: there is no folder to keep compiled code in.
    except (ImportError, RuntimeError) as error:
        _log.warning("no compiled kernels, large pictures take longer: %s", error)
        return None
