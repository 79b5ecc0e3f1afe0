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


def one_line(text: object) -> str:
    """Text on one line, whatever stands in a file's name: line ends and control characters as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))


def reason(error: BaseException) -> str:
    """The first line of what an exception says, without paths and numbers where the system gives a plain text."""
    text = getattr(error, "strerror", None) or str(error).strip() or type(error).__name__
    return str(text).splitlines()[0]
