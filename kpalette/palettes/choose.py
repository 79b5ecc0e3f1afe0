"""Choosing a few colours that represent many: medoids."""

import itertools

import numpy as np
from numpy.typing import NDArray

from kpalette.errors import PaletteError, TooManyColorsError
from kpalette.palettes.palette import Palette
from kpalette.types import MAX_COLORS, MIN_COLORS

_MOST_COLORS = 2048  # the distances between so many colours take 32 MB


def check_size(size: int | None) -> None:
    """Checks a number of colours.

    Args:
        size: None, or how many colours a palette is to have.

    Raises:
        PaletteError: if it is neither None nor a whole number from 2 to 8.
    """
    whole = isinstance(size, int | np.integer) and not isinstance(size, bool)
    if size is not None and not (whole and MIN_COLORS <= size <= MAX_COLORS):
        raise PaletteError(f"`size` must be a whole number from {MIN_COLORS} to {MAX_COLORS}. Received: {size!r}")


def choose_colors(
    lab: NDArray[np.float64], shares: NDArray[np.float64] | None, *, size: int | None, what: str
) -> Palette:
    """Makes a palette of some of many colours.

    Args:
        lab: CIELAB (n, 3).
        shares: shares (n,); None if there are none.
        size: how many colours to take: those that represent all of them best, in their order. None takes all.
        what: where the colours come from, for the message.

    Returns:
        The palette. The share of each colour is the sum of the shares of those that it represents.

    Raises:
        TooManyColorsError: if `size` is None and there are more than 8 colours.
        PaletteError: if there are too few colours, or more than 2048 to choose from.
    """
    count = len(lab)
    fault = f"{what} has {count} colour{'s' * (count != 1)}"
    if size is None and count < MIN_COLORS:
        raise PaletteError(f"{fault}: a palette has {MIN_COLORS} to {MAX_COLORS}")
    if size is None and count > MAX_COLORS:
        raise TooManyColorsError(f"{fault}: a palette has {MIN_COLORS} to {MAX_COLORS}")
    if size is None or size == count:
        return Palette(lab, shares)
    if size > count:
        raise PaletteError(f"{fault}, {size} asked for")
    if count > _MOST_COLORS:
        raise PaletteError(f"{fault}: at most {_MOST_COLORS} can be chosen from")
    _, first, which = np.unique(lab, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    distinct = lab[first[order]]
    if size > len(distinct):
        raise PaletteError(f"{fault}, of which only {len(distinct)} differ, {size} asked for")
    mass = np.ones(len(distinct))
    if shares is not None:
        mass = np.bincount(which.ravel(), shares).astype(np.float64)[order]
    distance = np.linalg.norm(distinct[:, None] - distinct[None], axis=-1)
    medoids = _medoids(distance, mass, size)
    represented = None if shares is None else np.bincount(distance[:, medoids].argmin(axis=1), mass, minlength=size)
    return Palette(distinct[medoids], represented)


def _medoids(distance: NDArray[np.float64], mass: NDArray[np.float64], size: int) -> NDArray[np.intp]:
    """Finds the points with the least total distance from all points to the nearest of them.

    Partitioning around medoids (Kaufman and Rousseeuw 1990). First the points are chosen one by one, each so that the
    total distance becomes as small as possible. Then each chosen point in turn is exchanged for the best other point,
    until a whole round of exchanges improves nothing.

    Args:
        distance: between all points, (n, n).
        mass: weight of each point, (n,).
        size: how many points to choose.

    Returns:
        Indices of the points, ascending.
    """
    chosen: list[int] = []
    nearest = np.full(len(distance), np.inf)
    for _ in range(size):
        costs = mass @ np.minimum(nearest[:, None], distance)
        costs[chosen] = np.inf
        chosen.append(int(costs.argmin()))
        nearest = np.minimum(nearest, distance[:, chosen[-1]])
    best, unimproved = float(mass @ nearest), 0
    for place in itertools.cycle(range(size)):
        to_others = distance[:, chosen[:place] + chosen[place + 1 :]].min(axis=1)
        costs = mass @ np.minimum(to_others[:, None], distance)
        costs[chosen] = np.inf
        unimproved += 1
        if costs.min() < best * (1 - 1e-12):
            best, chosen[place], unimproved = float(costs.min()), int(costs.argmin()), 0
        if unimproved == size:
            break
    return np.sort(np.array(chosen, dtype=np.intp))
