"""Progress on standard error: a bar on a terminal, a line now and then elsewhere."""

import time
from types import TracebackType
from typing import Any


class ProgressBar:
    """A progress bar on standard error, or lines if that is not a terminal. The first `update` shows the bar.

    Args:
        total: steps of the work; `update` can set it later.
        interval: seconds between two lines where there is no terminal; 0 prints every line.
        quiet: whether to print nothing at all.

    Example:
        >>> with ProgressBar(total=2, quiet=True) as bar:
        ...     bar.update(1, line="1 of 2")
    """

    def __init__(self, *, total: int | None = None, interval: float = 0.0, quiet: bool = False) -> None:
        """See the class."""
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._console = Console(stderr=True, quiet=quiet, highlight=False, soft_wrap=True)
        self._terminal = self._console.is_terminal and not quiet
        columns: Any = (
            BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}", markup=False),
        )  # fmt: skip
        self._bar = Progress(*columns, console=self._console)
        self._task = self._bar.add_task("", total=total)
        self._interval, self._last = interval, time.monotonic()
        self._shown = False

    def __enter__(self) -> "ProgressBar":
        """The bar itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leaves the bar as it is and goes to the next line."""
        if self._shown:
            self._bar.stop()

    def say(self, text: str) -> None:
        """Prints a line above the bar."""
        self._console.print(text, markup=False)

    def update(self, done: int, *, total: int | None = None, note: str = "", line: str = "") -> None:
        """Shows how far the work is.

        Args:
            done: steps done so far.
            total: steps of the work; as before if None.
            note: short text beside the bar.
            line: what is printed instead where there is no terminal; nothing if empty.
        """
        if self._terminal:
            if not self._shown:
                self._bar.start()
                self._shown = True
            self._bar.update(self._task, completed=done, total=total, description=note)
        elif line and time.monotonic() - self._last >= self._interval:
            self._last = time.monotonic()
            self.say(line)


def duration(seconds: float) -> str:
    """A time in words: "40 seconds", "12 minutes", "2.5 hours"."""
    if seconds < 90:
        return f"{seconds:.0f} seconds"
    minutes = seconds / 60
    return f"{minutes:.0f} minutes" if minutes < 90 else f"{minutes / 60:.1f} hours"
