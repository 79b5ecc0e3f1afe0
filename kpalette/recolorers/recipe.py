"""`Recipe`: how pictures are to be recoloured. With a picture it becomes a `Plan`."""

from dataclasses import dataclass, fields, replace
from itertools import chain
from typing import Any

import numpy as np

from kpalette.color.difference import SAME_COLOR, delta_e
from kpalette.errors import ArgumentError
from kpalette.images.picture import Picture
from kpalette.palettes.convert import as_palette
from kpalette.palettes.extract import METHODS, Sample
from kpalette.palettes.palette import MATCHES, Palette
from kpalette.recolorers.base import Plan, Recolorer
from kpalette.recolorers.flat import find_flat
from kpalette.recolorers.matching import match_objects
from kpalette.recolorers.registry import DEFAULT_MODEL, get_recolorer
from kpalette.recolorers.strength import check_lightness
from kpalette.types import AUTO, MIN_COLORS, TONES


@dataclass(frozen=True)
class Recipe:
    """How pictures are to be recoloured: what a caller, a command line, a batch or the page asks for.

    Attributes:
        target: the palette of 2 to 8 colours. Strings and lists of colours are turned into one by `make_recipe`.
        model: a name of `list_recolorers()`, or a recolorer.
        source: the picture's own palette; extracted from each picture if None.
        match: which source swatch becomes which target swatch: one of `MATCHES`, or "auto", which keeps objects whole
            (`kpalette.recolorers.matching`).
        lightness: lightness strength, 0..1, or "auto": for each picture as much as leaves it the same picture
            (`kpalette.recolorers.strength`).
        tone: how lightness moves: "local" moves regions as wholes and keeps the detail in them, "curve" and "smooth"
            are one curve for the whole picture.
        seed: of the extraction.
        runtime: what computes a network, one of `kpalette.runtimes.network.RUNTIMES`.

    Raises:
        ArgumentError: if a value has a wrong type or range, or `match` is unknown.

    Example:
        >>> from kpalette import Palette, Picture, Recipe
        >>> from kpalette.images.samples import sample_image
        >>> recipe = Recipe(Palette.parse("red blue"), model="soft")
        >>> plan = recipe.plan(Picture(sample_image("coffee")))
        >>> plan.target.hex, plan.lightness
        (('#0000ff', '#ff0000'), 1.0)
    """

    target: Palette
    model: str | Recolorer = DEFAULT_MODEL
    source: Palette | None = None
    match: str = AUTO
    lightness: float | str = AUTO
    seed: int = 0
    runtime: str = "auto"
    tone: str = TONES[0]

    def __post_init__(self) -> None:
        """Checks what can be checked without a picture."""
        for name, palette in (("target", self.target), ("source", self.source)):
            if not isinstance(palette, Palette) and not (palette is None and name == "source"):
                raise ArgumentError(f"`{name}` must be a Palette. Received: {palette!r}")
        if len(self.target) < MIN_COLORS:
            raise ArgumentError(f"`target` must have at least {MIN_COLORS} colours. Received: {len(self.target)}")
        if self.match not in (AUTO, *MATCHES):
            raise ArgumentError(f"`match` must be one of {AUTO}, {', '.join(MATCHES)}. Received: {self.match!r}")
        if self.tone not in TONES:
            raise ArgumentError(f"`tone` must be one of {', '.join(TONES)}. Received: {self.tone!r}")
        object.__setattr__(self, "lightness", check_lightness(self.lightness))
        if not isinstance(self.model, str) and not callable(getattr(self.model, "apply", None)):
            raise ArgumentError(f"`model` must be a name of list_recolorers() or a recolorer. Received: {self.model!r}")

    @property
    def recolorer(self) -> Recolorer:
        """The recolorer that `model` and `runtime` ask for."""
        return get_recolorer(self.model, runtime=self.runtime) if isinstance(self.model, str) else self.model

    def plan(self, picture: Picture) -> Plan:
        """Decides everything that depends on the picture.

        Where the target is the picture's own palette, by whichever extraction, the plan changes nothing, and so does
        one for flat art that is in colours of the target already.

        Args:
            picture: the picture.

        Returns:
            The plan: its source palette extracted where none was given, its target in the order of the source.

        Raises:
            ArgumentError: if there is no such recolorer, or `source` has more colours than `target`.
            ImageError: if the picture is wholly transparent.
        """
        recolorer = self.recolorer
        plan = Plan(recolorer, *self._pair(picture, recolorer.extraction), 1.0, self.tone)
        chosen = plan.auto_strength(picture) if isinstance(self.lightness, str) else self.lightness
        return replace(plan, lightness=chosen)

    def _pair(self, picture: Picture, method: str) -> tuple[Palette, Palette]:
        """The picture's palette, and what each of its swatches becomes."""
        if self.source is not None:
            return self.source, self._matched(picture, self.source)
        sample, size = Sample(picture), len(self.target)
        own = sample.palettes([size], method, self.seed)[0]
        flat = find_flat(picture) if self.match != "order" else None
        if flat is not None and flat.within(self.target):
            return own, own
        # The palettes that a user may have extracted from the picture: by this extraction, or by another one.
        others = (sample.palettes([size], name, 0)[0] for name in METHODS if name != method or self.seed != 0)
        for found in chain([own], others):
            if _same_colors(found, self.target, in_order=self.match == "order"):
                return found, found
        return own, self._matched(picture, own)

    def _matched(self, picture: Picture, source: Palette) -> Palette:
        if self.match == AUTO:
            return match_objects(picture, source, self.target)
        return source.matched(self.target, match=self.match)

    def settings(self) -> dict[str, Any]:
        """The recipe as plain values, for JSON. Equal recipes give equal values, in every process."""
        plain = {field.name: getattr(self, field.name) for field in fields(self)}
        plain["model"] = self.model if isinstance(self.model, str) else self.model.name
        plain["target"] = self.target.lab.tolist()
        plain["source"] = None if self.source is None else self.source.lab.tolist()
        return plain


def make_recipe(
    target: Any,
    *,
    model: str | Recolorer = DEFAULT_MODEL,
    source: Any = None,
    match: str = AUTO,
    lightness: float | str | None = AUTO,
    seed: int = 0,
    runtime: str = "auto",
    tone: str = TONES[0],
) -> Recipe:
    """Makes a `Recipe` of palettes in any form.

    Args:
        target: a palette in any form that `as_palette` takes.
        model: as in `Recipe`.
        source: likewise a palette in any form; None to extract it from each picture.
        match: as in `Recipe`.
        lightness: as in `Recipe`; None is "auto", too.
        seed: as in `Recipe`.
        runtime: as in `Recipe`.
        tone: as in `Recipe`.

    Returns:
        The recipe.

    Raises:
        ArgumentError: as in `Recipe`.
        PaletteError: if colours cannot be read.

    Example:
        >>> make_recipe(["#ff0000", "blue"]).target.hex
        ('#ff0000', '#0000ff')
    """
    asked, own = as_palette(target, name="target"), None if source is None else as_palette(source, name="source")
    return Recipe(asked, model, own, match, AUTO if lightness is None else lightness, seed, runtime, tone)


def _same_colors(found: Palette, target: Palette, *, in_order: bool) -> bool:
    """Whether each swatch found is a swatch of the target, and no two of them are the same one."""
    # Not by `Palette.matched`, which imports SciPy.
    difference = delta_e(found.lab[:, np.newaxis], target.lab[np.newaxis])
    nearest = np.arange(len(found)) if in_order else np.argmin(difference, axis=1)
    same = difference[np.arange(len(found)), nearest].max() <= SAME_COLOR
    return bool(same) and len(set(nearest.tolist())) == len(found)
