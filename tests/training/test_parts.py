"""What phase 2 starts from where nothing is said: the phase 1 that ships, or one that is trained first."""

import csv
import json
import shutil
from pathlib import Path

import pytest

from kpalette.errors import ArgumentError, KPaletteError
from kpalette.training import run as module
from kpalette.training.config import TrainConfig
from kpalette.training.run import SHIPPED_START, shipped_start, train
from kpalette.weights.folder import read_checkpoint, write_checkpoint
from kpalette.weights.presets import find_preset, list_checkpoints
from tests.conftest import load
from tests.training.conftest import after_backups, run, run_eagerly

keras = load("keras")

SMALL = [
    "--crop", "16", "--batch-size", "2", "--steps-per-epoch", "1", "--previews", "1", "--epochs", "2", "--patience",
    "0", "--no-discriminator",
]  # fmt: skip
ships = pytest.mark.skipif(SHIPPED_START not in list_checkpoints(), reason="the weights are not there")


def rows(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / "log.csv").open()))


def config_of(folder: Path) -> dict[str, object]:
    return json.loads((folder / "config.json").read_text())


@ships
def test_the_default_network_is_that_of_the_phase_1_that_ships():
    assert shipped_start(TrainConfig(phase="adversarial")) == str(find_preset(SHIPPED_START))
    for other in ({"filters": 4}, {"conditioning": "target"}):
        assert shipped_start(TrainConfig(phase="adversarial", **other)) is None


def test_without_weights_that_ship_phase_1_is_trained(monkeypatch):
    monkeypatch.setattr(module, "list_checkpoints", lambda: ())
    assert shipped_start(TrainConfig(phase="adversarial")) is None


@pytest.fixture
def small_start(tmp_path, monkeypatch):
    """A network of two filters in place of the one that ships."""
    folder = tmp_path / "ships"
    keras.utils.set_random_seed(1)
    import kpalette

    kpalette.save_checkpoint(kpalette.PaletteNet(filters=2), folder)
    monkeypatch.setattr(module, "list_checkpoints", lambda: (SHIPPED_START,))
    monkeypatch.setattr(module, "find_preset", lambda name: folder)
    return folder


def test_phase_2_starts_from_the_phase_1_that_ships(small_start, pictures, tmp_path, capsys, eagerly):
    folder = tmp_path / "run"
    config = TrainConfig(
        phase="adversarial", run=str(folder), images=str(pictures), filters=2, crop=16, batch_size=2, epochs=1,
        steps_per_epoch=1, previews=1, learning_rate=1e-12, discriminator=False,
    )  # fmt: skip
    assert train(config) == folder / "best"
    assert f"phase 2 starts from the phase-1 checkpoint that ships, {small_start}\n" in capsys.readouterr().err
    assert config_of(folder)["start_from"] == str(small_start)
    assert not (folder / "pretrain").exists()
    found, wanted = (read_checkpoint(place).tensors for place in (folder / "best", small_start))
    assert all((found[name] == wanted[name]).all() for name in wanted)


def test_a_damaged_checkpoint_that_ships_is_an_error(small_start, tmp_path):
    checkpoint = read_checkpoint(small_start)
    write_checkpoint(small_start, config=checkpoint.config, tensors=checkpoint.tensors, overwrite=True)
    (small_start / "weights.safetensors").write_bytes(b"damaged")
    with pytest.raises(KPaletteError, match="weights.safetensors"):
        train(TrainConfig(phase="adversarial", run=str(tmp_path / "run"), filters=2), quiet=True)
    assert not (tmp_path / "run").exists()


@pytest.fixture(scope="module")
def whole(pictures, tmp_path_factory, environment) -> Path:
    """A run that trains both phases, never interrupted."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    arguments = ["--phase", "adversarial", "--filters", "2", *SMALL, "--images", str(pictures), "--run", str(folder)]
    with run_eagerly():
        code, output, errors = run(arguments, environment)
    assert code == 0, errors
    assert output == f"{folder}/best\n"
    assert (
        "no phase-1 checkpoint ships with filters 2 and conditioning pairs: phase 1 is trained first, 2 epochs, in "
        f"{folder}/pretrain\n"
    ) in errors
    lines = [line for line in errors.splitlines() if line.startswith("phase ") and "step" not in line]
    assert [line.split(": ")[:2] for line in lines[:-1]] == [
        ["phase 1", "epoch 1"], ["phase 1", "epoch 2"], ["phase 1", "best"], ["phase 2", "epoch 0"],
        ["phase 2", "epoch 1"], ["phase 2", "epoch 2"],
    ]  # fmt: skip
    return folder


def test_both_phases_lie_in_one_folder(whole):
    for folder, epochs in ((whole / "pretrain", ["1", "2"]), (whole, ["0", "1", "2"])):
        names = {path.name for path in folder.iterdir()} - {"pretrain"}
        assert names == {".lock", "backup", "best", "config.json", "log.csv", "previews", "tensorboard"}
        assert [row["epoch"] for row in rows(folder)] == epochs
    assert (config_of(whole)["start_from"], config_of(whole / "pretrain")["phase"]) == (None, "pretrain")
    last, first = rows(whole / "pretrain")[-1], rows(whole)[0]
    for name in ("val_ab_error", "val_ssim", "val_palette_de_ab"):
        assert float(first[name]) == pytest.approx(float(last[name]), rel=1e-4)


class Killed(BaseException):
    """Ends a run in the middle."""


def test_a_run_that_is_killed_in_each_place_goes_on(whole, pictures, tmp_path, environment, eagerly):
    folder = tmp_path / "run"
    arguments = ["--phase", "adversarial", "--filters", "2", *SMALL, "--images", str(pictures), "--run", str(folder)]
    for mark in ("pretrain/backup/epoch-000001", "pretrain/backup/epoch-000002", "backup/epoch-000001"):

        def kill(backup: Path, mark: str = mark) -> None:
            if backup == folder / f"{mark}.safetensors":
                # What a killed process leaves; this one ends in good order.
                shutil.copytree(folder, tmp_path / "left")
                raise Killed

        with after_backups(kill), pytest.raises(Killed):
            run(arguments, environment)
        shutil.rmtree(folder)
        (tmp_path / "left").rename(folder)
        arguments = ["--run", str(folder), "--resume"]
    code, output, errors = run(arguments, environment)
    assert (code, output) == (0, f"{folder}/best\n"), errors
    assert "phase 2: going on after epoch" in errors
    assert "phase 1: epoch" not in errors
    for part in ("pretrain", "."):
        for ours, theirs in zip(rows(folder / part), rows(whole / part), strict=True):
            for name in ours.keys() - {"images_per_s"}:
                if ours[name] or theirs[name]:
                    assert float(ours[name]) == pytest.approx(float(theirs[name]), rel=1e-4, abs=1e-4), name


def test_what_is_said_of_a_resumed_run_must_be_its_own(whole):
    for more, message in (({"filters": 4}, "filters 2, not 4"), ({"start_from": "x"}, "start_from None, not 'x'")):
        with pytest.raises(ArgumentError, match=message):
            train(TrainConfig(phase="adversarial", run=str(whole), resume=True, **more), quiet=True)


def test_a_run_goes_on_from_its_folder_alone(whole, tmp_path, eagerly):
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    (folder / "backup/epoch-000002.safetensors").unlink()
    assert train(TrainConfig(run=str(folder), resume=True), quiet=True) == folder / "best"
    assert [row["epoch"] for row in rows(folder)] == ["0", "1", "2"]
    assert (folder / "backup/epoch-000002.safetensors").exists()
