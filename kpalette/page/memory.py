"""Memory of a server that runs for days."""

import ctypes
from functools import cache

_M_MMAP_THRESHOLD = -3  # malloc.h
_LARGE = 2**20  # bytes


@cache
def return_freed_memory() -> bool:
    """Makes the C library return freed arrays of a megabyte or more to the system, in the whole process.

    glibc raises this limit to 32 MB as arrays are freed. It then keeps smaller ones in a heap for each thread, and a
    server of pictures takes twice the memory that it uses (`benchmarks/page.py`).

    Returns:
        Whether the C library has this setting; only glibc does.
    """
    try:
        return bool(ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _LARGE))
    except (AttributeError, OSError, TypeError):
        return False
