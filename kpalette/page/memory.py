"""The memory of a server that works on pictures for days."""

import ctypes
from functools import cache

_M_MMAP_THRESHOLD = -3  # malloc.h
_LARGE = 2**20  # bytes


@cache
def return_freed_memory() -> bool:
    """Has the C library give every freed array of a megabyte or more back to the system; for the whole process.

    glibc raises that limit to 32 MB as arrays are freed, and then keeps smaller ones in a heap for each of its threads:
    a server of pictures comes to hold twice what it uses (`benchmarks/page.py`).

    Returns:
        Whether the C library took it: others than glibc have no such limit, or no way to set it.
    """
    try:
        return bool(ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _LARGE))
    except (AttributeError, OSError, TypeError):
        return False
