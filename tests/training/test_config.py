import json
from dataclasses import fields, replace

import pytest

from kpalette.errors import ArgumentError
from kpalette.training.config import TrainConfig, describe


def test_it_is_what_its_json_says(tmp_path):
    config = TrainConfig(filters=8, images="somewhere", clip=0, unrelated=0.25)
    path = tmp_path / "config.json"
    path.write_text(config.to_json())
    assert TrainConfig.from_json(path) == config


def test_phases_have_values_of_their_own():
    one, two = TrainConfig(), TrainConfig(phase="adversarial", start_from="runs/one")
    assert (one.run, one.epochs, one.adversarial_weight, one.patience) == ("runs/pretrain", 100, 0.0, 0)
    assert (two.run, two.epochs, two.patience) == ("runs/adversarial", 20, 5)
    assert two.adversarial_weight > 0
    assert TrainConfig(epochs=3).epochs == 3
    assert two.adversarial
    assert not one.adversarial


def test_the_help_names_phase_2s_values():
    two, told = TrainConfig(phase="adversarial", start_from="runs/one"), describe()
    weights = [name for name in told if name.endswith("_weight")]
    assert len(weights) == 6
    for name in weights:
        value = f"{getattr(two, name):g}"
        end = f"; {value} if None." if name == "mse_weight" else f"; 0, or {value} (phase 2) if None."
        assert told[name].endswith(end)
    assert f"{two.sharpen:g} (phase 2" in told["sharpen"]


def test_the_third_arm_differs_by_the_discriminator_alone():
    two = TrainConfig(phase="adversarial", start_from="runs/one")
    arm = replace(two, discriminator=False)
    assert not arm.adversarial
    assert arm.adversarial_weight == 0
    assert {f.name for f in fields(two) if getattr(two, f.name) != getattr(arm, f.name)} == {
        "discriminator", "adversarial_weight",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"phase": "both"}, "`phase` must be one of pretrain, adversarial. Received: 'both'"),
        ({"start_from": ""}, "`start_from` is empty: is a variable unset?"),
        ({"batch_size": 0}, "`batch_size` must be a positive whole number. Received: 0"),
        ({"epochs": 1.5}, "`epochs` must be a positive whole number. Received: 1.5"),
        ({"image_size": -1}, "`image_size` must be a positive whole number. Received: -1"),
        ({"learning_rate": 0.0}, "`learning_rate` must be a number above 0. Received: 0.0"),
        ({"learning_rate": float("nan")}, "`learning_rate` must be a number above 0. Received: nan"),
        ({"unrelated": 1.1}, "`unrelated` must be a number in 0..1. Received: 1.1"),
        ({"ema": 1.0}, "`ema` must be a number from 0 to below 1. Received: 1.0"),
        ({"clip": -1}, "`clip` must be a number, not negative. Received: -1"),
        ({"seed": True}, "`seed` must be a whole number from 0 to 4294967295. Received: True"),
        ({"precision": "float16"}, "`precision` must be one of auto, float32, mixed_bfloat16. Received: 'float16'"),
        ({"seed": 2**32}, "`seed` must be a whole number from 0 to 4294967295. Received: 4294967296"),
        ({"conditioning": "both"}, "`conditioning` must be one of pairs, target. Received: 'both'"),
        ({"dropout": 1}, "`dropout` must be a number from 0 to below 1. Received: 1"),
        (
            {"batch_size": 2, "devices": 2},
            "of the 1 rows that each of 2 devices gets, a share `unrelated` of 0.5 is no whole number: "
            "give a larger `batch_size`",
        ),
        ({"schedule": "linear"}, "`schedule` must be one of constant, cosine, step. Received: 'linear'"),
        ({"batch_size": 8, "devices": 3}, "`batch_size` must be a multiple of `devices`. Received: 8 and 3"),
    ],
)
def test_values_out_of_range(values, message):
    with pytest.raises(ArgumentError) as error:
        TrainConfig(**values)
    assert str(error.value) == message


def test_a_run_has_one_part_or_trains_phase_1_first():
    for config in (TrainConfig(), TrainConfig(phase="adversarial", start_from="runs/one")):
        assert not config.trains_both
        assert config.parts() == (config,)
    config = TrainConfig(
        phase="adversarial", run="runs/x", epochs=3, filters=4, images="somewhere", seed=7, palette_weight=1.0,
        discriminator=False, patience=2,
    )  # fmt: skip
    one, two = config.parts()
    assert config.trains_both
    assert one == TrainConfig(run="runs/x/pretrain", epochs=3, filters=4, images="somewhere", seed=7)
    assert two == replace(config, start_from="runs/x/pretrain/best")


def test_a_learning_rate_that_is_given_is_that_of_both_phases():
    one, two = TrainConfig(phase="adversarial").parts()
    assert (one.learning_rate, two.learning_rate) == (4e-4, 5e-4)
    assert {part.learning_rate for part in TrainConfig(phase="adversarial", learning_rate=1e-5).parts()} == {1e-5}


@pytest.mark.parametrize("text", ["{", "[]", '{"filterz": 3}', '{"filters": 0}', '{"filters": "x"}', "null"])
def test_a_damaged_config(tmp_path, text):
    path = tmp_path / "config.json"
    path.write_text(text)
    with pytest.raises(ArgumentError, match="config.json") as error:
        TrainConfig.from_json(path)
    assert "\n" not in str(error.value)


def test_every_field_is_described():
    texts = describe()
    assert set(texts) == {field.name for field in fields(TrainConfig)}
    assert all(len(text) > 20 for text in texts.values())
    assert set(json.loads(TrainConfig().to_json())) == set(texts)


def test_phase_two_sharpens_the_choice_where_there_is_one():
    assert TrainConfig().sharpen == 0.0
    assert TrainConfig(phase="adversarial", start_from="one").sharpen == 0.9
    assert TrainConfig(phase="adversarial", start_from="one", sharpen=0.0).sharpen == 0.0
    assert TrainConfig(phase="adversarial", start_from="one", conditioning="target").sharpen == 0.0


def test_squares_hold_the_windows_of_the_structure_term():
    with pytest.raises(ArgumentError, match="`crop` must be 7 or more where `structure_weight` is not 0. Received: 6"):
        TrainConfig(phase="adversarial", start_from="one", crop=6)
    assert TrainConfig(phase="adversarial", start_from="one", crop=6, structure_weight=0.0).crop == 6
    assert TrainConfig(crop=6).structure_weight == 0.0
