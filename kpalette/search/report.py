"""Reports of a search: results.csv, table.md, runs.svg, best.json, and a block in a document."""

import json
import statistics
import time
from pathlib import Path

from kpalette.files import write_file
from kpalette.report.markdown import markdown_table
from kpalette.search.events import write_experiment, write_session
from kpalette.search.figure import draw_runs
from kpalette.search.plan import SearchPlan, best_entries
from kpalette.search.published import PUBLISHED, claims, is_study, key_of
from kpalette.search.records import DIGITS, OBJECTIVE, SearchRecord, Summary, best_of, ranked, results_csv
from kpalette.search.space import label, shown

RESULTS, TABLE, FIGURE, BEST_FILE = "results.csv", "table.md", "runs.svg", "best.json"
"""Names of files in a search folder."""

RUNS, EVENTS = "runs", "tensorboard"
"""Names of folders: of the runs in a search folder, and of the events in each run folder."""

_DRAW_EVERY = 60.0  # seconds between figures


class Report:
    """The report files of a search; `add` keeps them up to date.

    Args:
        folder: folder of the search.
        plan: plan of the search.
        records: records of earlier sessions.

    Example:
        >>> report = Report(Path("runs/search"), SearchPlan(), [])
        >>> report.block()
        'No run has ended yet.'
    """

    def __init__(self, folder: Path, plan: SearchPlan, records: list[SearchRecord]) -> None:
        """See the class."""
        self.folder, self.plan, self.records = folder, plan, list(records)
        self.drawn = 0.0

    def add(self, records: list[SearchRecord]) -> None:
        """Adds the runs of a trial that has ended, and writes all files; the figure at most once a minute."""
        self.records += records
        self._write(records, figure=time.monotonic() - self.drawn > _DRAW_EVERY)

    def write(self) -> None:
        """Writes all files."""
        self._write(self.records, figure=True)

    def _write(self, fresh: list[SearchRecord], *, figure: bool) -> None:
        write_experiment(self.folder, self.plan)
        for record in fresh:
            write_session(self.folder / RUNS / record.name / EVENTS, record)
        files = {RESULTS: results_csv(self.plan, self.records).encode(), TABLE: self.table().encode()}
        if self.records and figure:
            self.drawn = time.monotonic()
            files[FIGURE] = draw_runs(ranked(self.records))
        best = best_of(self.plan, self.records)
        if best is not None:
            files[BEST_FILE] = (json.dumps(best_entries(self.plan, best.values), indent=2) + "\n").encode()
        for name, data in files.items():
            write_file(self.folder / name, data, overwrite=True)

    def table(self) -> str:
        """The configurations as a GitHub markdown table, best first."""
        return table(self.plan, ranked(self.records))

    def block(self) -> str:
        """The text for a document: how the search was run, the table, and the claims if the space is the study's."""
        if not self.records:
            return "No run has ended yet."
        order = ranked(self.records)
        lines = [_facts(self.plan, self.records), "", self.table()]
        if is_study(self.plan.space):
            full = [summary for summary in order if summary.updates == self.plan.budget]
            lines += [f"- {claim.text} **{claim.verdict.capitalize()}**: {claim.evidence}" for claim in claims(full)]
        return "\n".join(lines)


def table(plan: SearchPlan, order: list[Summary]) -> str:
    """The table of configurations, with mean and standard deviation of figures over the seeds.

    Args:
        plan: plan of the search.
        order: configurations in the order of the rows.

    Returns:
        A GitHub markdown table; it has a column with the published loss if the space is the study's.
    """
    study = is_study(plan.space)
    seeds = f", mean ± sd of {plan.seeds} seeds" if plan.seeds > 1 else ""
    names = {"learning_rate": "lr", "batch_size": "batch"}
    header = [names.get(d.name, d.name) for d in plan.space] + ["published loss"] * study
    header += ["updates"] * (plan.tuner == "hyperband") + [f"mse{seeds}", *list(DIGITS)[1:], "failed"]
    rows = []
    for summary in order:
        row = [shown(summary.values[d.name]) for d in plan.space]
        row += [f"{PUBLISHED[key_of(summary.values)]:.6f}"] if study else []
        row += [str(summary.updates)] * (plan.tuner == "hyperband")
        rows.append([*row, *_figures(summary)])
    return markdown_table(header, rows)


def _figures(summary: Summary) -> list[str]:
    if summary.failures:
        first = summary.failures[0].reason
        return [""] * len(DIGITS) + [f"{len(summary.failures)} of {len(summary.runs)}: {first}"]
    return [*(_number(summary, name, digits) for name, digits in DIGITS.items()), ""]


def _number(summary: Summary, name: str, digits: int) -> str:
    spread = summary.spread(name)
    return f"{summary.mean(name):.{digits}f}" + ("" if spread is None else f" ± {spread:.{digits}f}")


def _facts(plan: SearchPlan, records: list[SearchRecord]) -> str:
    pictures, selection = records[0].pictures
    seconds = [record.seconds for record in records if record.seconds]
    settings = ", ".join(f"{name} {shown(value)}" for name, value in plan.settings.items())
    median = f"; {statistics.median(seconds):.0f} s a run (median)" if seconds else ""
    seeds = f"{plan.seeds} {'seed' if plan.seeds == 1 else 'seeds'}"
    return (
        f"{plan.phase}, {plan.tuner}, {plan.budget} updates a run, {seeds}; "
        f"{pictures} pictures for training, {selection} for selection{f'; {settings}' if settings else ''}{median}."
    )


def final_lines(report: Report) -> list[str]:
    """The lines that are printed at the end of a search."""
    order, folder = ranked(report.records), report.folder
    failed = sum(record.failed for record in report.records)
    lines = [f"{len(report.records)} runs of {len(order)} configurations, {failed} failed: see {folder / RESULTS}"]
    best = best_of(report.plan, report.records)
    if best is None:
        return [*lines, "no configuration has a score at the full budget"]
    return [
        *lines,
        f"best: {label(best.values)}, {OBJECTIVE} {best.mean(OBJECTIVE):.6f}",
        f"train it: python -m kpalette.train --config {folder / BEST_FILE} --run runs/best",
        f"look at it: tensorboard --logdir {folder}",
    ]
