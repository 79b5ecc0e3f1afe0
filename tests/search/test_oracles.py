import json
from pathlib import Path

import pytest

from kpalette.errors import KPaletteError
from kpalette.search.plan import SearchPlan, make_plan
from kpalette.search.records import FIGURES, SearchRecord, to_text
from kpalette.search.space import Dimension
from tests.conftest import load

keras_tuner = load("keras_tuner")
from kpalette.search.oracles import RECORDS, SEARCH, LastingOracle, make_oracle, trial_count, updates_of  # noqa: E402

# KerasTuner's own, of Python 3.10 on.
pytestmark = pytest.mark.filterwarnings("ignore:currentThread", "ignore:getName", "ignore:The optimal value")

CLIP = Dimension("clip", (), 0.5, 2.0)


def end(oracle: LastingOracle, trial, mse: float | None = 0.5) -> None:
    """What a worker sends: through the protocol, which rounds and carries no messages."""
    sent = type(trial).from_proto(trial.to_proto())
    figures = {} if mse is None else dict.fromkeys(FIGURES, mse)
    if mse is not None:
        oracle.update_trial(sent.trial_id, figures)
    sent.status = "FAILED" if mse is None else "COMPLETED"
    record = SearchRecord(sent.trial_id, 0, {}, 1, figures, "" if figures else "diverged")
    sent.hyperparameters.values[RECORDS] = to_text([record])
    oracle.end_trial(sent)


def again(oracle: LastingOracle, plan: SearchPlan) -> LastingOracle:
    """The oracle of a process that is started after this one was killed."""
    found = make_oracle(plan, oracle.path, lease=oracle.lease)
    found.reload()
    return found


def drain(oracle: LastingOracle, worker: str = "one") -> list[dict]:
    found = []
    while (trial := oracle.create_trial(worker)).status == "RUNNING":
        found.append(trial.hyperparameters.values)
        end(oracle, trial)
    assert trial.status == "STOPPED"
    return found


@pytest.mark.parametrize("killed", range(0, 13, 3))
def test_the_grid_goes_on_after_any_kill(tmp_path, killed):
    plan = SearchPlan()
    oracle = make_oracle(plan, tmp_path / "state")
    seen = []
    for number in range(killed):
        trial = oracle.create_trial("one")
        # What is written at this moment has the trial as begun; it is run again, by the same number.
        oracle = again(oracle, plan)
        assert oracle.create_trial("two").trial_id == trial.trial_id == f"{number:02}"
        seen.append(trial.hyperparameters.values)
        end(oracle, trial, None if number == 1 else 0.5)
        oracle = again(oracle, plan)
    seen += drain(oracle)
    assert len({json.dumps(values) for values in seen}) == len(seen) == 12
    assert len(oracle.records()) == 12
    assert sum(record.failed for record in oracle.records()) == (killed > 1)
    assert again(oracle, plan).complete


@pytest.mark.parametrize("tuner", ["random", "bayesian", "hyperband"])
def test_the_others_go_on_too(tmp_path, tuner):
    trials = {} if tuner == "hyperband" else {"trials": 7}
    plan = make_plan({"tuner": tuner, "space": (CLIP, Dimension("batch_size", (4, 8))), **trials})
    oracle = make_oracle(plan, tmp_path / "state")
    first = oracle.create_trial("one")
    end(oracle, first, 0.25)
    trial = oracle.create_trial("one")
    oracle = again(oracle, plan)
    assert oracle.create_trial("one").trial_id == trial.trial_id
    end(oracle, trial)
    seen = [first.hyperparameters.values, trial.hyperparameters.values, *drain(oracle)]
    assert len(seen) == len(oracle.records()) == trial_count(plan) == trials.get("trials", 23)
    assert len({json.dumps(values) for values in seen}) == len(seen)
    assert oracle.get_best_trials()[0].trial_id == first.trial_id


@pytest.mark.parametrize("tuner", ["random", "bayesian"])
def test_a_small_space_is_tried_whole_and_nothing_twice(tmp_path, tuner):
    seen = drain(make_oracle(make_plan({"tuner": tuner, "trials": 50}), tmp_path / "state"))
    assert len({json.dumps(values, sort_keys=True) for values in seen}) == len(seen) == 12


def test_hyperband_shares_the_budget_out(tmp_path):
    plan = make_plan({"tuner": "hyperband", "space": (CLIP,), "budget": 90})
    updates = [updates_of(plan, values) for values in drain(make_oracle(plan, tmp_path / "state"))]
    assert set(updates) == {10, 30, 90}
    assert updates_of(plan, {}) == 90


def test_failures_end_no_search(tmp_path):
    oracle = make_oracle(SearchPlan(), tmp_path / "state")
    for _ in range(12):
        end(oracle, oracle.create_trial("one"), None)
    assert oracle.create_trial("one").status == "STOPPED"
    assert [record.reason for record in oracle.records()] == ["diverged"] * 12


def test_a_silent_workers_trial_is_anothers(tmp_path):
    oracle = make_oracle(SearchPlan(), tmp_path / "state", lease=10.0)
    lost, kept = oracle.create_trial("lost"), oracle.create_trial("kept")
    oracle.seen_at[lost.trial_id] -= 11
    assert oracle.get_trial(kept.trial_id) is kept
    given = oracle.create_trial("third")
    assert given.trial_id == lost.trial_id
    told = []
    oracle.on_end = told.append
    end(oracle, given, 0.5)
    # The silent one comes back late: the run counts once.
    end(oracle, lost, 0.7)
    assert len(told) == 1
    assert oracle.trials[lost.trial_id].score == pytest.approx(0.5)
    while (trial := oracle.create_trial("third")).status == "RUNNING":
        end(oracle, trial)
    # One is still at it: nobody is sent away.
    assert trial.status == "IDLE"
    end(oracle, kept)
    assert oracle.create_trial("third").status == "STOPPED"
    assert len(oracle.records()) == 12


def test_a_chief_that_comes_back_waits_for_its_workers(tmp_path):
    oracle = make_oracle(SearchPlan(), tmp_path / "state", lease=10.0)
    trial = oracle.create_trial("one")
    oracle = again(oracle, SearchPlan())
    assert oracle.create_trial("two").trial_id != trial.trial_id
    end(oracle, trial)
    assert [record.trial for record in oracle.records()] == [trial.trial_id]


def test_workers_hear_of_the_plan(tmp_path):
    plan = make_plan({"budget": 7})
    oracle = make_oracle(plan, tmp_path / "state")
    sent = keras_tuner.HyperParameters.from_proto(oracle.get_space().to_proto())
    assert SearchPlan.from_json(sent.values[SEARCH], source="x") == plan
    assert SEARCH not in oracle.create_trial("one").hyperparameters.values


@pytest.mark.parametrize("text", ["{", "{}", "[]"])
def test_a_damaged_state(tmp_path, text):
    path: Path = tmp_path / "state"
    path.write_text(text)
    with pytest.raises(KPaletteError, match="state is no state of a search"):
        make_oracle(SearchPlan(), path).reload()
