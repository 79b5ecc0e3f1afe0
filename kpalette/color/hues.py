"""Hues as angles, and groups of hues."""

import numpy as np
from numpy.typing import NDArray

from kpalette.types import FloatArray

APART = 40.0
"""Degrees of hue between neighbours of one group, at most."""

LEAST_CHROMA = 10.0
"""Chroma below which a swatch has no hue."""


def hue_turn(one: FloatArray, other: FloatArray) -> FloatArray:
    """The angle between two hues in degrees, 0..180.

    Example:
        >>> float(hue_turn(350.0, 20.0))
        30.0
    """
    turn: FloatArray = np.abs((np.asarray(one) - other + 180.0) % 360.0 - 180.0)
    return turn


def hue_groups(lab: FloatArray) -> NDArray[np.intp]:
    """Groups the colours of a palette by hue: those within `APART` of each other are of one group, and so on.

    Args:
        lab: CIELAB (k, 3).

    Returns:
        The group of each colour, numbered from 0, (k,); -1 for a grey.

    Example:
        >>> from kpalette import Palette
        >>> hue_groups(Palette.parse("red orangered blue grey").lab).tolist()
        [0, 0, 1, -1]
    """
    ab = lab[:, 1:]
    hues = np.degrees(np.arctan2(ab[:, 1], ab[:, 0]))
    coloured = np.hypot(ab[:, 0], ab[:, 1]) >= LEAST_CHROMA
    near = (hue_turn(hues[:, np.newaxis], hues) <= APART) & coloured & coloured[:, np.newaxis]
    groups = np.full(len(ab), -1)
    for i in np.flatnonzero(coloured):
        if groups[i] < 0:
            members = near[i]
            while (grown := near[members].any(axis=0)).sum() > members.sum():
                members = grown
            groups[members] = groups.max() + 1
    return groups


def nearest_hue_group(ab: FloatArray, lab: FloatArray, groups: NDArray[np.intp]) -> NDArray[np.intp]:
    """Finds the group of the colour whose hue is nearest.

    Args:
        ab: colours (..., 2).
        lab: the colours of the palette, (k, 3).
        groups: their groups by `hue_groups`, at least one of them not -1.

    Returns:
        The group of each colour (...).

    Example:
        >>> lab = np.array([[50.0, 60, 0], [50, -60, 0], [50, 0, 0]])
        >>> nearest_hue_group(np.array([[9.0, 1], [-9, 1]]), lab, hue_groups(lab)).tolist()
        [0, 1]
    """
    hues = np.degrees(np.arctan2(lab[:, 2], lab[:, 1]))
    turn = hue_turn(np.degrees(np.arctan2(ab[..., 1], ab[..., 0]))[..., np.newaxis], hues)
    found: NDArray[np.intp] = groups[np.argmin(np.where(groups >= 0, turn, np.inf), axis=-1)]
    return found
