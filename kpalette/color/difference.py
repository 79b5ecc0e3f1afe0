"""Colour differences: CIE 1976 and CIEDE2000, each formula once for every array library.

Contract: `lab` arrays (..., 3), CIELAB under D65, that broadcast against each other; the result has shape (...), unit
delta E, never negative; gradients are finite everywhere, at equal colours and at greys too.

Source of the equation numbers: G. Sharma, W. Wu, E. N. Dalal, "The CIEDE2000 Color-Difference Formula: Implementation
Notes, Supplementary Test Data, and Mathematical Observations", Color Research and Application 30(1), 2005.
"""

from typing import Any

import numpy as np

from kpalette.color.arrays import as_float, namespace
from kpalette.errors import ArgumentError
from kpalette.types import Array

_DEGREES = 180.0 / np.pi
_TINY = 1e-12


def _safe_sqrt(xp: Any, x: Array) -> Array:
    return xp.where(x > _TINY, xp.sqrt(xp.maximum(x, _TINY)), xp.zeros_like(x))


def _cos(xp: Any, degrees: Array) -> Array:
    return xp.cos(degrees / _DEGREES)


def delta_e_76(lab1: Array, lab2: Array) -> Array:
    """Euclidean distance in CIELAB (CIE 1976): lab (..., 3) and lab (..., 3) to (...), delta E*ab."""
    difference = as_float(lab1) - as_float(lab2)
    xp = namespace(difference)
    return _safe_sqrt(xp, xp.sum(difference * difference, axis=-1))


def _chroma_weight(xp: Any, chroma: Array) -> Array:
    seventh = chroma**7
    return _safe_sqrt(xp, seventh / (seventh + 25.0**7))


def _hue(xp: Any, a: Array, b: Array) -> Array:
    grey = a * a + b * b <= _TINY
    angle = xp.arctan2(xp.where(grey, xp.zeros_like(b), b), xp.where(grey, xp.ones_like(a), a)) * _DEGREES
    return xp.where(angle < 0, angle + 360.0, angle)


def delta_e_2000(lab1: Array, lab2: Array) -> Array:
    """CIEDE2000 with kL = kC = kH = 1 (Sharma et al. 2005).

    Args:
        lab1: CIELAB (..., 3).
        lab2: CIELAB (..., 3), broadcasts against lab1.

    Returns:
        Delta E00 (...); agrees with Sharma's 34 test pairs to 1e-4 in float64.
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
    C1, C2 = _safe_sqrt(xp, a1 * a1 + b1 * b1), _safe_sqrt(xp, a2 * a2 + b2 * b2)
    h1, h2 = _hue(xp, a1, b1), _hue(xp, a2, b2)
    # Equations (8)-(11)
    dL, dC = L2 - L1, C2 - C1
    grey = C1 * C2 <= _TINY
    turn = h2 - h1
    dh = xp.where(turn > 180.0, turn - 360.0, xp.where(turn < -180.0, turn + 360.0, turn))
    dh = xp.where(grey, xp.zeros_like(dh), dh)
    dH = 2.0 * _safe_sqrt(xp, C1 * C2) * xp.sin(dh / 2.0 / _DEGREES)
    # Equations (12)-(14)
    mean_L, mean_C = (L1 + L2) / 2, (C1 + C2) / 2
    mean_h = _mean_hue(xp, h1, h2, grey)
    return _weighted(xp, (dL, dC, dH), mean_L, mean_C, mean_h)


def _mean_hue(xp: Any, h1: Array, h2: Array, grey: Array) -> Array:
    # Equation (14)
    total = h1 + h2
    far = xp.where(total < 360.0, (total + 360.0) / 2, (total - 360.0) / 2)
    near = xp.where(xp.abs(h1 - h2) <= 180.0, total / 2, far)
    return xp.where(grey, total, near)


def _weighted(xp: Any, differences: tuple[Array, Array, Array], L: Array, C: Array, h: Array) -> Array:
    dL, dC, dH = differences
    # Equation (15)
    T = (
        1.0 - 0.17 * _cos(xp, h - 30.0) + 0.24 * _cos(xp, 2.0 * h)
        + 0.32 * _cos(xp, 3.0 * h + 6.0) - 0.20 * _cos(xp, 4.0 * h - 63.0)
    )  # fmt: skip
    # Equations (16)-(21)
    theta = 30.0 * xp.exp(-(((h - 275.0) / 25.0) ** 2))
    RC = 2.0 * _chroma_weight(xp, C)
    SL = 1.0 + 0.015 * (L - 50.0) ** 2 / xp.sqrt(20.0 + (L - 50.0) ** 2)
    SC, SH = 1.0 + 0.045 * C, 1.0 + 0.015 * C * T
    RT = -xp.sin(2.0 * theta / _DEGREES) * RC
    # Equation (22)
    L, C, H = dL / SL, dC / SC, dH / SH
    return _safe_sqrt(xp, L * L + C * C + H * H + RT * C * H)


_METHODS = {"1976": delta_e_76, "2000": delta_e_2000}


def delta_e(lab1: Array, lab2: Array, *, method: str = "2000") -> Array:
    """Colour difference by name.

    Args:
        lab1: CIELAB (..., 3).
        lab2: CIELAB (..., 3), broadcasts against lab1.
        method: "2000" (CIEDE2000) or "1976" (Euclidean).

    Returns:
        Differences (...), unit delta E.

    Raises:
        ArgumentError: if `method` is neither.
    """
    if method not in _METHODS:
        raise ArgumentError(f"`method` must be one of {sorted(_METHODS)}. Received: {method!r}")
    return _METHODS[method](lab1, lab2)
