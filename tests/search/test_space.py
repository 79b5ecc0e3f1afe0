import json
import re

import pytest

from kpalette.errors import ArgumentError
from kpalette.search.space import (
    STUDY,
    Dimension,
    check_space,
    combinations,
    from_entries,
    label,
    possible,
    read_space,
    to_entries,
)
from tests.conftest import ROOT


def test_the_default_is_the_studys_twelve():
    found = [{d.name: d.read(values[d.name]) for d in STUDY} for values in combinations(STUDY)]
    assert len(found) == 12
    assert found[0] == {"learning_rate": 0.01, "batch_size": 8, "shuffle": True}
    assert found[-1] == {"learning_rate": 0.0002, "batch_size": 32, "shuffle": False}
    assert label(found[-1]) == "lr 0.0002, batch 32, shuffle off"


def test_a_file_varies_lists_and_ranges_and_shares_the_rest(tmp_path):
    path = tmp_path / "space.json"
    path.write_text(
        '{"schedule": ["cosine", "constant"], "unrelated": [0, 0.5], "filters": 16,'
        ' "learning_rate": {"min": 1e-4, "max": 0.01, "log": true}, "batch_size": {"min": 4, "max": 8}}'
    )
    space, shared = read_space(path)
    assert shared == {"filters": 16}
    assert [d.name for d in space] == ["schedule", "unrelated", "learning_rate", "batch_size"]
    assert space[1].values == (0.0, 0.5)
    assert (space[2].log, space[2].whole, space[3].whole) == (True, False, True)
    check_space(space, shared, phase="pretrain")
    assert from_entries(json.loads(json.dumps(to_entries(space)))) == space


def test_values_survive_float32():
    assert STUDY[0].read(STUDY[0].texts[1]) == 0.0002
    assert Dimension("learning_rate", (), 1e-4, 1.0).read(0.00019999999494757503) == 0.0002
    assert Dimension("batch_size", (), 4, 8).read(5.0) == 5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty (0 bytes)"),
        ("{", "is not JSON: "),
        ('{"clip": [NaN]}', "is not JSON: NaN is not a number"),
        ("[]", 'is not a space: it is not of the form {"learning_rate": [...], ...}'),
        ('{"filters": 4}', "is not a space: it varies nothing"),
        ('{"filters": []}', "is not a space: `filters` must have at least one value, and none twice. Received: []"),
        ('{"clip": [1, 1.0]}', "`clip` must have at least one value, and none twice. Received: [1, 1.0]"),
        ('{"learning_rate": [null, 0.1]}', "`learning_rate` must have values other than null"),
        ('{"clip": [1], "clip": [2]}', "is not JSON: `clip` occurs twice"),
        ('{"filters": [4, 4]}', "`filters` must have at least one value, and none twice. Received: [4, 4]"),
        ('{"clip": {"min": 2, "max": 1}}', "the range of `clip` must be "),
        ('{"clip": {"min": 0, "max": 1, "log": true}}', "the range of `clip` must be "),
        ('{"clip": {"min": "a", "max": 1}}', "the range of `clip` must be "),
        ('{"clip": {"low": 0, "max": 1}}', "the range of `clip` must be "),
    ],
)
def test_a_file_that_is_no_space(tmp_path, text, message):
    path = tmp_path / "space.json"
    path.write_text(text)
    with pytest.raises(ArgumentError) as error:
        read_space(path)
    assert str(path) in str(error.value)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("values", "settings", "phase", "message"),
    [
        ({"filterz": (1,)}, {}, "pretrain", "`filterz` is not an option of a run"),
        ({"seed": (1, 2)}, {}, "pretrain", "`seed` is set by the search"),
        ({"crop": (16, 32)}, {}, "pretrain", "`crop` must be the same in all runs: figures depend on it"),
        ({"filters": (4, 0)}, {}, "pretrain", "`filters` must be a positive whole number. Received: 0"),
        ({"shuffle": ("yes",)}, {}, "pretrain", "`shuffle` must be true or false. Received: 'yes'"),
        ({"schedule": ("cosine", "linear")}, {}, "pretrain", "`schedule` must be one of constant, cosine, step"),
        ({"clip": (1.0,)}, {"ema": 2}, "pretrain", "`ema` must be a number from 0 to below 1. Received: 2"),
        ({"clip": (1.0,)}, {"clip": 2}, "pretrain", "`clip` is varied and given for all runs"),
        ({"sharpen": (0.5,)}, {"conditioning": "target"}, "pretrain", "`sharpen` is for the choice among pairs"),
        ({"adversarial_weight": (0.1,)}, {}, "pretrain", "`adversarial_weight` has no effect in phase 1"),
        ({"filters": (4, 8)}, {}, "adversarial", "`filters` is decided by the weights that phase 2 starts from"),
    ],
)
def test_what_no_run_can_have(values, settings, phase, message):
    space = tuple(Dimension(name, entries) for name, entries in values.items())
    with pytest.raises(ArgumentError) as error:
        check_space(space, settings, phase=phase)
    assert message in str(error.value)


def test_values_that_are_right_with_some_others_only():
    space = (Dimension("sharpen", (0.5, 0.0)), Dimension("conditioning", ("target", "pairs")))
    check_space(space, {}, phase="pretrain")
    assert possible(space, {}) == {"sharpen": 0.5, "conditioning": "pairs"}
    # Of no batch of 8, which is the default.
    check_space((Dimension("batch_size", (6, 12)),), {"devices": 3}, phase="pretrain")


def test_phase_2_varies_its_weights():
    space = (Dimension("adversarial_weight", (0.0, 0.05)), Dimension("palette_weight", (), 1, 100, True))
    check_space(space, {}, phase="adversarial")


def test_the_documents_space_is_one(tmp_path):
    (block,) = re.findall(r"```json\n(.*?)```", (ROOT / "docs/search.md").read_text(), re.DOTALL)
    (tmp_path / "space.json").write_text(block)
    space, shared = read_space(tmp_path / "space.json")
    assert len(space) == 5
    check_space(space, shared, phase="pretrain")
