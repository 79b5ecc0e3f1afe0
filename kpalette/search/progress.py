"""Progress of a search: run n of N, its result, and the time left."""

import math
import time
from collections.abc import Callable, Sequence

from kpalette.report.progress import duration
from kpalette.search.records import OBJECTIVE, SearchRecord


class SearchProgress:
    """Prints a line when a run begins and when it ends.

    Args:
        total: largest number of runs of the search.
        earlier: records of earlier sessions.
        say: prints a line.

    Example:
        >>> SearchProgress(12, [], say=print).begin("batch 8, seed 0")
        run 1 of 12: batch 8, seed 0
    """

    def __init__(self, total: int, earlier: Sequence[SearchRecord], *, say: Callable[[str], None]) -> None:
        """See the class."""
        self.total, self.done, self.say = total, len(earlier), say
        self.fresh = 0
        self.started = time.monotonic()
        self.best = min((_rank(record) for record in earlier if not record.failed), default=(0, math.inf))

    def begin(self, name: str) -> None:
        """Prints that a run begins."""
        self.say(f"run {self.done + 1} of {self.total}: {name}")

    def end(self, record: SearchRecord, fresh: bool) -> None:
        """Prints the result of a run; the time left is estimated from the fresh runs, which trained just now."""
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
        return f"; about {duration(seconds)} left"


def _rank(record: SearchRecord) -> tuple[int, float]:
    """Sort key, least for the best run: more updates come before fewer (with hyperband), then less error."""
    return -record.updates, record.figures[OBJECTIVE]
