"""Which weights of a run are the best, and when it is not worth going on."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SSIM_SLACK = 0.005
"""How much structure phase 2 may cost."""

FEW_EDGES = 1e-5
"""False edges that are few enough, whatever phase 1 has; with limited slopes, trained networks have a tenth of that."""


class Best:
    """The best epoch of a run so far.

    Phase 1 is judged by its mean ab error, hue pairs and unrelated palettes alike. Phase 2 is judged by how far the
    result's colours are from the palette, `val_palette_de_ab`, and only where ssim is no more than 0.005 below phase
    1's, richness no lower than phase 1's or 1, and false_edges no higher than phase 1's or 0.00001: flat or blotched is
    no better.

    Args:
        phase: of the run.
    """

    def __init__(self, phase: str) -> None:
        """See the class."""
        self.phase = phase
        self.first: dict[str, float] = {}
        self.score, self.epoch = math.inf, 0

    @property
    def found(self) -> bool:
        """Whether there is a best epoch yet."""
        return math.isfinite(self.score)

    def take(self, epoch: int, figures: Mapping[str, float]) -> bool:
        """Hears of an epoch's validation; returns whether it is the best so far."""
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

    def tired(self, epoch: int, patience: int) -> bool:
        """Whether the last `patience` epochs were no better; never for 0."""
        return patience > 0 and epoch - self.epoch >= patience

    def verdict(self, folder: Path) -> str:
        """What came of the run, one line."""
        if self.phase == "adversarial" and self.epoch == 0:
            return f"phase 2 did not improve on phase 1: {folder} holds the weights that it started from"
        return f"best: epoch {self.epoch}, in {folder}"

    def notes(self) -> dict[str, Any]:
        """What a backup must hold of this."""
        score = self.score if self.found else None
        return {"first": self.first, "score": score, "epoch": self.epoch}

    def restore(self, notes: Mapping[str, Any]) -> None:
        """Takes what `notes` gave."""
        self.first, self.epoch = dict(notes["first"]), int(notes["epoch"])
        self.score = math.inf if notes["score"] is None else float(notes["score"])
