import csv
import io

import pytest

from kpalette.search.plan import SearchPlan
from kpalette.search.records import FIGURES, SearchRecord, best_of, from_text, ranked, results_csv, to_text


def record(trial: str, seed: int, mse: float | None, **more) -> SearchRecord:
    values = {"learning_rate": 0.0002, "batch_size": 8, "shuffle": False, **more.pop("values", {})}
    figures = {} if mse is None else dict.fromkeys(FIGURES, mse)
    reason = "diverged, because | of lr" if mse is None else ""
    return SearchRecord(trial, seed, values, more.pop("updates", 60), figures, reason, 2.5, "here", (65, 3))


RECORDS = [
    record("0", 0, 0.3), record("0", 1, 0.1), record("1", 0, None), record("1", 1, 0.01), record("2", 1, 0.11),
    record("2", 0, 0.13), record("3", 0, 0.05, updates=20), record("3", 1, 0.05, updates=20),
]  # fmt: skip


def test_the_best_come_first_and_what_failed_has_no_score():
    order = ranked(RECORDS)
    assert [summary.trial for summary in order] == ["2", "0", "3", "1"]
    assert order[0].mean("mse") == pytest.approx(0.12)
    assert order[0].spread("mse") == pytest.approx(0.02 / 2**0.5)
    assert [run.seed for run in order[0].runs] == [0, 1]
    assert len(order[-1].failures) == 1
    assert ranked([record("0", 0, 0.3)])[0].spread("mse") is None
    assert best_of(SearchPlan(budget=60), RECORDS).trial == "2"
    assert best_of(SearchPlan(budget=60), [record("1", 0, None), record("3", 0, 0.05, updates=20)]) is None


def test_they_travel_as_text():
    assert from_text(to_text(RECORDS)) == RECORDS


def test_every_run_is_a_row_with_the_studys_columns():
    rows = list(csv.DictReader(io.StringIO(results_csv(SearchPlan(budget=60), RECORDS))))
    assert [row["run"] for row in rows] == [r.name for r in RECORDS]
    first, failed = rows[0], rows[2]
    assert (first["lr"], first["bsize"], first["shuffle"], first["loss"]) == ("0.0002", "8", "off", "0.3")
    assert (first["status"], first["reason"], first["selection"], first["updates"]) == ("done", "", "3", "60")
    assert (failed["status"], failed["loss"], failed["mse"]) == ("failed", "", "")
    assert failed["reason"] == "diverged, because | of lr"
