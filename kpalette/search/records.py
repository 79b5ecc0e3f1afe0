"""What became of the runs of a search: a record each, their CSV file, and configurations in order, the best first."""

import csv
import io
import json
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from kpalette.search.plan import Plan
from kpalette.search.space import shown
from kpalette.training.config import TrainConfig

FIGURES = ("mse", "ab_error", "ab_error_unrelated", "ssim", "palette_de_ab", "richness", "false_edges")
"""Of the validation after a run's last update, over the whole selection split (`kpalette.training.validation`)."""

OBJECTIVE = "mse"
"""What the search minimises: ab squared error on hue pairs."""

DIGITS = {"mse": 6, "ab_error": 3, "ab_error_unrelated": 3, "ssim": 4, "palette_de_ab": 2}
"""Behind the point, of the figures in tables."""

STUDY_COLUMNS = {"lr": "learning_rate", "bsize": "batch_size", "shuffle": "shuffle"}
"""The study's names, and ours; its fourth, loss, is the objective."""


@dataclass(frozen=True)
class Record:
    """One run: a configuration with a seed.

    Attributes:
        trial: KerasTuner's number of the configuration.
        seed: of the run.
        values: of the dimensions.
        updates: optimizer updates.
        figures: by `FIGURES`; none where it failed.
        reason: why it failed; empty where it did not.
        seconds: of the training process.
        host: where it ran.
        pictures: for training and for selection.
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
        """What the run is called, and its folder."""
        return f"{self.trial}-{self.seed}"

    @property
    def failed(self) -> bool:
        """Whether there are no figures."""
        return bool(self.reason)


def to_text(records: Iterable[Record]) -> str:
    """Records as one line of text, which KerasTuner carries."""
    return json.dumps([asdict(record) for record in records])


def from_text(text: str) -> list[Record]:
    """What `to_text` gave."""
    return [Record(**{**entry, "pictures": tuple(entry["pictures"])}) for entry in json.loads(text)]


@dataclass(frozen=True)
class Summary:
    """A configuration over its seeds.

    Attributes:
        trial: KerasTuner's number.
        values: of the dimensions.
        updates: of each run.
        runs: its records.
    """

    trial: str
    values: dict[str, Any]
    updates: int
    runs: tuple[Record, ...]

    @property
    def failures(self) -> tuple[Record, ...]:
        """The runs that failed: a configuration with one of them has no score."""
        return tuple(run for run in self.runs if run.failed)

    def mean(self, figure: str) -> float:
        """Of a figure over the seeds; of no failed configuration."""
        return statistics.fmean(run.figures[figure] for run in self.runs)

    def spread(self, figure: str) -> float | None:
        """Standard deviation of a figure over the seeds; None of a single one."""
        return statistics.stdev(run.figures[figure] for run in self.runs) if len(self.runs) > 1 else None


def ranked(records: Iterable[Record]) -> list[Summary]:
    """Configurations, the best first, those with a failed run last.

    Args:
        records: of any order.

    Returns:
        By mean objective; runs of fewer updates, hyperband's, stand behind those of more.
    """
    trials: dict[str, list[Record]] = {}
    for record in records:
        trials.setdefault(record.trial, []).append(record)
    found = [
        Summary(trial, own[0].values, own[0].updates, tuple(sorted(own, key=lambda record: record.seed)))
        for trial, own in sorted(trials.items())
    ]
    return sorted(found, key=lambda s: (1, 0, 0.0) if s.failures else (0, -s.updates, s.mean(OBJECTIVE)))


def best_of(plan: Plan, records: Iterable[Record]) -> Summary | None:
    """The configuration of the least mean objective at the full budget, all of whose runs succeeded; None without."""
    full = [s for s in ranked(records) if not s.failures and s.updates == plan.budget]
    return full[0] if full else None


def results_csv(plan: Plan, records: Iterable[Record]) -> str:
    """Every run a row: the study's columns, all dimensions, figures, and why it failed.

    Args:
        plan: of the search.
        records: in the order of the rows.

    Returns:
        The text of the CSV file.
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


def _study_values(plan: Plan, values: Mapping[str, Any]) -> dict[str, str]:
    """A configuration by the study's columns lr, bsize and shuffle, whether they are varied or not."""
    unset = TrainConfig(phase=plan.phase, start_from=plan.start_from)
    given = {name: value for name, value in {**plan.settings, **values}.items() if value is not None}
    return {theirs: shown(given.get(ours, getattr(unset, ours))) for theirs, ours in STUDY_COLUMNS.items()}
