"""KerasTuner's oracles, made to last: their state is one file, written whole, from which a killed search goes on.

KerasTuner's own spreads its state over a file for each trial and one for the oracle, and a kill between two of them
loses a trial or runs it twice; its GridSearch cannot resume at all (keras-tuner#1055).
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
from kpalette.search.plan import UNITS, Plan
from kpalette.search.records import OBJECTIVE, Record, from_text
from kpalette.search.space import Dimension, combinations

RECORDS = "kpalette/records"
"""A worker's records travel among the values of its trial: the protocol carries neither messages nor exact numbers."""

SEARCH = "kpalette/search"
"""Likewise the plan, among the values of the chief's space."""

_COLLISIONS = 1000  # draws of what was tried before, after which a space is taken for exhausted

__all__ = ["RECORDS", "SEARCH", "GridOracle", "LastingOracle", "Trial", "TrialStatus", "make_oracle"]


class LastingOracle(keras_tuner.Oracle):
    """What all of the oracles have in common; `make_oracle` sets the attributes. One thread may call it.

    Attributes:
        path: of the state.
        lease: seconds of silence after which a worker's trial is another's; 0 where there are no workers.
        plan: of the search, as JSON.
        complete: whether there is nothing left to do.
        heard: when each worker asked last, by monotonic time.
        joined: when the last worker came.
        told: called with the records of a trial that ended.
    """

    path: Path
    lease = 0.0
    plan = ""
    complete = False
    joined = 0.0
    told: Callable[[list[Record]], None]
    heard: dict[str, float]
    seen: dict[str, float]

    def create_trial(self, tuner_id: str) -> Trial:
        """The next trial; `IDLE` while others run that may yet come back."""
        self.heard[tuner_id] = time.monotonic()
        self._take_back()
        trial = super().create_trial(tuner_id)
        if trial.status == TrialStatus.RUNNING:
            self.seen[trial.trial_id] = time.monotonic()
        elif trial.status == TrialStatus.STOPPED and self.ongoing_trials:
            self.tuner_ids.add(tuner_id)
            trial.status = TrialStatus.IDLE
        elif trial.status == TrialStatus.STOPPED:
            self.complete = True
            self.save()
        return trial

    def get_trial(self, trial_id: str) -> Trial:
        """A trial; who asks for it is at it."""
        self.seen[trial_id] = time.monotonic()
        return super().get_trial(trial_id)

    def get_space(self) -> Any:
        """The space, and with it the plan."""
        self.joined = time.monotonic()
        space = super().get_space()
        space.values[SEARCH] = self.plan
        return space

    def end_trial(self, trial: Trial) -> None:
        """Takes a trial's end and its records; the second end of one that was given to another counts no more."""
        own = self.trials[trial.trial_id]
        text = trial.hyperparameters.values.pop(RECORDS, "[]")
        if trial.trial_id in self.end_order:
            return
        if trial.trial_id in self._retry_queue:
            self._retry_queue.remove(trial.trial_id)
        # As they came back over gRPC they are rounded to float32.
        trial.hyperparameters = own.hyperparameters
        trial.message = text
        super().end_trial(trial)
        self.told(from_text(text))

    def records(self) -> list[Record]:
        """Of all trials that have ended."""
        ended = [trial for _, trial in sorted(self.trials.items()) if trial.status != TrialStatus.RUNNING]
        return [record for trial in ended for record in from_text(trial.message or "[]")]

    def _take_back(self) -> None:
        """Trials whose worker has been silent for too long wait for another."""
        now = time.monotonic()
        for tuner_id, trial in list(self.ongoing_trials.items()):
            if self.lease and now - self.seen.get(trial.trial_id, now) > self.lease:
                del self.ongoing_trials[tuner_id]
                self._retry_queue.append(trial.trial_id)

    def get_state(self) -> dict[str, Any]:
        """All that a search must know to go on."""
        trials = [trial.get_state() for trial in self.trials.values()]
        return {**super().get_state(), "trials": trials, "complete": self.complete}

    def set_state(self, state: dict[str, Any]) -> None:
        """Takes what `get_state` gave; trials that had not ended are run again, or go on at their workers."""
        found = [Trial.from_state(entry) for entry in state["trials"]]
        self.trials = {trial.trial_id: trial for trial in found}
        super().set_state(state)
        self.complete = state["complete"]
        running = [trial for trial in found if trial.status == TrialStatus.RUNNING]
        now = time.monotonic()
        self.seen = {trial.trial_id: now for trial in running}
        self.ongoing_trials = {f"lost-{t.trial_id}": t for t in running} if self.lease else {}
        # Taken from its end, and the first one first.
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
        """Nothing: `save` writes trials too."""


class GridOracle(LastingOracle):
    """Every combination once, in order; has no state but its trials."""

    space: tuple[Dimension, ...] = ()

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """The first combination that no trial has."""
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
    """KerasTuner's Bayesian optimization; where it proposes what was tried before, a random combination instead."""

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """What promises most, or what is new."""
        found: dict[str, Any] = super().populate_space(trial_id)
        if found.get("values") and self._duplicate(found["values"]):
            found = self._random_populate_space()
        return found


def make_oracle(plan: Plan, path: Path, *, lease: float = 0.0, seed: int = 1) -> LastingOracle:
    """The oracle of a plan.

    Args:
        plan: of the search.
        path: of its state.
        lease: seconds of silence after which a worker's trial is another's.
        seed: of random choices.

    Returns:
        An oracle; `reload` takes up the state of an earlier one.

    Raises:
        ArgumentError: if scikit-learn is missing, for `bayesian`.
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
    oracle.heard, oracle.seen, oracle.told = {}, {}, lambda records: None
    oracle._max_collisions = _COLLISIONS
    oracle.verbose = 0
    return oracle


def trial_count(plan: Plan) -> int:
    """How many trials a search takes; of `hyperband` at most."""
    if plan.max_trials is not None:
        return plan.max_trials
    oracle: Any = make_oracle(plan, Path("unused"))
    brackets = range(oracle._get_num_brackets())
    return sum(oracle._get_size(bracket, turn) for bracket in brackets for turn in range(bracket + 1))


def updates_of(plan: Plan, values: dict[str, Any]) -> int:
    """The updates of a trial: the plan's budget, or the part of it that Hyperband gives."""
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
