"""KerasTuner's oracles with a state that survives a kill: one file, written whole, from which a search continues.

KerasTuner itself writes a file for each trial and one for the oracle. A kill between two of them loses a trial or runs
it twice, and its GridSearch cannot resume at all (keras-tuner#1055).
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras_tuner
from keras_tuner.engine.trial import Trial, TrialStatus
from keras_tuner.oracles import BayesianOptimizationOracle, HyperbandOracle, RandomSearchOracle

from kpalette.errors import ArgumentError, KPaletteError
from kpalette.files import read_file, write_file
from kpalette.search.plan import UNITS, SearchPlan
from kpalette.search.records import OBJECTIVE, SearchRecord, from_text
from kpalette.search.space import Dimension, combinations

RECORDS = "kpalette/records"
"""Name among the values of a trial for its records: the protocol has no field for messages or exact numbers."""

SEARCH = "kpalette/search"
"""Name among the values of the chief's space for the plan."""

_COLLISIONS = 1000  # draws of configurations that were tried before, after which a space counts as exhausted

__all__ = ["RECORDS", "SEARCH", "GridOracle", "LastingOracle", "Trial", "TrialStatus", "make_oracle"]


class LastingOracle(keras_tuner.Oracle):
    """Base of all oracles. `make_oracle` sets the attributes. Only one thread may call an oracle.

    Attributes:
        path: file of the state.
        lease: seconds of silence after which a worker's trial is given to another; 0 without workers.
        plan: plan of the search, as JSON.
        complete: whether nothing is left to do.
        asked_at: monotonic time of each worker's last request for a trial.
        seen_at: monotonic time of the last request about each trial.
        joined_at: monotonic time when the last worker joined.
        on_end: called with the records of a trial that has ended.

    Example:
        >>> oracle = make_oracle(SearchPlan(), Path("oracle.json"))
        >>> oracle.create_trial("me").hyperparameters.values["batch_size"]
        '8'
    """

    path: Path
    lease = 0.0
    plan = ""
    complete = False
    joined_at = 0.0
    on_end: Callable[[list[SearchRecord]], None]
    asked_at: dict[str, float]
    seen_at: dict[str, float]

    def create_trial(self, tuner_id: str) -> Trial:
        """Creates the next trial; its status is `IDLE` while running trials may still have to be repeated."""
        self.asked_at[tuner_id] = time.monotonic()
        self._take_back()
        trial = super().create_trial(tuner_id)
        if trial.status == TrialStatus.RUNNING:
            self.seen_at[trial.trial_id] = time.monotonic()
        elif trial.status == TrialStatus.STOPPED and self.ongoing_trials:
            self.tuner_ids.add(tuner_id)
            trial.status = TrialStatus.IDLE
        elif trial.status == TrialStatus.STOPPED:
            self.complete = True
            self.save()
        return trial

    def get_trial(self, trial_id: str) -> Trial:
        """Returns a trial; a request for it shows that its worker is alive."""
        self.seen_at[trial_id] = time.monotonic()
        return super().get_trial(trial_id)

    def get_space(self) -> Any:
        """Returns the space, which carries the plan."""
        self.joined_at = time.monotonic()
        space = super().get_space()
        space.values[SEARCH] = self.plan
        return space

    def end_trial(self, trial: Trial) -> None:
        """Ends a trial and takes its records. If two workers end the same trial, only the first counts."""
        own = self.trials[trial.trial_id]
        text = trial.hyperparameters.values.pop(RECORDS, "[]")
        if trial.trial_id in self.end_order:
            return
        if trial.trial_id in self._retry_queue:
            self._retry_queue.remove(trial.trial_id)
        # Values that come back over gRPC are rounded to float32.
        trial.hyperparameters = own.hyperparameters
        trial.message = text
        super().end_trial(trial)
        self.on_end(from_text(text))

    def records(self) -> list[SearchRecord]:
        """Returns the records of all trials that have ended."""
        ended = [trial for _, trial in sorted(self.trials.items()) if trial.status != TrialStatus.RUNNING]
        return [record for trial in ended for record in from_text(trial.message or "[]")]

    def _take_back(self) -> None:
        """Queues trials again whose worker has been silent for too long."""
        now = time.monotonic()
        for tuner_id, trial in list(self.ongoing_trials.items()):
            if self.lease and now - self.seen_at.get(trial.trial_id, now) > self.lease:
                del self.ongoing_trials[tuner_id]
                self._retry_queue.append(trial.trial_id)

    def get_state(self) -> dict[str, Any]:
        """Returns all that a search needs to continue."""
        trials = [trial.get_state() for trial in self.trials.values()]
        return {**super().get_state(), "trials": trials, "complete": self.complete}

    def set_state(self, state: dict[str, Any]) -> None:
        """Restores the state of `get_state`. Trials that had not ended are run again, or continue at their workers."""
        found = [Trial.from_state(entry) for entry in state["trials"]]
        self.trials = {trial.trial_id: trial for trial in found}
        super().set_state(state)
        self.complete = state["complete"]
        running = [trial for trial in found if trial.status == TrialStatus.RUNNING]
        now = time.monotonic()
        self.seen_at = {trial.trial_id: now for trial in running}
        self.ongoing_trials = {f"lost-{t.trial_id}": t for t in running} if self.lease else {}
        # Trials are taken from the end of the queue, so the first one is last.
        self._retry_queue = [] if self.lease else [trial.trial_id for trial in reversed(running)]

    def save(self) -> None:
        """Writes the state, whole or not at all."""
        write_file(self.path, json.dumps(self.get_state()).encode(), overwrite=True)

    def reload(self) -> None:
        """Reads the state."""
        try:
            self.set_state(json.loads(read_file(self.path, error=KPaletteError, what="the state of a search")))
        except (ValueError, KeyError, TypeError) as error:
            raise KPaletteError(f"{self.path} is no state of a search ({error!r}): give another --output") from None

    def _save_trial(self, trial: Trial) -> None:
        """Does nothing: `save` writes trials too."""


class GridOracle(LastingOracle):
    """Tries every combination once, in order; its trials are its only state.

    Example:
        >>> oracle = make_oracle(SearchPlan(), Path("oracle.json"))
        >>> isinstance(oracle, GridOracle), len(list(combinations(oracle.space)))
        (True, 12)
    """

    space: tuple[Dimension, ...] = ()

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Returns the first combination that no trial has."""
        tried = [trial.hyperparameters.values for trial in self.trials.values()]
        for values in combinations(self.space):
            if values not in tried:
                return {"status": TrialStatus.RUNNING, "values": values}
        return {"status": TrialStatus.STOPPED}


class _Random(LastingOracle, RandomSearchOracle):
    """KerasTuner's random search."""


class _Hyperband(LastingOracle, HyperbandOracle):
    """KerasTuner's Hyperband."""


class _Bayesian(LastingOracle, BayesianOptimizationOracle):
    """KerasTuner's Bayesian optimization; a proposal that was tried before is replaced by a random combination."""

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Returns the most promising combination, or a new one."""
        found: dict[str, Any] = super().populate_space(trial_id)
        if found.get("values") and self._duplicate(found["values"]):
            found = self._random_populate_space()
        return found


def make_oracle(plan: SearchPlan, path: Path, *, lease: float = 0.0, seed: int = 1) -> LastingOracle:
    """Makes the oracle of a plan.

    Args:
        plan: plan of the search.
        path: file of the oracle's state.
        lease: seconds of silence after which a worker's trial is given to another.
        seed: seed of random choices.

    Returns:
        An oracle without trials; `reload` reads the state of an earlier one.

    Raises:
        ArgumentError: if the tuner is `bayesian` and scikit-learn is missing.
    """
    common: dict[str, Any] = {
        "objective": keras_tuner.Objective(OBJECTIVE, "min"), "hyperparameters": _space(plan.space), "seed": seed,
        "max_retries_per_trial": 0, "max_consecutive_failed_trials": sys.maxsize,
    }  # fmt: skip
    oracle: LastingOracle
    if plan.tuner == "hyperband":
        oracle = _Hyperband(max_epochs=UNITS, **common)
    else:
        kinds = {"grid": GridOracle, "random": _Random, "bayesian": _Bayesian}
        try:
            oracle = kinds[plan.tuner](max_trials=plan.max_trials, **common)
        except ImportError:
            raise ArgumentError("--tuner bayesian needs scikit-learn: pip install '.[tuning]'") from None
    if isinstance(oracle, GridOracle):
        oracle.space = plan.space
    oracle.path, oracle.lease, oracle.plan = path, lease, plan.to_json()
    oracle.asked_at, oracle.seen_at, oracle.on_end = {}, {}, lambda records: None
    oracle._max_collisions = _COLLISIONS
    oracle.verbose = 0
    return oracle


def trial_count(plan: SearchPlan) -> int:
    """The number of trials of a search; with `hyperband`, the largest possible number."""
    if plan.max_trials is not None:
        return plan.max_trials
    oracle: Any = make_oracle(plan, Path("unused"))
    brackets = range(oracle._get_num_brackets())
    return sum(oracle._get_size(bracket, turn) for bracket in brackets for turn in range(bracket + 1))


def updates_of(plan: SearchPlan, values: dict[str, Any]) -> int:
    """The number of updates of a trial: the plan's budget, or the part of it that Hyperband assigns."""
    return max(1, plan.budget * int(values.get("tuner/epochs", UNITS)) // UNITS)


def _space(space: tuple[Dimension, ...]) -> keras_tuner.HyperParameters:
    found = keras_tuner.HyperParameters()
    for d in space:
        if d.values:
            found.Choice(d.name, d.texts)
        elif d.whole:
            found.Int(d.name, int(d.low), int(d.high), sampling="log" if d.log else "linear")
        else:
            found.Float(d.name, float(d.low), float(d.high), sampling="log" if d.log else "linear")
    return found
