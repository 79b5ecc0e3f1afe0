"""Which picture formats are read and written, what their decoders raise, and what may be entered around them."""

import struct
import zlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TypeAlias

from PIL import Image

# What Pillow's decoders were seen to raise on malformed files; struct and lookup errors come from chunk parsers.
DECODER_ERRORS = (
    OSError, ValueError, SyntaxError, NotImplementedError, EOFError, LookupError, TypeError, ArithmeticError,
    MemoryError, RuntimeError, AttributeError, AssertionError, struct.error, zlib.error,
    Image.DecompressionBombError,
)  # fmt: skip

FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP")
"""What is read and written: an allow-list, so that no seldom-used decoder ever sees a stranger's file."""

Guard: TypeAlias = Callable[[], AbstractContextManager[None]]
"""Makes the context manager that is entered around a decoder or encoder.

C libraries print to standard error; a program that owns its process can keep them from it. `contextlib.nullcontext`
does nothing.
"""
