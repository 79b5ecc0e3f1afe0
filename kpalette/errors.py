"""The errors that kpalette raises on purpose: all that the command line and the page catch.

Each message is one line that says what is wrong, with which file or argument, and what to do.
"""


class KPaletteError(Exception):
    """Base of every error that kpalette raises on purpose."""


class ArgumentError(KPaletteError, ValueError):
    """An argument has a wrong type, shape, range or name."""


class PaletteError(KPaletteError, ValueError):
    """Colours that cannot be parsed, or too few or too many of them."""


class ImageError(KPaletteError):
    """A picture that cannot be read, or not within the limits."""


class OutputError(KPaletteError):
    """A file that cannot be written, or must not be overwritten."""
