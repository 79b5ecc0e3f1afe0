"""`Plan`: everything that decides a search, as it is written to search.json in the search's folder."""

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
"""What a search folder's plan is called."""

TUNERS = ("grid", "random", "bayesian", "hyperband")

LOCAL = ("data", "palettes", "start_from")
"""Paths, which may be others on each machine."""

UNITS = 9
"""Hyperband's budgets are 1/9, 1/3 and all of the search's."""

_CURVE = 5  # validations of a run, where its budget can be parted so
_SMALL: dict[str, dict[str, Any]] = {"pretrain": {"filters": 8, "crop": 48}, "adversarial": {"crop": 48}}
_GUESSED = 12  # runs of the tuners that could go on for ever: as many as the study had


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A search. Raises ArgumentError, one line, for a value out of range.

    Attributes:
        tuner: one of `TUNERS`.
        phase: of the runs.
        space: what is varied.
        settings: options that all runs share, by field of `TrainConfig`.
        budget: optimizer updates of each run; of `hyperband` the most.
        seeds: runs of each configuration: seeds 0, 1, ...
        trials: configurations that `random` and `bayesian` try, 12 if None; the others know themselves.
        pictures: how many pictures of `data` are used, spread evenly; all if None.
        data: a source of pictures as in `TrainConfig.images`.
        palettes: as in `TrainConfig.palettes`.
        start_from: the weights that all runs start from, needed by phase 2.
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
            raise ArgumentError("--from is for phase `adversarial`: runs of phase 1 start from nothing")
        check_space(self.space, self.settings, phase=self.phase)
        ranges = [dimension.name for dimension in self.space if not dimension.values]
        if self.tuner == "grid" and ranges:
            raise ArgumentError(f"the grid needs a list of values, and `{ranges[0]}` is a range: give another --tuner")
        if self.tuner == "hyperband" and self.budget < UNITS:
            raise ArgumentError(f"hyperband needs a --budget of at least {UNITS}. Received: {self.budget}")
        if self.trials is not None and self.tuner in ("grid", "hyperband"):
            raise ArgumentError(f"--trials is for random and bayesian: {self.tuner} knows how many it needs")

    @property
    def size(self) -> float:
        """Combinations of the space; endless with a range of numbers that are not whole."""
        return math.prod(len(d.values) or (d.high - d.low + 1 if d.whole else math.inf) for d in self.space)

    @property
    def max_trials(self) -> int | None:
        """Configurations that are tried at most; None for `hyperband`."""
        if self.tuner == "hyperband":
            return None
        return int(self.size if self.tuner == "grid" else min(self.trials or _GUESSED, self.size))

    def config(self, values: Mapping[str, Any], *, seed: int, run: Path, budget: int | None = None) -> TrainConfig:
        """The run of a configuration.

        Args:
            values: of the dimensions.
            seed: of the run.
            run: its folder.
            budget: its updates, the plan's if None.

        Returns:
            A config whose epochs share the updates evenly.
        """
        updates = budget or self.budget
        epochs = next(n for n in range(_CURVE, 0, -1) if updates % n == 0)
        return TrainConfig(
            phase=self.phase, run=str(run), start_from=self.start_from, images=self.data, limit=self.pictures,
            palettes=self.palettes, epochs=epochs, steps_per_epoch=updates // epochs, seed=seed, patience=0,
            **{**self.settings, **values},
        )  # fmt: skip

    def to_json(self) -> str:
        """The plan as it is written to a search folder."""
        return json.dumps({**asdict(self), "space": to_entries(self.space)}, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes, *, source: str) -> "Plan":
        """Reads what `to_json` gave.

        Args:
            text: of the plan.
            source: where it is from, for messages.

        Returns:
            The plan.

        Raises:
            ArgumentError: names the source and what is wrong with it.
        """
        try:
            entries: Any = json.loads(text)
            return cls(**{**entries, "space": from_entries(entries["space"])})
        except (ValueError, TypeError, KeyError) as error:
            raise ArgumentError(f"{source} is no plan of a search: {str(error).splitlines()[0]}") from None


def make_plan(given: Mapping[str, Any]) -> Plan:
    """A plan of the options that were given, small where nothing is said of size; paths are made absolute."""
    varied = {dimension.name for dimension in given.get("space", STUDY)}
    small = {name: value for name, value in _SMALL[given.get("phase", "pretrain")].items() if name not in varied}
    return Plan(**{**_absolute(given), "settings": {**small, **given.get("settings", {})}})


def settle(folder: Path, given: Mapping[str, Any]) -> Plan:
    """The plan of a search folder: its own where it has one, else of what was given.

    Args:
        folder: of the search; it exists.
        given: fields of `Plan` that were given.

    Returns:
        The plan that counts.

    Raises:
        ArgumentError: if a given option is not what the folder's search has.
    """
    path = folder / PLAN
    if not path.is_file():
        return make_plan(given)
    own = Plan.from_json(read_file(path, error=ArgumentError, what="a search's plan"), source=str(path))
    check_given(given, own, whose=f"the search in {folder}", instead="give another --output to start anew")
    return own


def check_given(given: Mapping[str, Any], own: Plan, *, whose: str, instead: str, free: Iterable[str] = ()) -> None:
    """ArgumentError where an option that was given is not what a search has.

    Args:
        given: fields of `Plan`.
        own: the search's plan.
        whose: what the search is called.
        instead: what can be done but leave the option out.
        free: fields that may differ.
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


def local_plan(plan: Plan, given: Mapping[str, Any]) -> Plan:
    """A chief's plan with a worker's own paths in it."""
    return replace(plan, **{name: value for name, value in _absolute(given).items() if name in LOCAL})


def best_entries(plan: Plan, values: Mapping[str, Any]) -> dict[str, Any]:
    """What `kpalette.train --config` takes to train a configuration: all that is not as it is by default.

    Args:
        plan: of the search.
        values: of the dimensions.

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
    # A name that is no path is a preset's.
    return {n: os.path.abspath(v) if n in LOCAL and v and os.path.exists(v) else v for n, v in given.items()}
