"""Picture formats that are read and written, errors of their decoders, and guards around decoders."""

import struct
import zlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TypeAlias

from PIL import Image

# Every class of error that Pillow's decoders raised on damaged files in tests.
DECODER_ERRORS = (
    OSError, ValueError, SyntaxError, NotImplementedError, EOFError, LookupError, TypeError, ArithmeticError,
    MemoryError, RuntimeError, AttributeError, AssertionError, struct.error, zlib.error,
    Image.DecompressionBombError,
)  # fmt: skip

FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP")
"""The formats that are read and written. Pillow's other decoders, which are used seldom, never get untrusted files."""

Guard: TypeAlias = Callable[[], AbstractContextManager[None]]
"""A function that returns the context manager to enter around a decoder or encoder.

C libraries print to standard error; a program that owns its process can keep them from doing so. The default,
`contextlib.nullcontext`, does nothing.
"""
