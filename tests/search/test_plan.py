import json
from dataclasses import replace

import pytest

from kpalette.errors import ArgumentError
from kpalette.search.plan import PLAN, SearchPlan, best_entries, make_plan, settle
from kpalette.search.space import Dimension
from kpalette.training.config import TrainConfig

WIDE = (Dimension("clip", (), 0.1, 1.0),)


def test_every_run_has_as_many_updates(tmp_path):
    for budget in (1, 7, 60, 400, 1024):
        for values in ({"batch_size": 8}, {"batch_size": 32}):
            config = SearchPlan(budget=budget).config(values, seed=2, run=tmp_path)
            assert config.epochs * config.steps_per_epoch == budget
            assert (config.seed, config.batch_size, config.patience) == (2, values["batch_size"], 0)
    assert SearchPlan().config({}, seed=0, run=tmp_path, budget=20).steps_per_epoch == 4


def test_it_is_what_its_json_says():
    plan = make_plan({"budget": 5, "space": WIDE, "tuner": "random", "settings": {"filters": 2}})
    assert SearchPlan.from_json(plan.to_json(), source="x") == plan
    assert plan.settings == {"filters": 2, "crop": 48}
    for text in ("{", "[]", "{}", '{"space": [{}]}', plan.to_json().replace('"budget"', '"budgets"')):
        with pytest.raises(ArgumentError, match="x is not a plan of a search: "):
            SearchPlan.from_json(text, source="x")


def test_what_is_varied_has_no_default():
    assert "filters" not in make_plan({"space": (Dimension("filters", (4, 8)),)}).settings


def test_a_folder_keeps_its_plan(tmp_path):
    plan = settle(tmp_path, {"budget": 5})
    (tmp_path / PLAN).write_text(plan.to_json())
    assert settle(tmp_path, {}) == settle(tmp_path, {"budget": 5, "settings": {"crop": 48}}) == plan
    for given, message in (
        ({"budget": 6}, "has budget 5, not 6: leave it out to go on, or give another --output to start anew"),
        ({"settings": {"filters": 4}}, "has filters 8, not 4: leave it out"),
        ({"space": WIDE}, "has space its own, not another: leave it out"),
        ({"data": "/elsewhere"}, "has data None, not '/elsewhere'"),
    ):
        with pytest.raises(ArgumentError) as error:
            settle(tmp_path, given)
        assert str(error.value).startswith(f"the search in {tmp_path} has ")
        assert message in str(error.value)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"tuner": "luck"}, "`tuner` must be one of grid, random, bayesian, hyperband. Received: 'luck'"),
        ({"budget": 0}, "`budget` must be a positive whole number. Received: 0"),
        ({"start_from": "runs/one"}, "--from is for phase `adversarial`"),
        ({"space": WIDE}, "the grid needs a list of values, and `clip` is a range: give another --tuner"),
        ({"tuner": "hyperband", "budget": 8}, "hyperband needs a --budget of at least 9. Received: 8"),
        ({"trials": 3}, "--trials is for random and bayesian: grid has a fixed number"),
    ],
)
def test_values_out_of_range(values, message):
    with pytest.raises(ArgumentError) as error:
        SearchPlan(**values)
    assert message in str(error.value)


def test_how_many_configurations():
    assert SearchPlan().max_trials == 12
    assert SearchPlan(tuner="random", trials=100).max_trials == 12
    assert SearchPlan(tuner="bayesian", space=WIDE, trials=7).max_trials == 7
    assert SearchPlan(tuner="random", space=(Dimension("batch_size", (), 2, 5),)).max_trials == 4
    assert SearchPlan(tuner="hyperband").max_trials is None


def test_the_best_is_what_kpalette_train_takes(tmp_path):
    plan = make_plan({"budget": 10, "pictures": 20, "settings": {"schedule": "constant"}})
    values = {"learning_rate": 0.01, "batch_size": 16, "shuffle": False}
    path = tmp_path / "best.json"
    path.write_text(json.dumps(best_entries(plan, values)))
    config = TrainConfig.from_json(path)
    assert replace(config, patience=0, run="x") == replace(plan.config(values, seed=0, run=tmp_path), run="x")
    two = make_plan({"phase": "adversarial", "start_from": "one", "space": (Dimension("palette_weight", (1.0, 9.0)),)})
    entries = best_entries(two, {"palette_weight": 9.0})
    assert {"phase", "start_from", "palette_weight"} <= entries.keys()
    assert TrainConfig(**entries).palette_weight == 9.0
