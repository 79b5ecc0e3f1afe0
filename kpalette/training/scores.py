"""The choice of a run's best weights, and when to stop."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SSIM_SLACK = 0.005
"""How much lower than before phase 2 ssim may be."""

FEW_EDGES = 1e-5
"""A share of false edges that is always allowed; with limited slopes, trained networks have a tenth of it."""


class Best:
    """The best epoch of a run so far.

    Phase 1 takes the least `val_score`, the mean ab error over hue pairs and unrelated palettes. Phase 2 takes the
    least `val_palette_de_ab`, the distance of the result's colours from the palette, among epochs that keep the
    picture: ssim at most 0.005 below that of the starting weights, richness no lower than theirs or 1, and false_edges
    no higher than theirs or 0.00001. So a flat or blotched result is never better.

    Args:
        phase: "pretrain" or "adversarial".

    Example:
        >>> best = Best("pretrain")
        >>> [best.update(epoch, {"val_score": score}) for epoch, score in enumerate([9.0, 8.0, 8.5], start=1)]
        [True, True, False]
    """

    def __init__(self, phase: str) -> None:
        """See the class."""
        self.phase = phase
        self.first: dict[str, float] = {}
        self.score, self.epoch = math.inf, 0

    @property
    def found(self) -> bool:
        """Whether there is a best epoch."""
        return math.isfinite(self.score)

    def update(self, epoch: int, figures: Mapping[str, float]) -> bool:
        """Takes an epoch's validation figures; returns whether it is the best epoch so far."""
        self.first = self.first or dict(figures)
        score = self._score(figures)
        if not score < self.score:  # NaN is not better either
            return False
        self.score, self.epoch = score, epoch
        return True

    def _score(self, figures: Mapping[str, float]) -> float:
        if self.phase == "pretrain":
            return figures["val_score"]
        keeps = figures["val_ssim"] >= self.first["val_ssim"] - SSIM_SLACK
        rich = figures["val_richness"] >= min(1.0, self.first["val_richness"])
        smooth = figures["val_false_edges"] <= max(FEW_EDGES, self.first["val_false_edges"])
        return figures["val_palette_de_ab"] if keeps and rich and smooth else math.inf

    def should_stop(self, epoch: int, patience: int) -> bool:
        """Whether the last `patience` epochs up to `epoch` were no better; never if `patience` is 0."""
        return patience > 0 and epoch - self.epoch >= patience

    def summary(self, folder: Path) -> str:
        """A line on the result, whose best weights are in `folder`."""
        if self.phase == "adversarial" and self.epoch == 0:
            return f"no epoch is better than phase 1: {folder} holds the weights it started from"
        return f"best: epoch {self.epoch}, in {folder}"

    def notes(self) -> dict[str, Any]:
        """The state as JSON values, for a backup."""
        score = self.score if self.found else None
        return {"first": self.first, "score": score, "epoch": self.epoch}

    def restore(self, notes: Mapping[str, Any]) -> None:
        """Restores the state from `notes`."""
        self.first, self.epoch = dict(notes["first"]), int(notes["epoch"])
        self.score = math.inf if notes["score"] is None else float(notes["score"])
