"""Error messages of the command line: options take the place of the arguments of Python functions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import click

from kpalette.errors import ExistsError, KPaletteError, TooManyColorsError, TransparencyError


def error_text(error: KPaletteError, *, parameters: Sequence[click.Parameter] = ()) -> str:
    """The message of an error, with options instead of Python arguments.

    Args:
        error: any error of kpalette.
        parameters: the parameters of the command that ran. Their options replace arguments of the same name.

    Returns:
        The message, on as many lines as that of `error`.

    Example:
        >>> error_text(ExistsError("a.png"))
        'a.png exists already: use --force to replace it'
    """
    if isinstance(error, ExistsError):
        return f"{error.path} exists already: use --force to replace it"
    if isinstance(error, TransparencyError):
        return f"{error.fault}: write .png or .webp, or use --background white"
    if isinstance(error, TooManyColorsError):
        return f"{error.fault}, -k N takes the N that represent it best"
    text = str(error)
    for parameter in parameters:
        shown = max(parameter.opts, key=len) if isinstance(parameter, click.Option) else parameter.human_readable_name
        text = text.replace(f"`{parameter.name}`", shown)
    return text


@dataclass(frozen=True)
class InOptionWords:
    """A function whose errors name options instead of Python arguments; picklable if the function is.

    Worker processes run the jobs of a batch: what the command line lists afterwards is the text of their errors.

    Args:
        function: takes any arguments; its `KPaletteError`s are raised anew with the text of `error_text`.

    Example:
        >>> def write(path):
        ...     raise ExistsError(path)
        >>> InOptionWords(write)("a.png")
        Traceback (most recent call last):
        kpalette.errors.KPaletteError: a.png exists already: use --force to replace it
    """

    function: Callable[..., Any]

    def __call__(self, *arguments: Any) -> Any:
        """Calls the function.

        Args:
            *arguments: those of the function.

        Returns:
            The result of the function.

        Raises:
            KPaletteError: if the function raises one.
        """
        try:
            return self.function(*arguments)
        except KPaletteError as error:
            text = error_text(error)
            if text == str(error):
                raise
            raise KPaletteError(text) from None
