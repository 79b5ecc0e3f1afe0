"""How far a search is: run n of N, and the time that is left."""

import math
import time
from collections.abc import Callable, Sequence

from kpalette.search.records import OBJECTIVE, Record


class Progress:
    """Tells of runs as they begin and end.

    Args:
        total: runs of the search, at most.
        earlier: the runs of earlier sessions.
        say: takes lines.
    """

    def __init__(self, total: int, earlier: Sequence[Record], *, say: Callable[[str], None]) -> None:
        """See the class."""
        self.total, self.done, self.say = total, len(earlier), say
        self.fresh = 0
        self.started = time.monotonic()
        self.best = min((_rank(record) for record in earlier if not record.failed), default=(0, math.inf))

    def begin(self, name: str) -> None:
        """A run begins."""
        self.say(f"run {self.done + 1} of {self.total}: {name}")

    def end(self, record: Record, fresh: bool) -> None:
        """A run has ended; time left is told by those that trained just now."""
        self.done += 1
        self.fresh += fresh
        if record.failed:
            text = f"failed: {record.reason}"
        else:
            text = f"{OBJECTIVE} {record.figures[OBJECTIVE]:.6f}{' (best)' if _rank(record) < self.best else ''}"
            self.best = min(self.best, _rank(record))
        self.say(f"run {self.done} of {self.total}: {text}, {record.seconds:.0f} s{self._left()}")

    def _left(self) -> str:
        left = self.total - self.done
        if not left or not self.fresh:
            return ""
        seconds = (time.monotonic() - self.started) / self.fresh * left
        return f"; about {_duration(seconds)} left"


def _rank(record: Record) -> tuple[int, float]:
    """Least of the best: of runs that differ in updates, hyperband's, only those of the most can be."""
    return -record.updates, record.figures[OBJECTIVE]


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} seconds"
    minutes = seconds / 60
    return f"{minutes:.0f} minutes" if minutes < 90 else f"{minutes / 60:.1f} hours"
