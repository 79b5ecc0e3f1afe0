"""Of many colours the few that represent them best: medoids."""

import itertools

import numpy as np
from numpy.typing import NDArray

from kpalette.errors import PaletteError, TooManyColorsError
from kpalette.palettes.palette import Palette
from kpalette.types import MAX_COLORS, MIN_COLORS

_MOST_COLORS = 2048  # to choose from: their distances take 32 MB


def check_size(size: int | None) -> None:
    """PaletteError where `size` is neither None nor a number of colours that a palette may have."""
    whole = isinstance(size, int | np.integer) and not isinstance(size, bool)
    if size is not None and not (whole and MIN_COLORS <= size <= MAX_COLORS):
        raise PaletteError(f"`size` must be a whole number from {MIN_COLORS} to {MAX_COLORS}. Received: {size!r}")


def choose_colors(
    lab: NDArray[np.float64], weights: NDArray[np.float64] | None, *, size: int | None, what: str
) -> Palette:
    """Makes a palette of many colours.

    Args:
        lab: CIELAB (n, 3).
        weights: shares (n,); None where there are none.
        size: how many to take: those that represent all best, in their order. None takes all.
        what: what they are colours of, for the message.

    Returns:
        The palette, its shares those of the colours that each one represents.

    Raises:
        PaletteError: if there are too few or too many colours.
    """
    count = len(lab)
    told = f"{what} has {count} colour{'s' * (count != 1)}"
    if size is None:
        if count < MIN_COLORS:
            raise PaletteError(f"{told}: a palette has {MIN_COLORS} to {MAX_COLORS}")
        if count > MAX_COLORS:
            raise TooManyColorsError(f"{told}: a palette has {MIN_COLORS} to {MAX_COLORS}")
        return Palette(lab, weights)
    if size > count:
        raise PaletteError(f"{told}, {size} asked for")
    if size == count:
        return Palette(lab, weights)
    if count > _MOST_COLORS:
        raise PaletteError(f"{told}: at most {_MOST_COLORS} can be chosen from")
    _, first, which = np.unique(lab, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    distinct = lab[first[order]]
    if size > len(distinct):
        raise PaletteError(f"{told}, of which only {len(distinct)} differ, {size} asked for")
    mass = np.ones(len(distinct))
    if weights is not None:
        mass = np.bincount(which.ravel(), weights).astype(np.float64)[order]
    distance = np.linalg.norm(distinct[:, None] - distinct[None], axis=-1)
    medoids = _medoids(distance, mass, size)
    shares = None if weights is None else np.bincount(distance[:, medoids].argmin(axis=1), mass, minlength=size)
    return Palette(distinct[medoids], shares)


def _medoids(distance: NDArray[np.float64], mass: NDArray[np.float64], size: int) -> NDArray[np.intp]:
    """Indices, ascending, of the `size` points of least total distance (n, n) to all: PAM, Kaufman & Rousseeuw 1990."""
    chosen: list[int] = []
    nearest = np.full(len(distance), np.inf)
    for _ in range(size):
        costs = mass @ np.minimum(nearest[:, None], distance)
        costs[chosen] = np.inf
        chosen.append(int(costs.argmin()))
        nearest = np.minimum(nearest, distance[:, chosen[-1]])
    best, since = float(mass @ nearest), 0
    for place in itertools.cycle(range(size)):
        others = distance[:, chosen[:place] + chosen[place + 1 :]].min(axis=1)
        costs = mass @ np.minimum(others[:, None], distance)
        costs[chosen] = np.inf
        since += 1
        if costs.min() < best * (1 - 1e-12):
            best, chosen[place], since = float(costs.min()), int(costs.argmin()), 0
        if since == size:
            break
    return np.sort(np.array(chosen, dtype=np.intp))
