"""`SearchTuner`: KerasTuner's tuner whose trial is a configuration trained with every seed, each in its own process."""

import platform
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras_tuner
from keras_tuner.engine.base_tuner import BaseTuner

from kpalette.errors import ArgumentError
from kpalette.search.oracles import RECORDS, LastingOracle, Trial, TrialStatus, updates_of
from kpalette.search.plan import Plan
from kpalette.search.records import FIGURES, Record, to_text
from kpalette.search.report import RUNS
from kpalette.search.space import label
from kpalette.search.trial import Outcome, Runner

_IDLE = 1.0  # seconds between questions for a trial while there is none
_PING = 2.0  # seconds between signs of life


@dataclass
class Talk:
    """What is told of the runs.

    Attributes:
        begin: called with a run that begins.
        end: called with the record of one that has ended, and whether it trained just now.
    """

    begin: Callable[[str], None]
    end: Callable[[Record, bool], None]


class Chief(BaseTuner):
    """KerasTuner's chief: its `search` answers workers for ever, at the address that the environment names."""

    def save(self) -> None:
        """The oracle's state, which is all there is."""
        self.oracle.save()


class SearchTuner(Chief):
    """Runs trials: its own oracle's or, where the environment names one, a chief's.

    Args:
        oracle: chooses them.
        plan: of the search.
        folder: of the search; runs lie in its folder `RUNS`.
        run: trains one.
        talk: hears of them.
        pictures: how many there are for training and for selection.
    """

    def __init__(
        self, oracle: LastingOracle, *, plan: Plan, folder: Path, run: Runner, talk: Talk,
        pictures: tuple[int, int] = (0, 0),
    ) -> None:  # fmt: skip
        """See the class."""
        self.plan, self.folder, self.run, self.talk, self.pictures = plan, folder, run, talk, pictures
        super().__init__(oracle, directory=str(folder), project_name=".")

    def search(self) -> None:
        """Runs trials until there are none left; KerasTuner's own asks without a pause while it has to wait."""
        while (trial := self.oracle.create_trial(self.tuner_id)).status != TrialStatus.STOPPED:
            if trial.status == TrialStatus.IDLE:
                time.sleep(_IDLE)
                continue
            with self._signs_of_life(trial.trial_id):
                records = self.run_trial(trial)
            failed = any(record.failed for record in records)
            if not failed:
                means = {name: sum(r.figures[name] for r in records) / len(records) for name in FIGURES}
                self.oracle.update_trial(trial.trial_id, means)
            trial.status = TrialStatus.FAILED if failed else TrialStatus.COMPLETED
            trial.hyperparameters.values[RECORDS] = to_text(records)
            self.oracle.end_trial(trial)

    def run_trial(self, trial: Trial) -> list[Record]:
        """Trains a configuration with every seed.

        Args:
            trial: what KerasTuner chose.

        Returns:
            A record for each run. Where one fails, the others are run all the same: how many fail is worth knowing.
        """
        held = trial.hyperparameters.values
        values = {dimension.name: dimension.read(held[dimension.name]) for dimension in self.plan.space}
        updates = updates_of(self.plan, held)
        records = []
        for seed in range(self.plan.seeds):
            self.talk.begin(f"{label(values)}, seed {seed}")
            folder = self.folder / RUNS / f"{trial.trial_id}-{seed}"
            outcome = self._outcome(values, seed=seed, folder=folder, updates=updates)
            record = Record(
                trial.trial_id, seed, values, updates, outcome.figures, outcome.reason, outcome.seconds,
                platform.node(), self.pictures,
            )  # fmt: skip
            records.append(record)
            self.talk.end(record, outcome.fresh)
        return records

    def _outcome(self, values: dict[str, Any], *, seed: int, folder: Path, updates: int) -> Outcome:
        """Of a run; values that are right by themselves may not be so with one another."""
        try:
            config = self.plan.config(values, seed=seed, run=folder, budget=updates)
        except ArgumentError as error:
            return Outcome(reason=str(error))
        return self.run(config)

    @contextmanager
    def _signs_of_life(self, trial_id: str) -> Iterator[None]:
        """Asks the chief for the trial now and then, so that it is known to be in hand."""
        done = threading.Event()

        def ask() -> None:
            while not done.wait(_PING):
                # A chief that is away for a while is waited for at the trial's end.
                with suppress(Exception):
                    self.oracle.get_trial(trial_id)

        if not isinstance(self.oracle, keras_tuner.Oracle):
            threading.Thread(target=ask, daemon=True).start()
        try:
            yield
        finally:
            done.set()
