"""`SearchPlan`: all options of a search, as stored in the search folder's search.json."""

import json
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from kpalette.errors import ArgumentError
from kpalette.files import read_file
from kpalette.search.space import STUDY, Dimension, check_space, from_entries, shown, to_entries
from kpalette.training.config import PHASES, TrainConfig

PLAN = "search.json"
"""Name of the plan's file in a search folder."""

TUNERS = ("grid", "random", "bayesian", "hyperband")

LOCAL = ("data", "palettes", "start_from")
"""Options that are paths; each machine may have its own."""

UNITS = 9
"""Hyperband's budgets are 1/9, 1/3 and all of the search's budget."""

_CURVE = 5  # most validations of a run
_SMALL: dict[str, dict[str, Any]] = {"pretrain": {"filters": 8, "crop": 48}, "adversarial": {"crop": 48}}
_GUESSED = 12  # configurations of tuners without a natural end; the published study had as many


@dataclass(frozen=True, kw_only=True)
class SearchPlan:
    """Options of a search.

    Attributes:
        tuner: one of `TUNERS`.
        phase: phase of the runs.
        space: options that are varied.
        settings: options that all runs share, by field of `TrainConfig`.
        budget: optimizer updates of each run; with `hyperband`, the largest number.
        seeds: number of runs of each configuration, with seeds 0, 1, ...
        trials: number of configurations that `random` and `bayesian` try, 12 if None; the other tuners have their own.
        pictures: number of pictures of `data` to use, spread evenly; all if None.
        data: source of pictures, as in `TrainConfig.images`.
        palettes: as in `TrainConfig.palettes`.
        start_from: weights that all runs of phase 2 start from, as in `TrainConfig.start_from`.

    Raises:
        ArgumentError: if a value is out of range.

    Example:
        >>> SearchPlan().max_trials
        12
    """

    tuner: str = "grid"
    phase: str = "pretrain"
    space: tuple[Dimension, ...] = STUDY
    settings: Mapping[str, Any] = field(default_factory=dict)
    budget: int = 20
    seeds: int = 1
    trials: int | None = None
    pictures: int | None = None
    data: str | None = None
    palettes: str | None = None
    start_from: str | None = None

    def __post_init__(self) -> None:
        """Checks every value."""
        for name, allowed in (("tuner", TUNERS), ("phase", PHASES)):
            if getattr(self, name) not in allowed:
                raise ArgumentError(f"`{name}` must be one of {', '.join(allowed)}. Received: {getattr(self, name)!r}")
        for name in ("budget", "seeds", "trials", "pictures"):
            value = getattr(self, name)
            if not (value is None and name in ("trials", "pictures")) and (not isinstance(value, int) or value < 1):
                raise ArgumentError(f"`{name}` must be a positive whole number. Received: {value!r}")
        if self.phase == "pretrain" and self.start_from:
            raise ArgumentError("--from is for phase `adversarial`: runs of phase 1 start from random weights")
        check_space(self.space, self.settings, phase=self.phase)
        ranges = [dimension.name for dimension in self.space if not dimension.values]
        if self.tuner == "grid" and ranges:
            raise ArgumentError(f"the grid needs a list of values, and `{ranges[0]}` is a range: give another --tuner")
        if self.tuner == "hyperband" and self.budget < UNITS:
            raise ArgumentError(f"hyperband needs a --budget of at least {UNITS}. Received: {self.budget}")
        if self.trials is not None and self.tuner in ("grid", "hyperband"):
            raise ArgumentError(f"--trials is for random and bayesian: {self.tuner} has a fixed number")

    @property
    def size(self) -> float:
        """The number of combinations of the space; infinite if it has a range of real numbers."""
        return math.prod(len(d.values) or (d.high - d.low + 1 if d.whole else math.inf) for d in self.space)

    @property
    def max_trials(self) -> int | None:
        """The largest number of configurations that are tried; None for `hyperband`."""
        if self.tuner == "hyperband":
            return None
        return int(self.size if self.tuner == "grid" else min(self.trials or _GUESSED, self.size))

    def config(self, values: Mapping[str, Any], *, seed: int, run: Path, budget: int | None = None) -> TrainConfig:
        """Makes the options of a run.

        Args:
            values: values of the dimensions.
            seed: seed of the run.
            run: folder of the run.
            budget: number of updates, the plan's if None.

        Returns:
            The options; all epochs have the same number of updates.
        """
        updates = budget or self.budget
        epochs = next(n for n in range(_CURVE, 0, -1) if updates % n == 0)
        return TrainConfig(
            phase=self.phase, run=str(run), start_from=self.start_from, images=self.data, limit=self.pictures,
            palettes=self.palettes, epochs=epochs, steps_per_epoch=updates // epochs, seed=seed, patience=0,
            **{**self.settings, **values},
        )  # fmt: skip

    def to_json(self) -> str:
        """The text of a search folder's search.json."""
        return json.dumps({**asdict(self), "space": to_entries(self.space)}, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes, *, source: str) -> "SearchPlan":
        """Reads the text of `to_json`.

        Args:
            text: text of the plan.
            source: name of the text in error messages.

        Returns:
            The plan.

        Raises:
            ArgumentError: names the source and what is wrong with it.
        """
        try:
            entries: Any = json.loads(text)
            return cls(**{**entries, "space": from_entries(entries["space"])})
        except (ValueError, TypeError, KeyError) as error:
            raise ArgumentError(f"{source} is not a plan of a search: {str(error).splitlines()[0]}") from None


def make_plan(given: Mapping[str, Any]) -> SearchPlan:
    """Makes the plan of the given options; networks and squares are small by default, and paths become absolute."""
    varied = {dimension.name for dimension in given.get("space", STUDY)}
    small = {name: value for name, value in _SMALL[given.get("phase", "pretrain")].items() if name not in varied}
    return SearchPlan(**{**_absolute(given), "settings": {**small, **given.get("settings", {})}})


def settle(folder: Path, given: Mapping[str, Any]) -> SearchPlan:
    """The plan of a search folder: the one in it, or a new one of the given options.

    Args:
        folder: folder of the search; it exists.
        given: fields of `SearchPlan` that were given.

    Returns:
        The plan.

    Raises:
        ArgumentError: if a given option differs from the plan in the folder.
    """
    path = folder / PLAN
    if not path.is_file():
        return make_plan(given)
    own = SearchPlan.from_json(read_file(path, error=ArgumentError, what="a search's plan"), source=str(path))
    check_given(given, own, whose=f"the search in {folder}", instead="give another --output to start anew")
    return own


def check_given(
    given: Mapping[str, Any], own: SearchPlan, *, whose: str, instead: str, free: Iterable[str] = ()
) -> None:
    """Checks that given options are those of a search.

    Args:
        given: fields of `SearchPlan` that were given.
        own: the search's plan.
        whose: name of the search in the message.
        instead: what to do instead of leaving the option out.
        free: fields that may differ.

    Raises:
        ArgumentError: names the first option that differs.
    """
    for name, asked in _absolute(given).items():
        before = getattr(own, name)
        if name == "settings":
            check = {key: (value, before.get(key)) for key, value in asked.items()}
        else:
            check = {name: (asked, before)}
        for key, (wanted, has) in check.items():
            if name not in free and wanted != has:
                wanted, has = ("another", "its own") if name == "space" else (repr(wanted), shown(has))
                raise ArgumentError(f"{whose} has {key} {has}, not {wanted}: leave it out to go on, or {instead}")


def local_plan(plan: SearchPlan, given: Mapping[str, Any]) -> SearchPlan:
    """The chief's plan with a worker's own paths."""
    return replace(plan, **{name: value for name, value in _absolute(given).items() if name in LOCAL})


def best_entries(plan: SearchPlan, values: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a configuration for `kpalette.train --config`: all that differ from the defaults.

    Args:
        plan: plan of the search.
        values: values of the dimensions.

    Returns:
        Fields of `TrainConfig`.
    """
    config = plan.config(values, seed=0, run=Path("unused"))
    unset = TrainConfig(phase=plan.phase, start_from=plan.start_from)
    kept = {f.name: getattr(config, f.name) for f in fields(config) if f.name not in ("run", "patience")}
    always = ("phase", "epochs", "steps_per_epoch", *values)
    return {name: value for name, value in kept.items() if name in always or value != getattr(unset, name)} | (
        {"start_from": plan.start_from} if plan.start_from else {}
    )


def _absolute(given: Mapping[str, Any]) -> dict[str, Any]:
    # A name that is not a path is that of a preset.
    return {n: os.path.abspath(v) if n in LOCAL and v and os.path.exists(v) else v for n, v in given.items()}
