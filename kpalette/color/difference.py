"""Colour differences: CIE 1976 and CIEDE2000, for every array library.

All functions take CIELAB arrays (..., 3) under D65 that broadcast against each other. They return differences (...),
unit delta E, never negative. Gradients are finite everywhere, also at equal colours and at greys.

Source of the equation numbers: G. Sharma, W. Wu, E. N. Dalal, "The CIEDE2000 Color-Difference Formula: Implementation
Notes, Supplementary Test Data, and Mathematical Observations", Color Research and Application 30(1), 2005.
"""

from typing import Any

import numpy as np

from kpalette.color.arrays import as_float, namespace
from kpalette.errors import ArgumentError
from kpalette.types import Array

SAME_COLOR = 1.0
"""CIEDE2000 difference up to which two colours are the same. Rounding to 8 bits makes at most half of it."""

_DEGREES = 180.0 / np.pi
_TINY = 1e-12


def _safe_sqrt(xp: Any, x: Array) -> Array:
    """The square root of x >= 0, with gradient 0 instead of infinity at 0."""
    return xp.where(x > _TINY, xp.sqrt(xp.maximum(x, _TINY)), xp.zeros_like(x))


def _cos(xp: Any, degrees: Array) -> Array:
    return xp.cos(degrees / _DEGREES)


def delta_e_76(lab1: Array, lab2: Array) -> Array:
    """Euclidean distance in CIELAB (CIE 1976).

    Args:
        lab1: CIELAB (..., 3).
        lab2: CIELAB (..., 3), broadcasts against `lab1`.

    Returns:
        Delta E*ab (...).

    Example:
        >>> float(delta_e_76([50, 0, 0], [50, 3, 4]))
        5.0
    """
    difference = as_float(lab1) - as_float(lab2)
    xp = namespace(difference)
    return _safe_sqrt(xp, xp.sum(difference * difference, axis=-1))


def _chroma_weight(xp: Any, chroma: Array) -> Array:
    """sqrt(C^7 / (C^7 + 25^7)): 0 at greys, 1 at saturated colours."""
    seventh = chroma**7
    return _safe_sqrt(xp, seventh / (seventh + 25.0**7))


def _hue(xp: Any, a: Array, b: Array) -> Array:
    """Hue angle in degrees, 0..360; 0 for greys, which have none."""
    grey = a * a + b * b <= _TINY
    angle = xp.arctan2(xp.where(grey, xp.zeros_like(b), b), xp.where(grey, xp.ones_like(a), a)) * _DEGREES
    return xp.where(angle < 0, angle + 360.0, angle)


def delta_e_2000(lab1: Array, lab2: Array) -> Array:
    """CIEDE2000 with kL = kC = kH = 1 (Sharma et al. 2005).

    The distance in CIELAB overrates differences between saturated colours. CIEDE2000 takes the difference apart into
    lightness, chroma and hue, and divides each by a scale that depends on the mean of both colours. A last term couples
    chroma and hue, which corrects blues. Before that, a is stretched by 1 + G at low chroma:

        dE = sqrt((dL / SL)^2 + (dC / SC)^2 + (dH / SH)^2 + RT (dC / SC) (dH / SH))

    Args:
        lab1: CIELAB (..., 3).
        lab2: CIELAB (..., 3), broadcasts against `lab1`.

    Returns:
        Delta E00 (...); agrees with Sharma's 34 test pairs to 1e-4 in float64.

    Example:
        >>> round(float(delta_e_2000([50, 2.6772, -79.7751], [50, 0, -82.7485])), 4)
        2.0425
    """
    lab1, lab2 = as_float(lab1), as_float(lab2)
    xp = namespace(lab1, lab2)
    L1, a1, b1 = lab1[..., 0], lab1[..., 1], lab1[..., 2]
    L2, a2, b2 = lab2[..., 0], lab2[..., 1], lab2[..., 2]
    # Equations (2)-(4)
    mean_chroma = (_safe_sqrt(xp, a1 * a1 + b1 * b1) + _safe_sqrt(xp, a2 * a2 + b2 * b2)) / 2
    G = 0.5 * (1.0 - _chroma_weight(xp, mean_chroma))
    # Equations (5)-(7)
    a1, a2 = a1 * (1.0 + G), a2 * (1.0 + G)
    chroma1, chroma2 = _safe_sqrt(xp, a1 * a1 + b1 * b1), _safe_sqrt(xp, a2 * a2 + b2 * b2)
    hue1, hue2 = _hue(xp, a1, b1), _hue(xp, a2, b2)
    # Equations (8)-(11)
    grey = chroma1 * chroma2 <= _TINY
    turn = hue2 - hue1
    shorter = xp.where(turn > 180.0, turn - 360.0, xp.where(turn < -180.0, turn + 360.0, turn))
    angle = xp.where(grey, xp.zeros_like(turn), shorter)
    dH = 2.0 * _safe_sqrt(xp, chroma1 * chroma2) * xp.sin(angle / 2.0 / _DEGREES)
    # Equations (12)-(14)
    mean = (L1 + L2) / 2, (chroma1 + chroma2) / 2, _mean_hue(xp, hue1, hue2, grey)
    return _scaled(xp, (L2 - L1, chroma2 - chroma1, dH), mean)


def _mean_hue(xp: Any, hue1: Array, hue2: Array, grey: Array) -> Array:
    """Equation (14): the mean on the shorter way round; the sum where one colour is grey and so has hue 0."""
    total = hue1 + hue2
    across_zero = xp.where(total < 360.0, (total + 360.0) / 2, (total - 360.0) / 2)
    mean = xp.where(xp.abs(hue1 - hue2) <= 180.0, total / 2, across_zero)
    return xp.where(grey, total, mean)


def _scaled(xp: Any, differences: tuple[Array, Array, Array], mean: tuple[Array, Array, Array]) -> Array:
    """Equations (15)-(22): the differences dL, dC, dH, scaled by what the mean L, chroma and hue ask for."""
    L, chroma, hue = mean
    # Equation (15)
    T = (
        1.0 - 0.17 * _cos(xp, hue - 30.0) + 0.24 * _cos(xp, 2.0 * hue)
        + 0.32 * _cos(xp, 3.0 * hue + 6.0) - 0.20 * _cos(xp, 4.0 * hue - 63.0)
    )  # fmt: skip
    # Equations (16)-(21)
    theta = 30.0 * xp.exp(-(((hue - 275.0) / 25.0) ** 2))
    RC = 2.0 * _chroma_weight(xp, chroma)
    SL = 1.0 + 0.015 * (L - 50.0) ** 2 / xp.sqrt(20.0 + (L - 50.0) ** 2)
    SC, SH = 1.0 + 0.045 * chroma, 1.0 + 0.015 * chroma * T
    RT = -xp.sin(2.0 * theta / _DEGREES) * RC
    # Equation (22)
    in_L, in_chroma, in_hue = differences[0] / SL, differences[1] / SC, differences[2] / SH
    return _safe_sqrt(xp, in_L * in_L + in_chroma * in_chroma + in_hue * in_hue + RT * in_chroma * in_hue)


_METHODS = {"1976": delta_e_76, "2000": delta_e_2000}


def delta_e(lab1: Array, lab2: Array, *, method: str = "2000") -> Array:
    """Colour difference between CIELAB colours: CIEDE2000, or CIE 1976.

    Args:
        lab1: CIELAB (..., 3).
        lab2: CIELAB (..., 3), broadcasts against `lab1`.
        method: "2000" (CIEDE2000) or "1976" (Euclidean).

    Returns:
        Differences (...), unit delta E.

    Raises:
        ArgumentError: if `method` is neither.

    Example:
        >>> red, orange = kpalette.rgb_to_lab([[1, 0, 0], [1, 0.65, 0]])
        >>> round(float(kpalette.delta_e(red, orange)), 2)
        34.03
    """
    if method not in _METHODS:
        raise ArgumentError(f"`method` must be one of {sorted(_METHODS)}. Received: {method!r}")
    return _METHODS[method](lab1, lab2)
