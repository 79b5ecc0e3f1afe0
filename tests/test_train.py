"""The command of `python -m kpalette.train`; what training does is in tests/training."""

import importlib
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from kpalette.errors import KPaletteError
from kpalette.training.config import TrainConfig

module = importlib.import_module("kpalette.train")


@pytest.fixture
def trained(monkeypatch):
    """Calls the command, and gives the config that would be trained."""
    found: list[TrainConfig] = []
    monkeypatch.setattr(module, "train", lambda config, quiet, guard: found.append(config) or Path("best"))

    def call(*arguments: object) -> TrainConfig:
        CliRunner().invoke(module.command, [str(a) for a in arguments], catch_exceptions=False)
        return found[-1]

    return call


def test_a_file_gives_options_and_those_given_win(tmp_path, trained):
    path = tmp_path / "best.json"
    path.write_text('{"learning_rate": 0.01, "batch_size": 16, "shuffle": false, "steps_per_epoch": 12}')
    config = trained("--config", path, "--batch-size", 4, "--run", tmp_path / "run")
    assert config == TrainConfig(
        learning_rate=0.01, batch_size=4, shuffle=False, steps_per_epoch=12, run=str(tmp_path / "run")
    )
    assert trained("--config", path, "--shuffle").shuffle
    # An option that is given counts even where it is the default.
    assert trained("--config", path, "--batch-size", 8).batch_size == 8


def test_what_a_phase_sets_by_itself_is_that_of_the_phase_given(tmp_path, trained):
    path = tmp_path / "best.json"
    path.write_text('{"batch_size": 16}')
    config = trained("--config", path, "--phase", "adversarial", "--from", "one")
    assert (config.batch_size, config.palette_weight) == (
        16, TrainConfig(phase="adversarial", start_from="one").palette_weight,
    )  # fmt: skip


def test_a_runs_own_config_is_one_but_for_its_folder(tmp_path, trained):
    path = tmp_path / "config.json"
    path.write_text(TrainConfig(run="elsewhere", resume=True, filters=4).to_json())
    config = trained("--config", path)
    assert (config.run, config.resume, config.filters) == ("runs/pretrain", False, 4)


def test_a_resumed_run_has_what_the_file_says(tmp_path, trained):
    path, run = tmp_path / "best.json", tmp_path / "run"
    run.mkdir()
    (run / "config.json").write_text(TrainConfig(run=str(run), filters=4, batch_size=16).to_json())
    path.write_text('{"batch_size": 16}')
    assert trained("--config", path, "--run", run, "--resume").filters == 4
    path.write_text('{"batch_size": 8}')
    with pytest.raises(KPaletteError, match="has batch_size 16, not 8: leave it out"):
        trained("--config", path, "--run", run, "--resume")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not a config of a run: "),
        ('{"lr": 1}', "is not a config of a run: unknown entries: lr"),
        ('{"filters": 0}', "best.json: --filters must be a positive whole number. Received: 0"),
        (json.dumps({"start_from": ""}), "best.json: --from is empty"),
    ],
)
def test_a_damaged_file(tmp_path, trained, text, message):
    path = tmp_path / "best.json"
    path.write_text(text)
    with pytest.raises(KPaletteError) as error:
        trained("--config", path)
    assert message in str(error.value)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
