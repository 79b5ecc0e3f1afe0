"""`SearchTuner`: a tuner of KerasTuner that trains a configuration with each seed, in processes of their own."""

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
from kpalette.search.plan import SearchPlan
from kpalette.search.records import FIGURES, SearchRecord, to_text
from kpalette.search.report import RUNS
from kpalette.search.space import label
from kpalette.search.trial import Runner, RunResult

_IDLE = 1.0  # seconds between requests for a trial while there is none
_PING = 2.0  # seconds between signs of life


@dataclass
class Listener:
    """Callbacks for runs.

    Attributes:
        begin: called with the name of a run that begins.
        end: called with the record of a run that has ended, and whether it trained just now.

    Example:
        >>> Listener(print, lambda record, fresh: print(record.name)).begin("batch 8, seed 0")
        batch 8, seed 0
    """

    begin: Callable[[str], None]
    end: Callable[[SearchRecord, bool], None]


class Chief(BaseTuner):
    """KerasTuner's chief: its `search` answers workers without end, at the address in the environment.

    Example:
        >>> Chief(oracle, directory="runs/search", project_name=".").search()  # doctest: +SKIP
    """

    def save(self) -> None:
        """Writes the state of the oracle; the tuner has none."""
        self.oracle.save()


class SearchTuner(Chief):
    """Runs trials of its own oracle, or of a chief if the environment names one.

    Args:
        oracle: chooses the trials.
        plan: plan of the search.
        folder: folder of the search; runs lie in its folder `RUNS`.
        run: trains a run.
        listener: callbacks for runs.
        pictures: number of pictures for training and for selection.

    Example:
        >>> tuner = SearchTuner(oracle, plan=plan, folder=folder, run=run, listener=listener)  # doctest: +SKIP
        >>> tuner.search()  # doctest: +SKIP
    """

    def __init__(
        self,
        oracle: LastingOracle,
        *,
        plan: SearchPlan,
        folder: Path,
        run: Runner,
        listener: Listener,
        pictures: tuple[int, int] = (0, 0),
    ) -> None:
        """See the class."""
        self.plan, self.folder, self.run, self.listener, self.pictures = plan, folder, run, listener, pictures
        super().__init__(oracle, directory=str(folder), project_name=".")

    def search(self) -> None:
        """Runs trials until none is left. Unlike KerasTuner's own loop it pauses while it has to wait."""
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

    def run_trial(self, trial: Trial) -> list[SearchRecord]:
        """Trains a configuration with each seed.

        Args:
            trial: KerasTuner's trial.

        Returns:
            A record for each run. If one fails, the others run all the same, to show how many fail.
        """
        held = trial.hyperparameters.values
        values = {dimension.name: dimension.read(held[dimension.name]) for dimension in self.plan.space}
        updates = updates_of(self.plan, held)
        records = []
        for seed in range(self.plan.seeds):
            self.listener.begin(f"{label(values)}, seed {seed}")
            folder = self.folder / RUNS / f"{trial.trial_id}-{seed}"
            outcome = self._outcome(values, seed=seed, folder=folder, updates=updates)
            record = SearchRecord(
                trial.trial_id, seed, values, updates, outcome.figures, outcome.reason, outcome.seconds,
                platform.node(), self.pictures,
            )  # fmt: skip
            records.append(record)
            self.listener.end(record, outcome.fresh)
        return records

    def _outcome(self, values: dict[str, Any], *, seed: int, folder: Path, updates: int) -> RunResult:
        """Trains a run; values that are valid alone can be invalid together, which is a failure too."""
        try:
            config = self.plan.config(values, seed=seed, run=folder, budget=updates)
        except ArgumentError as error:
            return RunResult(reason=str(error))
        return self.run(config)

    @contextmanager
    def _signs_of_life(self, trial_id: str) -> Iterator[None]:
        """Asks the chief for the trial now and then, which shows that this worker is alive."""
        done = threading.Event()

        def ask() -> None:
            while not done.wait(_PING):
                # If the chief is away for a while, the worker waits for it at the end of the trial.
                with suppress(Exception):
                    self.oracle.get_trial(trial_id)

        if not isinstance(self.oracle, keras_tuner.Oracle):
            threading.Thread(target=ask, daemon=True).start()
        try:
            yield
        finally:
            done.set()
