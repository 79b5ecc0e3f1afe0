"""Which picture formats are read and written, and what their decoders raise."""

import struct
import zlib

from PIL import Image

# What Pillow's decoders were seen to raise on malformed files; struct and lookup errors come from chunk parsers.
DECODER_ERRORS = (
    OSError, ValueError, SyntaxError, NotImplementedError, EOFError, LookupError, TypeError, ArithmeticError,
    MemoryError, RuntimeError, AttributeError, AssertionError, struct.error, zlib.error,
    Image.DecompressionBombError,
)  # fmt: skip

FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP")
"""What is read and written: an allow-list, so that no seldom-used decoder ever sees a stranger's file."""
