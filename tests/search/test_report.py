import csv
import re
from dataclasses import replace

import pytest

from kpalette.search.plan import SearchPlan, make_plan
from kpalette.search.records import ranked
from kpalette.search.report import Report, final_lines, table
from kpalette.search.space import Dimension
from kpalette.training.config import TrainConfig
from tests.conftest import load
from tests.search.test_published import runs
from tests.search.test_records import RECORDS

load("matplotlib")
PLAN = make_plan({"budget": 60, "seeds": 3})


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Report:
    failed = [(0.01, 8, True)]
    records = runs(lambda rate, batch, shuffle: rate + batch / 1000 + shuffle / 1e4, failed=failed)
    found = Report(tmp_path_factory.mktemp("search"), PLAN, records[:6])
    found.add(records[6:])
    return found


def test_the_folder_holds_everything(report):
    names = {path.name for path in report.folder.iterdir() if not path.name.startswith("events.")}
    assert names == {"results.csv", "table.md", "runs.svg", "best.json", "runs"}
    assert len(list(csv.DictReader((report.folder / "results.csv").open()))) == 36
    best = TrainConfig.from_json(report.folder / "best.json")
    assert (best.learning_rate, best.batch_size, best.shuffle) == (0.0002, 8, False)
    assert best.epochs * best.steps_per_epoch == 60
    assert len([line for line in final_lines(report) if str(report.folder) in line]) == 3
    assert final_lines(report)[0].startswith("36 runs of 12 configurations, 3 failed: ")


def test_the_block_of_a_document(report):
    block = report.block()
    rows = re.findall(r"^\| (0\.01|0\.0002) \| (8|16|32) \| (on|off) \| (0\.\d{6}) \|", block, re.MULTILINE)
    assert len(rows) == len(set(rows)) == 12
    assert rows[0] == ("0.0002", "8", "off", "0.004481")
    assert rows[-1] == ("0.01", "8", "on", "0.023087")
    assert "± 0.0000" in block
    assert "| 3 of 3: diverged |" in block
    assert len(re.findall(r"^- .*\*\*(Holds|Does not hold|Undecided)\*\*: ", block, re.MULTILINE)) == 4
    assert block.startswith("pretrain, grid, 60 updates a run, 3 seeds; ")
    assert len(re.findall(r"^\| lr ", block, re.MULTILINE)) == 1
    assert Report(report.folder, PLAN, []).block() == "No run has ended yet."


def test_claims_compare_runs_of_as_many_updates_only():
    records = runs(lambda rate, batch, shuffle: rate + batch / 1000 + shuffle / 1e4)
    # As of hyperband: each configuration was tried before, by a ninth of the updates.
    worse = [
        replace(r, trial=f"9{r.trial}", updates=6, figures={k: 1 / v for k, v in r.figures.items()}) for r in records
    ]
    whole, both = (Report(None, PLAN, found).block().splitlines() for found in (records, records + worse))
    assert [line for line in both if line.startswith("- ")] == [line for line in whole if line.startswith("- ")]


def test_another_space_has_no_published_column():
    plan = SearchPlan(space=(Dimension("clip", (0.0, 1.0)),))
    records = [replace(record, values={"clip": 1.0}) for record in RECORDS]
    text = table(plan, ranked(records))
    assert text.startswith("| clip | mse | ab_error |")
    assert "published" not in Report(None, plan, records).block()
