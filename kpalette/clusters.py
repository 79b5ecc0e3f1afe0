"""Which of a picture's colours belong to which swatch, batched and in any array library: for training.

`kpalette.soft` computes the same for one picture, in NumPy and faster.
"""

from functools import reduce
from typing import Any

from kpalette.arrays import namespace
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
