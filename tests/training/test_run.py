import csv
import json
import os
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pytest

import kpalette
from kpalette.data.samples import Sampler
from kpalette.errors import ArgumentError, ImageError, KPaletteError, OutputError
from kpalette.training.config import TrainConfig
from kpalette.training.run import read_start, train
from tests.conftest import load, shared_folder
from tests.training.conftest import TINY, after_backups, run, run_apart, run_eagerly, start

keras = load("keras")


def rows(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / "log.csv").open()))


def tiny(pictures, folder, **more) -> TrainConfig:
    values = {
        "filters": 4, "crop": 16, "batch_size": 4, "steps_per_epoch": 3, "previews": 2, "epochs": 1,
        "precision": "float32",
    }  # fmt: skip
    return TrainConfig(images=str(pictures), run=str(folder), **{**values, **more})


@pytest.fixture(scope="session")
def phase_1(pictures, tmp_path_factory, environment) -> Path:
    def make(folder: Path) -> None:
        arguments = [*TINY, "--images", str(pictures), "--run", str(folder), "--epochs", "4"]
        code, output, errors = run(arguments, environment)
        assert code == 0, errors
        assert output == f"{folder}/best\n"
        assert "epoch 4: loss " in errors

    return shared_folder(tmp_path_factory, "one", make)


@pytest.fixture(scope="session")
def phase_2(phase_1, pictures, tmp_path_factory, environment) -> Path:
    """A folder with `two`, a run of phase 2, and `killed`, as it would stand had the run been killed after an epoch."""

    def make(folder: Path) -> None:
        two = folder / "two"
        arguments = [*TINY, "--phase", "adversarial", "--from", str(phase_1), "--images", str(pictures)]
        # Sharpened after phase 1 is judged.
        arguments += ["--sharpen", "1", "--steps-per-epoch", "1", "--epochs", "3", "--patience", "0", "--run", str(two)]

        def copy(backup: Path) -> None:
            if backup.stem == "epoch-000001":
                shutil.copytree(two, folder / "killed")

        with run_eagerly(), after_backups(copy):
            code, output, errors = run(arguments, environment)
        assert code == 0, errors
        assert output == f"{two}/best\n"

    if keras.backend.backend() != "tensorflow":
        pytest.skip("one backend is enough here: test_parity compares the steps")
    return shared_folder(tmp_path_factory, "phase_2", make)


def test_a_run_folder_holds_everything(phase_1):
    names = sorted(path.name for path in phase_1.iterdir())
    assert names == [".lock", "backup", "best", "config.json", "log.csv", "previews", "tensorboard"]
    log = rows(phase_1)
    assert [row["epoch"] for row in log] == ["1", "2", "3", "4"]
    assert all(float(row["images_per_s"]) > 0 for row in log)
    assert float(log[-1]["learning_rate"]) < 1e-5  # cosine, to nothing
    assert len(list((phase_1 / "previews").glob("*.png"))) == 4
    assert json.loads((phase_1 / "config.json").read_text())["filters"] == 4
    metrics = json.loads((phase_1 / "best" / "metrics.json").read_text())
    best = min(log, key=lambda row: float(row["val_score"]))
    assert metrics["epoch"] == int(best["epoch"])
    assert metrics["val_score"] == pytest.approx(float(best["val_score"]), rel=1e-5)
    assert kpalette.load_checkpoint(phase_1 / "best").filters == 4


def test_tensorboard_reads_what_was_written(phase_1):
    loader = load("tensorboard.backend.event_processing.event_accumulator")
    events = loader.EventAccumulator(str(phase_1 / "tensorboard"))
    events.Reload()
    assert "val_ab_error" in events.Tags()["scalars"]
    assert "preview" in events.Tags()["images"]
    logged = [event.value for event in events.Scalars("loss")]
    np.testing.assert_allclose(logged, [float(row["loss"]) for row in rows(phase_1)], rtol=1e-5)


def test_a_killed_run_goes_on_as_if_nothing_had_happened(phase_1, pictures, tmp_path, environment):
    folder = tmp_path / "killed"
    arguments = [*TINY, "--images", str(pictures), "--run", str(folder), "--epochs", "4"]
    process = start(arguments, environment)
    deadline = time.monotonic() + 300
    while not (folder / "backup" / "epoch-000002.safetensors").exists():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    code, _, errors = run_apart(["--run", str(folder), "--resume"], environment)
    assert code == 0, errors
    assert "going on after epoch" in errors
    for ours, theirs in zip(rows(folder), rows(phase_1), strict=True):
        for name in ours.keys() - {"images_per_s"}:
            assert float(ours[name]) == pytest.approx(float(theirs[name]), rel=1e-4, abs=1e-4), name
    wanted = kpalette.load_checkpoint(phase_1 / "best").get_weights()
    for a, b in zip(kpalette.load_checkpoint(folder / "best").get_weights(), wanted, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)


def test_jax_trains_without_tensorflow(pictures, tmp_path, on_jax):
    load("jax")
    folder = tmp_path / "jax"
    arguments = [*TINY, "--images", str(pictures), "--run", str(folder), "--epochs", "2"]
    code, _, errors = run_apart(arguments, on_jax)
    assert code == 0, errors
    assert len(rows(folder)) == 2
    code, _, errors = run_apart(["--run", str(folder), "--resume"], on_jax)
    assert code == 0, errors
    # What JAX trained, TensorFlow loads.
    assert kpalette.load_checkpoint(folder / "best").filters == 4


def test_phase_2_in_three_arms(phase_1, phase_2, pictures, tmp_path, eagerly):
    log = rows(phase_2 / "two")
    assert [row["epoch"] for row in log] == ["0", "1", "2", "3"]  # what phase 1 is worth comes first
    told = json.loads((phase_1 / "best" / "metrics.json").read_text())
    for name in ("val_ab_error", "val_ssim", "val_palette_de_ab", "val_richness"):
        assert float(log[0][name]) == pytest.approx(told[name], rel=1e-3)
    assert {"fooling", "palette", "d_real", "val_d_recolored"} <= log[1].keys()
    more = {"phase": "adversarial", "sharpen": 1.0, "discriminator": False, "steps_per_epoch": 1}
    best = train(tiny(pictures, tmp_path / "three", start_from=str(phase_1 / "best"), **more), quiet=True)
    assert best == tmp_path / "three" / "best"
    third = rows(tmp_path / "three")
    assert [row["epoch"] for row in third] == ["0", "1"]
    assert not {"fooling", "d_real"} & third[1].keys()
    assert float(third[0]["val_ssim"]) == pytest.approx(float(log[0]["val_ssim"]), rel=1e-4)
    train(tiny(pictures, tmp_path / "still", start_from=str(phase_1), learning_rate=1e-12, **more), quiet=True)
    first, second = (float(row["val_ab_error"]) for row in rows(tmp_path / "still"))
    assert abs(first - second) > 1e-3
    # A learning rate that leads nowhere good: what is kept is phase 1's.
    wild = tiny(
        pictures, tmp_path / "wild", start_from=str(phase_1), learning_rate=0.5, clip=0, schedule="constant",
        palette_weight=0.0, **more,
    )  # fmt: skip
    kept = kpalette.load_checkpoint(train(wild, quiet=True)).get_weights()
    for a, b in zip(kept, kpalette.load_checkpoint(phase_1 / "best").get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_phase_2_goes_on_too(phase_2, tmp_path, environment, eagerly):
    folder = shutil.copytree(phase_2 / "killed", tmp_path / "two")
    assert len(rows(folder)) == 2
    code, _, errors = run(["--run", str(folder), "--resume"], environment)
    assert code == 0, errors
    assert "going on after epoch 1" in errors
    for ours, theirs in zip(rows(folder), rows(phase_2 / "two"), strict=True):
        for name in ours.keys() - {"images_per_s"}:
            if ours[name] or theirs[name]:
                assert float(ours[name]) == pytest.approx(float(theirs[name]), rel=1e-4, abs=1e-4), name


@pytest.mark.parametrize(
    ("config", "error", "message"),
    [
        ({"images": "nowhere"}, ImageError, "nowhere"),
        ({"run": "{one}"}, OutputError, "one holds a run already: `resume` goes on with it, `run` names another"),
        (
            {"run": "none", "resume": True},
            ArgumentError,
            "none holds no run to resume: none/config.json does not exist",
        ),
        ({"run": "{one}", "resume": True, "filters": 8}, ArgumentError, "one has filters 4, not 8: leave it out"),
        ({"run": "{one}", "resume": True, "images": "{other}"}, ArgumentError, "one has images"),
        ({"phase": "adversarial", "start_from": "nothing"}, KPaletteError, "nothing"),
        ({"palettes": "nothing.json"}, KPaletteError, "nothing.json does not exist"),
    ],
)
def test_what_cannot_be_trained(config, error, message, phase_1, pictures, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    values = {"images": str(pictures), "run": "new", "crop": 16, **config}
    values = {k: v.format(one=phase_1, other=tmp_path) if isinstance(v, str) else v for k, v in values.items()}
    if values.get("resume") and "images" not in config:
        del values["images"], values["crop"]
    with pytest.raises(error) as found:
        train(TrainConfig(**values), quiet=True)
    assert message in str(found.value)
    assert "\n" not in str(found.value)


def test_a_loss_that_is_no_number(pictures, tmp_path, environment, eagerly):
    folder = tmp_path / "nan"
    arguments = [*TINY, "--images", str(pictures), "--run", str(folder), "--learning-rate", "1e30", "--clip", "0"]
    code, _, errors = run([*arguments, "--schedule", "constant", "--epochs", "30"], environment)
    assert code == 1
    last = errors.splitlines()[-1]
    assert last.startswith("kpalette: error: `")
    assert "lower --learning-rate" in last
    assert "Traceback" not in errors


def test_options_that_differ_from_the_run_are_refused_even_if_they_are_defaults(phase_1, environment):
    code, _, errors = run(["--run", str(phase_1), "--resume", "--filters", "32"], environment)
    assert code == 1
    assert "has filters 4, not 32: leave it out" in errors


def test_pictures_that_changed(phase_1, pictures, tmp_path, environment):
    folder, others = tmp_path / "run", tmp_path / "others"
    shutil.copytree(phase_1, folder)
    shutil.copytree(pictures, others)
    (others / "0.png").unlink()
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "images": str(others)}))
    code, _, errors = run(["--run", str(folder), "--resume"], environment)
    assert code == 1
    assert "the pictures of the run in" in errors.splitlines()[-1]
    # The same pictures elsewhere are the same.
    shutil.copy(pictures / "0.png", others)
    assert run(["--run", str(folder), "--resume"], environment)[0] == 0


def test_a_picture_that_vanishes_gives_way(pictures, tmp_path):
    shutil.copytree(pictures, tmp_path / "some")
    sampler = Sampler.of(tmp_path / "some", crop=16)
    (tmp_path / "some" / "3.png").unlink()
    assert [sampler.read(i)[0] for i in range(8)] == [0, 1, 2, 4, 4, 5, 6, 7]
    for path in (tmp_path / "some").iterdir():
        path.unlink()
    with pytest.raises(ImageError, match="none of the training pictures"):
        sampler.draw(0)


def test_a_run_that_never_began_leaves_nothing(pictures, tmp_path):
    folder = tmp_path / "new"
    with pytest.raises(ImageError):
        train(tiny(tmp_path / "nowhere", folder), quiet=True)
    assert not folder.exists()


def test_one_run_at_a_time(phase_1):
    fcntl = load("fcntl")
    with (phase_1 / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(OutputError, match="another process trains in"):
            train(TrainConfig(run=str(phase_1), resume=True), quiet=True)


def test_wrong_usage(environment):
    code, _, errors = run(["--phase", "adversarial", "--from", ""], environment)
    assert (code, errors) == (1, "kpalette: error: --from is empty: is a variable unset?\n")
    assert run(["--epochs", "many"], environment)[0] == 2


def test_every_option_is_told(environment):
    code, output, _ = run(["--help"], environment)
    assert code == 0
    for name in TrainConfig.__dataclass_fields__:
        option = {"start_from": "--from"}.get(name, "--" + name.replace("_", "-"))
        assert option in output


def test_the_name_is_the_function_whatever_was_imported():
    assert callable(kpalette.train)
    import kpalette.train as module

    with pytest.raises(OutputError):
        module(TrainConfig(run=os.devnull))


def test_phase_two_of_a_network_that_hears_of_the_target_alone_is_not_sharpened(pictures, tmp_path, eagerly):
    kpalette.save_checkpoint(kpalette.PaletteNet(filters=2, conditioning="target"), tmp_path / "one")
    start_from = {"phase": "adversarial", "start_from": str(tmp_path / "one"), "steps_per_epoch": 1}
    with pytest.raises(ArgumentError, match="`sharpen` is for the choice among pairs"):
        train(tiny(pictures, tmp_path / "given", sharpen=0.7, **start_from))
    train(tiny(pictures, tmp_path / "two", **start_from))
    config = json.loads((tmp_path / "two" / "config.json").read_text())
    assert (config["conditioning"], config["sharpen"]) == ("target", 0.0)


def test_what_nothing_can_start_from(tmp_path):
    for name, message in (("nowhere", "nowhere is no folder"), (".", "is no checkpoint")):
        with pytest.raises(KPaletteError, match=message):
            read_start(str(tmp_path / name))
