"""Errors of kpalette: one base class, one subclass for each kind of fault, and helpers for their messages.

Each message is one line. It says what is wrong, with which file or argument, and what to do. Messages name arguments of
Python functions; the command line replaces them by its options (`kpalette.cli.words`).
"""

import os


class KPaletteError(Exception):
    """Base of every error that kpalette raises on purpose; any other exception is a defect.

    Example:
        >>> try:
        ...     picture = kpalette.read_image("missing.png")
        ... except kpalette.KPaletteError as error:
        ...     print(error)
        missing.png does not exist
    """


class ArgumentError(KPaletteError, ValueError):
    """An argument has a wrong type, shape, range or name.

    Example:
        >>> kpalette.delta_e([50, 0, 0], [60, 0, 0], method="1931")
        Traceback (most recent call last):
        kpalette.errors.ArgumentError: `method` must be one of ['1976', '2000']. Received: '1931'
    """


class PaletteError(KPaletteError, ValueError):
    """A palette or one of its colours cannot be read, or there are too few or too many colours.

    Example:
        >>> kpalette.find_palette("orange, purpel")
        Traceback (most recent call last):
        kpalette.errors.PaletteError: unknown colour 'purpel': did you mean 'purple'?
    """


class ImageError(KPaletteError):
    """A picture cannot be read, is too large, or has no visible pixel.

    Example:
        >>> import io
        >>> kpalette.read_image(io.BytesIO(b"not a picture"), name="notes.txt")
        Traceback (most recent call last):
        kpalette.errors.ImageError: notes.txt is not a readable picture: only AVIF, BMP, GIF, ...
    """


class OutputError(KPaletteError):
    """A file or folder cannot be written, or must not be replaced.

    Example:
        >>> kpalette.write_image("result.xyz", np.zeros((1, 1, 3), np.uint8))
        Traceback (most recent call last):
        kpalette.errors.OutputError: cannot tell the format of result.xyz: use one of .avif, ...
    """


class ExistsError(OutputError):
    """A file or folder exists already, and the caller did not ask to replace it.

    Args:
        path: the file or folder.

    Example:
        >>> str(ExistsError("a.png"))
        'a.png exists already: use overwrite=True to replace it'
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """See the class."""
        # The argument itself, not the message: pickle rebuilds an exception from `args`.
        super().__init__(os.fspath(path))
        self.path = os.fspath(path)

    def __str__(self) -> str:
        """The message."""
        return f"{self.path} exists already: use overwrite=True to replace it"


class TransparencyError(OutputError):
    """A file format cannot hold the transparency of a picture.

    Args:
        fault: which format cannot hold what.

    Example:
        >>> str(TransparencyError("JPEG cannot hold the picture's transparency"))
        "JPEG cannot hold the picture's transparency: write .png or .webp, or use background='white'"
    """

    def __init__(self, fault: str) -> None:
        """See the class."""
        super().__init__(fault)
        self.fault = fault

    def __str__(self) -> str:
        """The message."""
        return f"{self.fault}: write .png or .webp, or use background='white'"


class TooManyColorsError(PaletteError):
    """A palette has more colours than are allowed, and the caller did not say how many to take.

    Args:
        fault: what has how many colours, and how many are allowed.

    Example:
        >>> str(TooManyColorsError("moss.gpl has 32 colours: a palette has 2 to 8"))
        'moss.gpl has 32 colours: a palette has 2 to 8, size=N takes the N that represent it best'
    """

    def __init__(self, fault: str) -> None:
        """See the class."""
        super().__init__(fault)
        self.fault = fault

    def __str__(self) -> str:
        """The message."""
        return f"{self.fault}, size=N takes the N that represent it best"


def one_line(text: object) -> str:
    r"""Escapes line ends and control characters, so that any text fits on one line.

    Args:
        text: anything, often a file name or an error.

    Returns:
        Its text, on one line.

    Example:
        >>> print(one_line("two\nlines"))
        two\nlines
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))


def reason(error: BaseException) -> str:
    """The cause that an exception names, for the end of a message of kpalette.

    Args:
        error: any exception.

    Returns:
        The first line of its message; for an error of the operating system the plain text, without path and number.

    Example:
        >>> reason(FileNotFoundError(2, "No such file or directory", "a.png"))
        'No such file or directory'
    """
    text = getattr(error, "strerror", None) or str(error).strip() or type(error).__name__
    return str(text).splitlines()[0]
