"""`Palette`: an ordered set of swatches with weights, how it is parsed, and which swatch becomes which."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kpalette.color.gamut import reduce_chroma
from kpalette.color.names import parse_color, split_colors
from kpalette.color.spaces import lab_to_rgb, rgb_to_lab
from kpalette.errors import ArgumentError, PaletteError
from kpalette.types import L_MAX, MAX_COLORS, MIN_COLORS, FloatArray

MATCHES = ("lightness", "order", "nearest")
"""Rules by which source swatches find their target swatches (`Palette.matched`)."""


class Palette:
    """Up to eight ordered swatches with weights; immutable, hashable.

    A palette asked for by a person has 2 to 8 swatches; one taken from a picture of a single colour has 1.

    Args:
        lab: CIELAB (k, 3), D65, L in 0..100, 1 <= k <= 8.
        weights: shares (k,), not negative, scaled here to sum 1; equal if None.

    Raises:
        PaletteError: if the number of swatches is not 1 to 8.
        ArgumentError: if an array has another shape, holds NaN, or weights are negative.
    """

    def __init__(self, lab: ArrayLike, weights: ArrayLike | None = None) -> None:
        """See the class."""
        self._lab = _checked_lab(lab)
        self._weights = _checked_weights(weights, len(self._lab))
        self._lab.setflags(write=False)
        self._weights.setflags(write=False)

    @classmethod
    def from_rgb(cls, rgb: ArrayLike, weights: ArrayLike | None = None) -> "Palette":
        """Builds a palette from gamma-encoded sRGB (k, 3) in 0..1 (floats) or 0..255 (integers)."""
        array = _numbers(rgb, "rgb")
        if array.dtype.kind in "iu":
            array = array / 255.0
        if array.ndim != 2 or array.shape[-1] != 3 or not np.all((array >= 0) & (array <= 1)):
            raise ArgumentError(
                "`rgb` must be of shape (k, 3), floats in 0..1 or integers in 0..255. "
                f"Received: shape {array.shape}, values {array.min(initial=0):g} to {array.max(initial=0):g}"
            )
        return cls(rgb_to_lab(np.asarray(array, dtype=np.float64)), weights)

    @classmethod
    def from_hex(cls, colors: Iterable[str]) -> "Palette":
        """Builds a palette of 2 to 8 colours from strings, each in any form that `parse` knows."""
        return cls.parse(", ".join(map(str, colors)))

    @classmethod
    def parse(cls, text: str) -> "Palette":
        """Reads 2 to 8 colours from one string.

        Args:
            text: colours separated by commas, semicolons or white space, each `#rgb`, `#rrggbb` (the `#` may be left
                out), a CSS name, or `rgb(r, g, b)` with numbers in 0..255 or percentages.

        Returns:
            The palette in the order given, equal weights.

        Raises:
            PaletteError: names the first colour that cannot be read, or the wrong number of them.
        """
        if not isinstance(text, str):
            raise ArgumentError(f"`text` must be a string of colours. Received: {text!r}")
        tokens = split_colors(text)
        if not MIN_COLORS <= len(tokens) <= MAX_COLORS:
            raise PaletteError(f"a palette has {MIN_COLORS} to {MAX_COLORS} colours, {len(tokens)} given: {text!r}")
        return cls.from_rgb(np.array([parse_color(token) for token in tokens], dtype=np.float64))

    @property
    def lab(self) -> NDArray[np.float64]:
        """Swatches as CIELAB (k, 3), float64, read-only."""
        return self._lab

    @property
    def weights(self) -> NDArray[np.float64]:
        """Shares (k,), float64, sum 1, read-only."""
        return self._weights

    @property
    def rgb(self) -> NDArray[np.float64]:
        """Swatches as gamma-encoded sRGB (k, 3) in 0..1; those outside sRGB lose chroma first."""
        rgb: NDArray[np.float64] = np.clip(lab_to_rgb(reduce_chroma(self._lab)), 0.0, 1.0)
        return rgb

    @property
    def hex(self) -> tuple[str, ...]:
        """Swatches as `#rrggbb`, rounded to 8 bits."""
        return tuple("#" + "".join(f"{value:02x}" for value in row) for row in np.rint(self.rgb * 255).astype(int))

    def sorted(self) -> "Palette":
        """Returns the same swatches, darkest first."""
        return self._take(np.argsort(self._lab[:, 0], kind="stable"))

    def nearest(self, lab: FloatArray) -> NDArray[np.intp]:
        """The swatch nearest to each colour by CIE 1976: CIELAB (..., 3) to places in the palette (...)."""
        # |x - c|^2 without |x|^2, which is the same for all swatches
        chosen: NDArray[np.intp] = np.argmin(np.sum(self.lab**2, axis=-1) - 2.0 * (lab @ self.lab.T), axis=-1)
        return chosen

    def matched(self, target: "Palette", *, match: str = "lightness") -> "Palette":
        """Chooses for each of these (source) swatches the target swatch that it becomes.

        Args:
            target: at least as many swatches as this palette has.
            match: "lightness" (both sorted by L; the least total squared change of L where the target has more),
                "order" (first becomes first), or "nearest" (least total distance in Lab, Hungarian method).

        Returns:
            A palette as long as this one; its i-th swatch is what the i-th of this one becomes.

        Raises:
            ArgumentError: if `match` is unknown or the target has fewer swatches than this palette.
        """
        if match not in MATCHES:
            raise ArgumentError(f"`match` must be one of {', '.join(MATCHES)}. Received: {match!r}")
        if len(target) < len(self):
            raise ArgumentError(
                f"the source palette has {len(self)} colours and the target {len(target)}: "
                "give at most as many source colours as target colours"
            )
        if match == "order":
            return target._take(np.arange(len(self)))
        if match == "nearest":
            distance = np.linalg.norm(self._lab[:, None] - target._lab[None], axis=-1)
            return target._take(assign(distance)[1])
        return target._take(self._by_lightness(target))

    def _by_lightness(self, target: "Palette") -> NDArray[np.intp]:
        source_order = np.argsort(self._lab[:, 0], kind="stable")
        target_order = np.argsort(target._lab[:, 0], kind="stable")
        change = self._lab[source_order, 0][:, None] - target._lab[target_order, 0][None]
        # Ties may cross in the assignment; sorting the chosen columns restores the order at the same cost.
        chosen = np.sort(assign(change**2)[1]) if len(self) < len(target) else np.arange(len(self))
        result = np.empty(len(self), dtype=np.intp)
        result[source_order] = target_order[chosen]
        return result

    def _take(self, indices: NDArray[np.intp]) -> "Palette":
        weights = self._weights[indices]
        return Palette(self._lab[indices], weights if weights.sum() > 0 else None)

    def __len__(self) -> int:
        """Number of swatches."""
        return len(self._lab)

    def __iter__(self) -> Iterator[NDArray[np.float64]]:
        """Swatches as Lab triples, in order."""
        return iter(self._lab)

    def __eq__(self, other: object) -> bool:
        """Same swatches in the same order with the same weights."""
        if not isinstance(other, Palette):
            return NotImplemented
        return np.array_equal(self._lab, other._lab) and np.array_equal(self._weights, other._weights)

    def __hash__(self) -> int:
        """Hash of the exact values."""
        return hash((self._lab.tobytes(), self._weights.tobytes()))

    def __repr__(self) -> str:
        """The call that builds the palette again, to 8 bits."""
        return f"Palette.parse({' '.join(self.hex)!r})"


def assign(cost: NDArray[np.floating[Any]]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of the least total cost (n, m), one-to-one (Hungarian method, SciPy)."""
    from scipy.optimize import linear_sum_assignment  # half a second to import, and few callers need it

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


def _checked_weights(weights: ArrayLike | None, size: int) -> NDArray[np.float64]:
    array = np.ones(size) if weights is None else _numbers(weights, "weights").astype(np.float64)
    if array.shape != (size,) or not np.isfinite(array).all() or array.min() < 0 or array.sum() <= 0:
        raise ArgumentError(f"`weights` must be {size} numbers, none negative, not all 0. Received: {weights!r}")
    shares: NDArray[np.float64] = array / array.sum()
    return shares
