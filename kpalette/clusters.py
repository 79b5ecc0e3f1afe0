"""Which of a picture's colours belong to which swatch, and how they turn, batched and in any array library.

`kpalette.soft` computes the shares for one picture, in NumPy and faster.
"""

from functools import reduce
from typing import Any

from kpalette.color.arrays import namespace
from kpalette.soft import DEFAULT_TAU
from kpalette.types import MAX_COLORS, Array

_FAR = -1e9


def swatch_shares(lab: Array, swatches: Array, mask: Array, *, tau: float = DEFAULT_TAU) -> list[Array]:
    """How much each swatch rules each pixel, as in `kpalette.soft`: in proportion to exp(-|x - C_i|^2 / 2 tau^2).

    Args:
        lab: CIELAB (B, H, W, 3).
        swatches: CIELAB (B, 8, 3).
        mask: (B, 8), 1 for a swatch.
        tau: reach of a swatch in Lab units.

    Returns:
        Eight shares (B, H, W) that sum to 1; 0 for padding.
    """
    xp = namespace(lab)
    scale = -1.0 / (2.0 * tau**2)
    exponents = []
    for i in range(MAX_COLORS):
        d: list[Any] = [lab[..., c] - swatches[:, i, c, None, None] for c in range(3)]
        hidden = (1.0 - mask[:, i, None, None]) * _FAR
        exponents.append((d[0] * d[0] + d[1] * d[1] + d[2] * d[2]) * scale + hidden)
    most = reduce(xp.maximum, exponents)
    raw = [xp.exp(exponent - most) for exponent in exponents]
    total = sum(raw[1:], raw[0])
    return [share / total for share in raw]


def swatch_turns(source: Array, target: Array, *, slack: float, most: float) -> Array:
    """What turns and scales the ab of each source swatch into that of its target, both taken as complex numbers.

    r = (T conj(C) + slack) / (|C|^2 + slack): as if each pair came with a neutral one that stays neutral, of that
    weight. A colour near C that goes to T + r (x - C) keeps its place among its neighbours in hue and chroma, where
    x + (T - C) keeps it in ab alone; a turn of hue is met almost exactly. 1 where nothing changes.

    Args:
        source: CIELAB, or any multiple of it, (..., 3).
        target: what each becomes, (..., 3).
        slack: square of a chroma, in the same units; grey swatches have no hue to turn, and those below it turn less.
        most: what |r| is cut down to: no cluster spreads more.

    Returns:
        Real and imaginary part of r, (..., 2).
    """
    xp = namespace(source, target)
    ca, cb, ta, tb = source[..., 1], source[..., 2], target[..., 1], target[..., 2]
    weight = ca * ca + cb * cb + slack
    real, imaginary = (ta * ca + tb * cb + slack) / weight, (tb * ca - ta * cb) / weight
    size = xp.sqrt(real * real + imaginary * imaginary + 1e-12)
    scale = xp.minimum(xp.ones_like(size), most / size)
    return xp.stack([real * scale, imaginary * scale], axis=-1)
