"""Proofs: a picture recoloured at the size of the screen, by one recolorer after another, each with its figures."""

import threading
import time
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from kpalette.images.picture import Picture
from kpalette.kernels.loader import using_kernels
from kpalette.metrics.measure import Original
from kpalette.recolorers.base import Plan
from kpalette.recolorers.network import NetworkRecolorer
from kpalette.recolorers.recipe import Recipe


@dataclass(frozen=True, eq=False)
class Result:
    """A recoloured picture at the size of the screen.

    Attributes:
        recipe: how it was recoloured; its lightness strength is the one that was chosen.
        picture: the recoloured picture.
        figures: those of `kpalette.measure`.
        seconds: wall time of the recolouring.

    Example:
        >>> from kpalette.page.results import page_recipe
        >>> picture = Picture(np.array([[[200, 30, 30], [30, 30, 200]]], np.uint8))
        >>> recipe = page_recipe("soft", ["#c81e1e", "#1e1ec8"], ["#ffa500", "#800080"], 1.0)
        >>> Proofs(picture).result(recipe).picture.rgb.tolist()
        [[[255, 165, 0], [128, 0, 128]]]
    """

    recipe: Recipe
    picture: Picture
    figures: dict[str, float]
    seconds: float

    @property
    def ssim(self) -> float:
        """Structure kept; 1 is all."""
        return self.figures["ssim"]

    @property
    def palette_de(self) -> float:
        """Distance of the picture's colours to the target; 0 is exact."""
        return self.figures["palette_de"]


class Proofs:
    """The results of one picture. They share what they can.

    All figures share what they need of the picture. Recolorers that are asked for the same colours, one after another,
    share the choice of the lightness strength and the relit picture.

    Args:
        picture: a picture of the size of the screen.

    Example:
        >>> from kpalette.page.results import page_recipe
        >>> proofs = Proofs(Picture(np.zeros((8, 8, 3), np.uint8)))
        >>> for method in ("soft", "fitted"):
        ...     recipe = page_recipe(method, ["#000000", "#ffffff"], ["#191970", "#ffffff"], 1.0)
        ...     proofs.result(recipe).picture.rgb[0, 0].tolist()
        [25, 25, 112]
        [25, 25, 112]
    """

    def __init__(self, picture: Picture) -> None:
        """See the class."""
        self.picture = picture
        self._lock = threading.Lock()
        self._last: tuple[Any, Plan, float] | None = None

    @cached_property
    def _original(self) -> Original:
        return Original(self.picture.rgb, alpha=self.picture.alpha)

    def result(self, recipe: Recipe, *, kernels: bool = True) -> Result:
        """Recolours the picture, and measures the result.

        Args:
            recipe: how to recolour it.
            kernels: whether compiled kernels do it, if they are installed.

        Returns:
            The result. The seconds of what it shares with others are counted for each of them.

        Raises:
            KPaletteError: if a network's weights are missing or damaged.
        """
        load_network(recipe)  # loading is not part of the seconds
        with using_kernels(kernels):
            plan, shared = self._planned(recipe)
            start = time.perf_counter()
            done = self.picture.with_rgb(plan.apply(self.picture).image)
            seconds = shared + time.perf_counter() - start
            found = replace(recipe, lightness=plan.lightness)  # what "auto" has chosen
            return Result(found, done, self._original.figures(done.rgb, plan.target), seconds)

    def _planned(self, recipe: Recipe) -> tuple[Plan, float]:
        """The plan, with the picture relit, and the seconds that this took, now or for a recolorer before."""
        asked = {**recipe.settings(), "model": recipe.recolorer.extraction if recipe.source is None else None}
        with self._lock:
            if self._last is None or self._last[0] != asked:
                start = time.perf_counter()
                plan = recipe.plan(self.picture).with_lit(self.picture)
                self._last = asked, plan, time.perf_counter() - start
            _, plan, seconds = self._last
        return replace(plan, recolorer=recipe.recolorer), seconds


def load_network(recipe: Recipe) -> None:
    """Loads the weights of a recipe's recolorer, if that is a network."""
    recolorer = recipe.recolorer
    if isinstance(recolorer, NetworkRecolorer):
        recolorer.load()
