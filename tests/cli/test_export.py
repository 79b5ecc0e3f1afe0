"""Networks on the command line: `export`, and what other commands do with them."""

import os

import numpy as np
import pytest

from kpalette import read_image, recolor
from kpalette.recolorers import registry
from kpalette.recolorers.network import NetworkRecolorer
from kpalette.weights import presets
from tests.conftest import load

COLORS = "orange,saddlebrown,purple,green"


@pytest.fixture
def preset(monkeypatch, tiny_checkpoint):
    """`palettenet` has weights, `ablated` has none."""
    monkeypatch.setattr(presets, "_preset_folder", {"palettenet": tiny_checkpoint, "ablated": None}.get)
    registry.made.cache_clear()


@pytest.fixture
def no_weights(monkeypatch):
    monkeypatch.setattr(presets, "_preset_folder", {}.get)
    registry.made.cache_clear()


def test_recolor_with_a_network(kp, small, preset, tiny_checkpoint):
    for runtime in ([], ["--runtime", "onnx"], ["--runtime", "keras"]):
        assert kp("recolor", "a.png", "-p", COLORS, "-m", "palettenet", *runtime, "-o", "b.png", "--force").code == 0
        wanted = recolor(small, COLORS, model=NetworkRecolorer(tiny_checkpoint)).astype(int)
        assert np.abs(read_image("b.png").rgb - wanted).max() <= 1


def test_compare_leaves_out_what_has_no_weights(kp, small, preset):
    result = kp("compare", "a.png", "-p", COLORS)
    assert result.code == 0
    methods = [line.split()[0] for line in result.text.splitlines()[1:]]
    assert methods == ["source", "palettenet", "soft", "fitted", "baseline"]
    assert result.err.splitlines()[0] == "kpalette: note: left out ablated: the weights are missing"


def test_missing_weights_are_named_once(kp, small, no_weights):
    os.mkdir("many")
    for name in ("many/a.png", "many/b.png"):
        os.link("a.png", name)
    result = kp("recolor", "many", "-p", COLORS, "-m", "ablated")
    assert result.code == 1
    assert result.err == (
        "kpalette: error: the weights of 'ablated' are not there: train them with "
        "`python -m kpalette.train --phase pretrain`, or give a checkpoint folder\n"
    )
    notes = kp("compare", "a.png", "-p", COLORS).err.splitlines()
    assert notes[0] == "kpalette: note: left out palettenet and ablated: the weights are missing"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["recolor", "a.png", "-p", COLORS, "-m", "soft", "--runtime", "onnx"],
            "--runtime is for networks (palettenet",
        ),
        (["lut", "a.png", "-p", COLORS, "-m", "palettenet"], "'palettenet' is not one of 'soft', 'fitted', 'baseline'"),
        (["export", "palettenet"], "give one of these: -o FILE.onnx, -o DIR for a SavedModel, or --graph"),
        (["export", "palettenet", "-o", "a.onnx", "--graph"], "give one of these: -o FILE.onnx"),
    ],
)
def test_wrong_usage(kp, small, arguments, message):
    result = kp(*arguments)
    assert result.code == 2
    assert message in result.err
    assert os.listdir(".") == ["a.png"]


def test_export_writes_and_compares(kp, tmp_path, tiny_checkpoint):
    load("tf2onnx")
    result = kp("export", tiny_checkpoint, "-o", "net.onnx")
    assert result.code == 0
    assert result.err.startswith("wrote net.onnx: within ")
    assert result.err.endswith(" of Keras on random pictures of two sizes\n")
    assert kp("export", tiny_checkpoint, "-o", "net.onnx").err.startswith("kpalette: error: net.onnx exists already")
    assert kp("export", tiny_checkpoint, "-o", "saved").code == 0
    assert sorted(os.listdir(".")) == ["net.onnx", "saved"]
    assert "none is no folder" in kp("export", tmp_path / "none", "-o", "b.onnx").err


def test_an_unknown_format_is_refused_before_anything_is_loaded(kp, preset):
    result = kp("export", "palettenet", "-o", "a.tflite")
    assert result.code == 2
    assert "cannot export to .tflite" in result.err
