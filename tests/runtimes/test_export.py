import json
import shutil

import numpy as np
import pytest

from kpalette.errors import KPaletteError, OutputError
from kpalette.runtimes.graph import has_graph, open_graph, write_graph
from kpalette.runtimes.session import ExportError, onnx_session
from kpalette.weights.config import CheckpointError
from kpalette.weights.folder import read_checkpoint
from tests.conftest import load

tf = load("tensorflow")
keras = load("keras")
ort = load("onnxruntime")
from kpalette.models.checkpoint import load_checkpoint, save_checkpoint  # noqa: E402
from kpalette.models.generator import PaletteNet  # noqa: E402
from kpalette.runtimes import export  # noqa: E402


def inputs_of(model, *, batch=1, height=24, width=40) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(1)
    every = {
        "lab": generator.uniform(-0.6, 0.6, (batch, height, width, 3)),
        "source_palette": generator.uniform(-0.6, 0.6, (batch, 8, 3)),
        "target_palette": generator.uniform(-0.6, 0.6, (batch, 8, 3)),
        "mask": np.tile(np.arange(8) < 5, (batch, 1)),
    }
    return {name: every[name].astype(np.float32) for name in model.input}


@pytest.fixture
def copy(tiny_checkpoint, tmp_path):
    return shutil.copytree(tiny_checkpoint, tmp_path / "copy")


@pytest.mark.parametrize("size", [(1, 1, 1), (3, 17, 50), (1, 64, 16)])
def test_the_graph_without_weights_gives_what_keras_gives(tiny_checkpoint, size):
    checkpoint = read_checkpoint(tiny_checkpoint)
    assert has_graph(checkpoint)
    assert checkpoint.config["graph"]["initializers"].keys() == checkpoint.tensors.keys()
    model = load_checkpoint(tiny_checkpoint)
    inputs = inputs_of(model, batch=size[0], height=size[1], width=size[2])
    np.testing.assert_allclose(open_graph(checkpoint)(inputs), model(inputs), atol=1e-3)


def test_no_weights_lie_in_the_graph_and_it_serves_others_of_its_kind(tiny_checkpoint, tmp_path):
    """Other weights under the old graph: whatever of a weight had stayed inside would show."""
    keras.utils.set_random_seed(5)
    other = PaletteNet(filters=4)
    other.set_weights([np.random.default_rng(2).normal(0, 0.2, w.shape) for w in other.get_weights()])
    folder = save_checkpoint(other, tmp_path / "other", half=False)
    shutil.copy(tiny_checkpoint / "graph.onnx", folder)
    config = json.loads((folder / "config.json").read_text())
    config["graph"] = json.loads((tiny_checkpoint / "config.json").read_text())["graph"]
    (folder / "config.json").write_text(json.dumps(config))
    inputs = inputs_of(other)
    np.testing.assert_allclose(open_graph(read_checkpoint(folder))(inputs), other(inputs), atol=1e-3)
    assert (folder / "graph.onnx").stat().st_size < 300_000


def test_an_onnx_file_of_a_model_by_targets(tmp_path):
    model = PaletteNet(filters=4, conditioning="target")
    path = tmp_path / "m.onnx"
    assert export.export_onnx(model, path) <= export.TOLERANCE
    session = ort.InferenceSession(path)
    assert sorted(node.name for node in session.get_inputs()) == ["lab", "mask", "target_palette"]
    inputs = inputs_of(model, batch=2, height=19, width=33)
    np.testing.assert_allclose(session.run(["ab"], inputs)[0], model(inputs), atol=1e-3)
    with pytest.raises(OutputError, match=r"m.onnx exists already: use overwrite=True"):
        export.export_onnx(model, path)


def test_a_saved_model(tiny_checkpoint, tmp_path):
    path = tmp_path / "deep" / "saved"
    assert export.export_saved_model(tiny_checkpoint, path) <= export.TOLERANCE
    model = load_checkpoint(tiny_checkpoint)
    inputs = inputs_of(model, height=18, width=31)
    served = tf.saved_model.load(str(path)).signatures["serving_default"]
    np.testing.assert_allclose(served(**{k: tf.constant(v) for k, v in inputs.items()})["ab"], model(inputs), atol=1e-3)
    with pytest.raises(OutputError, match="saved exists already: use overwrite=True"):
        export.export_saved_model(tiny_checkpoint, path)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "picture.png").touch()
    with pytest.raises(OutputError, match="it exists and is not a SavedModel"):
        export.export_saved_model(tiny_checkpoint, tmp_path / "other", overwrite=True)


def test_an_export_that_differs_is_refused():
    model = PaletteNet(filters=4)
    with pytest.raises(KPaletteError, match="it differs from Keras by .* more than 0.001"):
        export.checked(model, lambda inputs: model(inputs) + 0.01, "it")
    with pytest.raises(KPaletteError, match="differs from Keras by nan"):
        export.checked(model, lambda inputs: model(inputs) * np.nan, "it")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"graph": None}, "make it with `kpalette export .* --graph`"),
        ({"graph": [1]}, '"graph" must have bytes, name, sha256 and initializers'),
        ({"name": "../graph.onnx"}, '"name" must be graph.onnx'),
        ({"sha256": "0" * 64}, "graph.onnx has another SHA-256 than config.json says"),
        ({"initializers": {"stem_conv/kernel": {"axes": [0, 0, 0, 0], "shape": [4]}}}, "'stem_conv/kernel' fits no te"),
        ({"initializers": {"stem_conv/kernel": [1]}}, "'stem_conv/kernel' fits no tensor"),
        ({"initializers": {}}, "ONNX Runtime does not take the graph"),
    ],
)
def test_graphs_that_are_damaged(copy, change, message):
    config = json.loads((copy / "config.json").read_text())
    if "graph" in change:
        config |= change
    else:
        config["graph"] |= change
    (copy / "config.json").write_text(json.dumps(config))
    with pytest.raises(KPaletteError, match=message):
        open_graph(read_checkpoint(copy))


def test_a_graph_that_is_gone(copy):
    (copy / "graph.onnx").unlink()
    with pytest.raises(CheckpointError, match=r"graph.onnx does not exist"):
        open_graph(read_checkpoint(copy))


def test_what_is_missing_is_said(tmp_path, tiny_checkpoint, monkeypatch):
    with pytest.raises(KPaletteError, match="none is no folder"):
        write_graph(tmp_path / "none")
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(KPaletteError, match="exports need TensorFlow: Keras runs on jax"):
        export.export_onnx(tiny_checkpoint, tmp_path / "m.onnx")


def test_graphs_that_fix_eight_swatches_get_eight_and_no_more():
    from onnx import TensorProto, helper

    swatches = helper.make_tensor_value_info("target_palette", TensorProto.FLOAT, ["batch", 8, 3])
    total = helper.make_tensor_value_info("total", TensorProto.FLOAT, ["batch", 8, 3])
    graph = helper.make_graph([helper.make_node("Identity", ["target_palette"], ["total"])], "g", [swatches], [total])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", export.OPSET)], ir_version=9)
    run = onnx_session(model.SerializeToString())
    three = np.ones((2, 3, 3), np.float32)
    assert run({"target_palette": three}).sum(axis=(1, 2)).tolist() == [9, 9]
    with pytest.raises(ExportError, match=r"takes 8 swatches at most, not 9: write it anew \(kpalette export"):
        run({"target_palette": np.ones((2, 9, 3), np.float32)})
