"""The twelve runs and four claims of the published study, compared with our runs."""

import math
import statistics
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from typing import Any, NamedTuple

from kpalette.metrics.intervals import bootstrap_interval
from kpalette.search.records import OBJECTIVE, Summary
from kpalette.search.space import STUDY, Dimension, shown

PUBLISHED = {
    (0.01, 8, True): 0.023087, (0.01, 8, False): 0.007394,
    (0.01, 16, True): 0.026323, (0.01, 16, False): 0.014462,
    (0.01, 32, True): 0.015443, (0.01, 32, False): 0.010073,
    (0.0002, 8, True): 0.005155, (0.0002, 8, False): 0.004481,
    (0.0002, 16, True): 0.008075, (0.0002, 16, False): 0.007259,
    (0.0002, 32, True): 0.014070, (0.0002, 32, False): 0.009074,
}  # fmt: skip
"""Mean squared error of the last mini-batch after 5 epochs, by learning rate, batch size and shuffle."""

PUBLISHED_BEST = (0.0002, 8, False)

_Key = tuple[float, int, bool]
_NAMES = ("learning_rate", "batch_size", "shuffle")


class Claim(NamedTuple):
    """A claim of the study, checked on our runs.

    Attributes:
        text: the claim.
        verdict: "holds", "does not hold", or "undecided" if the interval of the difference includes 0.
        evidence: a sentence with the numbers.

    Example:
        >>> Claim("Shuffling is harmful.", "undecided", "no pair of configurations.").verdict
        'undecided'
    """

    text: str
    verdict: str
    evidence: str


def is_study(space: tuple[Dimension, ...]) -> bool:
    """Whether a search varies the study's options over the study's values."""
    return {d.name: set(d.values) for d in space} == {d.name: set(d.values) for d in STUDY}


def key_of(values: Mapping[str, Any]) -> _Key:
    """The key of a configuration in `PUBLISHED`."""
    rate, batch, shuffle = (values[name] for name in _NAMES)
    return rate, batch, shuffle


def claims(summaries: Iterable[Summary]) -> list[Claim]:
    """Checks the study's four claims, by means over seeds.

    The first three compare pairs of configurations that differ in a single option.

    Args:
        summaries: of a search over the study's space, best first, all with the same number of updates.

    Returns:
        The claims: a lower rate is better, a larger batch is worse, shuffling is harmful, and which is best.
    """
    order = list(summaries)
    found = {key_of(summary.values): summary for summary in order}

    def compared(text: str, change: Callable[[_Key], list[_Key]], *, worse: str) -> Claim:
        pairs = [(found[a], found[b]) for a in found for b in change(a) if b in found]
        return _compare(text, pairs, worse=worse)

    sizes = list(pairwise(sorted({key[1] for key in found})))
    return [
        compared(
            "A lower learning rate is better.",
            lambda a: [(0.01, a[1], a[2])] if a[0] == 0.0002 else [], worse="0.01 against 0.0002",
        ),
        compared(
            "A larger batch is worse.",
            lambda a: [(a[0], large, a[2]) for small, large in sizes if a[1] == small],
            worse="the larger batch against the next smaller one",
        ),
        compared(
            "Shuffling is harmful.", lambda a: [(a[0], a[1], True)] if not a[2] else [], worse="on against off",
        ),
        _best(order),
    ]  # fmt: skip


def _compare(text: str, pairs: list[tuple[Summary, Summary]], *, worse: str) -> Claim:
    """Checks that the second of each pair is worse."""
    whole = [(a.mean(OBJECTIVE), b.mean(OBJECTIVE)) for a, b in pairs if not (a.failures or b.failures)]
    left_out = f"; {len(pairs) - len(whole)} pairs with a failed run left out" * (len(whole) < len(pairs))
    if not whole:
        return Claim(text, "undecided", f"{worse}: no pair of configurations{left_out}.")
    ratios = [math.log(b / a) for a, b in whole]
    low, high = bootstrap_interval(ratios)
    verdict = "holds" if low > 0 else "does not hold" if high < 0 else "undecided"
    count = sum(ratio > 0 for ratio in ratios)
    mean, *ends = (f"{math.expm1(value):+.1%}" for value in (statistics.fmean(ratios), low, high))
    return Claim(
        text, verdict,
        f"{worse}: mse {mean} in the geometric mean (95 % interval {' to '.join(ends)}), higher in {count} of "
        f"{len(whole)} pairs of configurations that differ in nothing else{left_out}.",
    )  # fmt: skip


def _best(order: list[Summary]) -> Claim:
    text = "The best is rate 0.0002, batch 8, shuffle off."
    whole = [summary for summary in order if not summary.failures]
    place = next((n for n, summary in enumerate(whole) if key_of(summary.values) == PUBLISHED_BEST), None)
    if place is None:
        return Claim(text, "undecided", "that configuration has no score.")
    rank = f"it is number {place + 1} of {len(order)}, mse {whole[place].mean(OBJECTIVE):.6f}"
    if len(whole) == 1:
        return Claim(text, "holds", f"{rank}: the others failed.")
    other = whole[1] if place == 0 else whole[0]
    rate, batch, shuffle = key_of(other.values)
    rank += f"; {'next' if place == 0 else 'first'} is {rate:g}/{batch}/{shown(shuffle)}, {other.mean(OBJECTIVE):.6f}"
    pairs = zip(whole[place].runs, other.runs, strict=False)
    differences = [b.figures[OBJECTIVE] - a.figures[OBJECTIVE] for a, b in pairs]
    if len(differences) < 2:
        return Claim(text, "undecided", f"{rank}; one seed says nothing about chance.")
    low, high = bootstrap_interval(differences)
    verdict = "holds" if place == 0 and low > 0 else "does not hold" if place and high < 0 else "undecided"
    return Claim(
        text, verdict,
        f"{rank}, seed by seed {statistics.fmean(differences):+.6f} (95 % interval {low:+.6f} to {high:+.6f}).",
    )  # fmt: skip
