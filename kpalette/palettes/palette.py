"""`Palette`: up to eight colours with their shares, how they are read, and which colour becomes which."""

from collections.abc import Iterable, Iterator
from html import escape
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kpalette.color.gamut import reduce_chroma
from kpalette.color.names import parse_color, rgb_to_levels, split_colors
from kpalette.color.spaces import lab_to_rgb, rgb_to_lab
from kpalette.errors import ArgumentError, PaletteError
from kpalette.types import L_MAX, MAX_COLORS, MIN_COLORS, FloatArray

MATCHES = ("lightness", "order", "nearest")
"""The rules of `Palette.matched`, by which each source colour gets its target colour."""


class Palette:
    """A palette: one to eight colours ("swatches") in order, each with a share; immutable and hashable.

    A palette that is typed or read from a file has 2 to 8 colours. One that is extracted from a picture has fewer than
    asked for if the picture has fewer colours, and so may have 1. `len()` counts the colours, iteration gives them as
    Lab triples, and a notebook shows them.

    Args:
        lab: CIELAB (k, 3), D65, L in 0..100, 1 <= k <= 8.
        shares: how large a part of a picture each colour is, (k,), not negative, scaled to sum 1; equal if None.

    Raises:
        PaletteError: if there are not 1 to 8 colours.
        ArgumentError: if an array has another shape, holds NaN, or a share is negative.

    Example:
        >>> palette = kpalette.Palette.parse("orange, saddlebrown, #800080")
        >>> palette.hex
        ('#ffa500', '#8b4513', '#800080')
        >>> palette.lab[0].round(1)
        array([74.9, 23.9, 79. ])
    """

    def __init__(self, lab: ArrayLike, shares: ArrayLike | None = None) -> None:
        """See the class."""
        self._lab = _checked_lab(lab)
        self._shares = _checked_shares(shares, len(self._lab))
        self._lab.setflags(write=False)
        self._shares.setflags(write=False)

    @classmethod
    def from_rgb(cls, rgb: ArrayLike, shares: ArrayLike | None = None) -> "Palette":
        """Builds a palette from gamma-encoded sRGB.

        Args:
            rgb: (k, 3), floats in 0..1 or integers in 0..255, 1 <= k <= 8.
            shares: as in the constructor.

        Returns:
            The palette.

        Raises:
            ArgumentError: if `rgb` has another shape or range.
        """
        array = _numbers(rgb, "rgb")
        if array.dtype.kind in "iu":
            array = array / 255.0
        if array.ndim != 2 or array.shape[-1] != 3 or not np.all((array >= 0) & (array <= 1)):
            raise ArgumentError(
                "`rgb` must be of shape (k, 3), floats in 0..1 or integers in 0..255. "
                f"Received: shape {array.shape}, values {array.min(initial=0):g} to {array.max(initial=0):g}"
            )
        return cls(rgb_to_lab(np.asarray(array, dtype=np.float64)), shares)

    @classmethod
    def from_hex(cls, colors: Iterable[str]) -> "Palette":
        """Builds a palette of 2 to 8 colours from an iterable of texts, each in any form that `parse` knows."""
        return cls.parse(", ".join(map(str, colors)))

    @classmethod
    def parse(cls, text: str) -> "Palette":
        """Reads 2 to 8 colours from one string.

        Args:
            text: colours separated by commas, semicolons or white space. Each is `#rgb` or `#rrggbb` (without `#`,
                too), `#rgbf` or `#rrggbbff` (opaque), a CSS name, or `rgb(r, g, b)` with numbers in 0..255 or
                percentages.

        Returns:
            The palette in the order given, with equal shares.

        Raises:
            PaletteError: if a colour cannot be read or is not opaque, or there are not 2 to 8 of them.
        """
        if not isinstance(text, str):
            raise ArgumentError(f"`text` must be a string of colours. Received: {text!r}")
        tokens = split_colors(text)
        if not MIN_COLORS <= len(tokens) <= MAX_COLORS:
            raise PaletteError(f"a palette has {MIN_COLORS} to {MAX_COLORS} colours, {len(tokens)} given: {text!r}")
        return cls.from_rgb(np.array([parse_color(token) for token in tokens], dtype=np.float64))

    @property
    def lab(self) -> NDArray[np.float64]:
        """The colours as CIELAB (k, 3), float64, read-only."""
        return self._lab

    @property
    def shares(self) -> NDArray[np.float64]:
        """The share of each colour, (k,), float64, sum 1, read-only."""
        return self._shares

    @property
    def weights(self) -> NDArray[np.float64]:
        """The same as `shares`."""
        return self._shares

    @property
    def rgb(self) -> NDArray[np.float64]:
        """The colours as gamma-encoded sRGB (k, 3) in 0..1; chroma is reduced for those outside sRGB."""
        rgb: NDArray[np.float64] = np.clip(lab_to_rgb(reduce_chroma(self._lab)), 0.0, 1.0)
        return rgb

    @property
    def hex(self) -> tuple[str, ...]:
        """The colours as `#rrggbb`, rounded to 8 bits, half levels up."""
        return tuple(f"#{row.tobytes().hex()}" for row in rgb_to_levels(self.rgb))

    def sorted(self) -> "Palette":
        """The same colours, darkest first."""
        return self.take(np.argsort(self._lab[:, 0], kind="stable"))

    def nearest(self, lab: FloatArray) -> NDArray[np.intp]:
        """Finds the colour of this palette nearest to each of `lab`, CIELAB (..., 3), by CIE 1976: indices (...)."""
        # |x - c|^2 without |x|^2, which is the same for all colours of the palette
        chosen: NDArray[np.intp] = np.argmin(np.sum(self.lab**2, axis=-1) - 2.0 * (lab @ self.lab.T), axis=-1)
        return chosen

    def matched(self, target: "Palette", *, match: str = "lightness") -> "Palette":
        """Chooses for each colour of this (source) palette the target colour that it becomes.

        Args:
            target: at least as many colours as this palette has.
            match: the rule. "lightness": both palettes are sorted by L; where the target has more colours, those with
                the least total squared change of L are taken. "order": the first colour becomes the first, and so on.
                "nearest": the least total distance in Lab (Hungarian method).

        Returns:
            A palette as long as this one: its colour i is what colour i of this one becomes.

        Raises:
            ArgumentError: if `match` is unknown, or the target has fewer colours than this palette.
        """
        return target.take(self.matched_places(target, match=match))

    def matched_places(self, target: "Palette", *, match: str = "lightness") -> NDArray[np.intp]:
        """The same as `matched`, as places in the target, (k,)."""
        if match not in MATCHES:
            raise ArgumentError(f"`match` must be one of {', '.join(MATCHES)}. Received: {match!r}")
        if len(target) < len(self):
            raise ArgumentError(
                f"the source palette has {len(self)} colours and the target {len(target)}: "
                "give at most as many source colours as target colours"
            )
        if match == "order":
            return np.arange(len(self))
        if match == "nearest":
            distance = np.linalg.norm(self._lab[:, None] - target._lab[None], axis=-1)
            return assign(distance)[1]
        return self._by_lightness(target)

    def _by_lightness(self, target: "Palette") -> NDArray[np.intp]:
        source_order = np.argsort(self._lab[:, 0], kind="stable")
        target_order = np.argsort(target._lab[:, 0], kind="stable")
        change = self._lab[source_order, 0][:, None] - target._lab[target_order, 0][None]
        # Of assignments with equal cost one may swap two colours; sorting the columns puts them in order again.
        chosen = np.sort(assign(change**2)[1]) if len(self) < len(target) else np.arange(len(self))
        result = np.empty(len(self), dtype=np.intp)
        result[source_order] = target_order[chosen]
        return result

    def take(self, indices: ArrayLike) -> "Palette":
        """The colours at some places, with their shares, in that order; a place may come more than once."""
        places = np.asarray(indices, dtype=np.intp)
        shares = self._shares[places]
        return Palette(self._lab[places], shares if shares.sum() > 0 else None)

    def __len__(self) -> int:
        """The number of colours."""
        return len(self._lab)

    def __iter__(self) -> Iterator[NDArray[np.float64]]:
        """The colours as Lab triples, in order."""
        return iter(self._lab)

    def __eq__(self, other: object) -> bool:
        """Whether both have exactly the same colours, in the same order, with the same shares."""
        if not isinstance(other, Palette):
            return NotImplemented
        return np.array_equal(self._lab, other._lab) and np.array_equal(self._shares, other._shares)

    def __hash__(self) -> int:
        """A hash of the exact values."""
        return hash((self._lab.tobytes(), self._shares.tobytes()))

    def __repr__(self) -> str:
        """The call that builds the palette again, rounded to 8 bits, with equal shares."""
        return f"Palette.parse({' '.join(self.hex)!r})"

    def _repr_html_(self) -> str:
        """The palette in a notebook: a patch for each colour, with its hex code and share."""
        patches = "".join(
            f'<div><div style="width:72px;height:40px;background:{escape(code)};border:1px solid #8888"></div>'
            f"{escape(code)}<br>{share:.0%}</div>"
            for code, share in zip(self.hex, self._shares, strict=True)
        )
        return f'<div style="display:flex;flex-wrap:wrap;gap:8px;font:12px monospace">{patches}</div>'


def assign(cost: NDArray[np.floating[Any]]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pairs rows and columns of a matrix one-to-one at the least total `cost` (n, m), by the Hungarian method."""
    from scipy.optimize import linear_sum_assignment  # takes half a second to import, and few callers need it

    rows, columns = linear_sum_assignment(cost)
    return rows, columns


def _numbers(values: ArrayLike, name: str) -> NDArray[Any]:
    try:
        array = np.asarray(values)
    except ValueError:
        array = np.asarray(None)
    if array.dtype.kind not in "iuf":
        raise ArgumentError(f"`{name}` must be an array of numbers. Received: {values!r}")
    return array


def _checked_lab(lab: ArrayLike) -> NDArray[np.float64]:
    array = _numbers(lab, "lab").astype(np.float64)
    if array.ndim != 2 or array.shape[1] != 3:
        raise ArgumentError(f"`lab` must be of shape (k, 3). Received: shape {array.shape}")
    if not 1 <= len(array) <= MAX_COLORS:
        raise PaletteError(f"a palette has {MIN_COLORS} to {MAX_COLORS} colours, {len(array)} given")
    if not np.isfinite(array).all() or array[:, 0].min() < -1e-6 or array[:, 0].max() > L_MAX + 1e-6:
        raise ArgumentError("`lab` must be finite, with L in 0..100. Received: " + np.array2string(array, precision=1))
    return array


def _checked_shares(shares: ArrayLike | None, size: int) -> NDArray[np.float64]:
    array = np.ones(size) if shares is None else _numbers(shares, "shares").astype(np.float64)
    if array.shape != (size,) or not np.isfinite(array).all() or array.min() < 0 or array.sum() <= 0:
        raise ArgumentError(f"`shares` must be {size} numbers, none negative, not all 0. Received: {shares!r}")
    scaled: NDArray[np.float64] = array / array.sum()
    return scaled
