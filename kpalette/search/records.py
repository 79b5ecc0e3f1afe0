"""Results of a search: a record for each run, their CSV file, and the configurations in order, best first."""

import csv
import io
import json
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from kpalette.search.plan import SearchPlan
from kpalette.search.space import shown
from kpalette.training.config import TrainConfig

FIGURES = ("mse", "ab_error", "ab_error_unrelated", "ssim", "palette_de_ab", "richness", "false_edges")
"""Figures of a run: the validation after its last update, on the whole selection split (`training.validation`)."""

OBJECTIVE = "mse"
"""The figure that the search minimises: the squared error of ab on hue pairs."""

DIGITS = {"mse": 6, "ab_error": 3, "ab_error_unrelated": 3, "ssim": 4, "palette_de_ab": 2}
"""Digits after the point of the figures in tables."""

STUDY_COLUMNS = {"lr": "learning_rate", "bsize": "batch_size", "shuffle": "shuffle"}
"""The published study's names of options, and ours; its fourth column, loss, is the objective."""


@dataclass(frozen=True)
class SearchRecord:
    """Result of one run: a configuration with a seed.

    Attributes:
        trial: KerasTuner's number of the configuration.
        seed: seed of the run.
        values: values of the dimensions.
        updates: number of optimizer updates.
        figures: figures by the names in `FIGURES`; empty if the run failed.
        reason: why the run failed; empty if it did not.
        seconds: duration of the training process.
        host: name of the machine.
        pictures: number of pictures for training and for selection.

    Example:
        >>> record = SearchRecord("00", 1, {"batch_size": 8}, 20, reason="diverged")
        >>> record.name, record.failed
        ('00-1', True)
    """

    trial: str
    seed: int
    values: dict[str, Any]
    updates: int
    figures: dict[str, float] = field(default_factory=dict)
    reason: str = ""
    seconds: float = 0.0
    host: str = ""
    pictures: tuple[int, int] = (0, 0)

    @property
    def name(self) -> str:
        """The name of the run and of its folder."""
        return f"{self.trial}-{self.seed}"

    @property
    def failed(self) -> bool:
        """Whether the run failed."""
        return bool(self.reason)


def to_text(records: Iterable[SearchRecord]) -> str:
    """Records as one line of text, which KerasTuner can carry."""
    return json.dumps([asdict(record) for record in records])


def from_text(text: str) -> list[SearchRecord]:
    """The records of a text from `to_text`."""
    return [SearchRecord(**{**entry, "pictures": tuple(entry["pictures"])}) for entry in json.loads(text)]


@dataclass(frozen=True)
class Summary:
    """Results of a configuration over its seeds.

    Attributes:
        trial: KerasTuner's number of the configuration.
        values: values of the dimensions.
        updates: number of updates of each run.
        runs: records of the runs.

    Example:
        >>> runs = tuple(SearchRecord("00", seed, {}, 20, {"mse": seed / 10}) for seed in (1, 2))
        >>> round(Summary("00", {}, 20, runs).mean("mse"), 3)
        0.15
    """

    trial: str
    values: dict[str, Any]
    updates: int
    runs: tuple[SearchRecord, ...]

    @property
    def failures(self) -> tuple[SearchRecord, ...]:
        """The runs that failed; a configuration with a failed run has no score."""
        return tuple(run for run in self.runs if run.failed)

    def mean(self, figure: str) -> float:
        """The mean of a figure over the seeds; not for a configuration with a failed run."""
        return statistics.fmean(run.figures[figure] for run in self.runs)

    def spread(self, figure: str) -> float | None:
        """The standard deviation of a figure over the seeds; None for a single seed."""
        return statistics.stdev(run.figures[figure] for run in self.runs) if len(self.runs) > 1 else None


def ranked(records: Iterable[SearchRecord]) -> list[Summary]:
    """Sorts configurations, best first, those with a failed run last.

    Args:
        records: records in any order.

    Returns:
        Configurations by mean objective. With hyperband, those with fewer updates come after those with more.
    """
    trials: dict[str, list[SearchRecord]] = {}
    for record in records:
        trials.setdefault(record.trial, []).append(record)
    found = [
        Summary(trial, own[0].values, own[0].updates, tuple(sorted(own, key=lambda record: record.seed)))
        for trial, own in sorted(trials.items())
    ]
    return sorted(found, key=lambda s: (1, 0, 0.0) if s.failures else (0, -s.updates, s.mean(OBJECTIVE)))


def best_of(plan: SearchPlan, records: Iterable[SearchRecord]) -> Summary | None:
    """The configuration with the least mean objective at the full budget and no failed run; None if there is none."""
    full = [s for s in ranked(records) if not s.failures and s.updates == plan.budget]
    return full[0] if full else None


def results_csv(plan: SearchPlan, records: Iterable[SearchRecord]) -> str:
    """The CSV file of all runs: the study's columns, all dimensions, figures, and reasons of failures.

    Args:
        plan: plan of the search.
        records: records in the order of the rows.

    Returns:
        The text of the file.
    """
    varied = [dimension.name for dimension in plan.space]
    columns = ["run", "trial", "seed", "status", *STUDY_COLUMNS, "loss", *(n for n in varied if n != "shuffle")]
    columns += [*FIGURES, "updates", "seconds", "pictures", "selection", "host", "reason"]
    stream = io.StringIO()
    table = csv.DictWriter(stream, columns, restval="", lineterminator="\n")
    table.writeheader()
    for record in records:
        table.writerow({
            **{ours: value for ours, value in record.values.items() if ours != "shuffle"},
            **_study_values(plan, record.values), **record.figures, "loss": record.figures.get(OBJECTIVE, ""),
            "run": record.name, "trial": record.trial, "seed": record.seed,
            "status": "failed" if record.failed else "done", "updates": record.updates,
            "seconds": f"{record.seconds:.1f}", "pictures": record.pictures[0], "selection": record.pictures[1],
            "host": record.host, "reason": record.reason,
        })  # fmt: skip
    return stream.getvalue()


def _study_values(plan: SearchPlan, values: Mapping[str, Any]) -> dict[str, str]:
    """The study's columns lr, bsize and shuffle for a configuration, even if the search does not vary them."""
    unset = TrainConfig(phase=plan.phase, start_from=plan.start_from)
    given = {name: value for name, value in {**plan.settings, **values}.items() if value is not None}
    return {theirs: shown(given.get(ours, getattr(unset, ours))) for theirs, ours in STUDY_COLUMNS.items()}
