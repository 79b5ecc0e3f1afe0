import importlib.util
import subprocess
import sys

import cv2
import numpy as np
import pytest
from PIL import Image

from kpalette.color.gamut import reduce_chroma
from kpalette.color.spaces import rgb_to_lab
from kpalette.errors import ArgumentError, KPaletteError
from kpalette.images.picture import as_picture, image_to_rgb, resize, rgb_to_image
from kpalette.metrics.figures import false_edges
from kpalette.models.ranges import AB_SCALE, to_network_range
from kpalette.palettes.extract import extract_palette
from kpalette.palettes.palette import Palette
from kpalette.recolorers.lightness import transfer_lightness
from kpalette.recolorers.network import NetworkRecolorer
from kpalette.recolorers.recolor import recolor
from kpalette.recolorers.registry import get_recolorer, list_networks
from kpalette.recolorers.slopes import REACH, limit_slopes
from tests.conftest import load
from tests.recolorers.plans import plan

COLORS = Palette.parse("orange saddlebrown purple green")


@pytest.fixture(scope="session")
def onnx(tiny_checkpoint) -> NetworkRecolorer:
    return NetworkRecolorer(tiny_checkpoint, runtime="onnx")


@pytest.fixture(scope="session")
def coarse(tiny_checkpoint) -> NetworkRecolorer:
    """Works at a quarter of the photograph's sides."""
    return NetworkRecolorer(tiny_checkpoint, runtime="onnx", working_size=32)


def lab_of(image: np.ndarray) -> np.ndarray:
    return rgb_to_lab(image_to_rgb(image))


def same_but_for_rounding(a: np.ndarray, b: np.ndarray) -> bool:
    difference = np.abs(a.astype(int) - b)
    return difference.max() <= 1 and (difference > 0).mean() < 0.02


def test_the_runtimes_agree(tiny_checkpoint, onnx, photo):
    keras = NetworkRecolorer(tiny_checkpoint, runtime="keras")
    for image in (photo, np.ascontiguousarray(photo[:17, :90])):
        results = [recolor(image, COLORS, model=model, lightness=0.3) for model in (onnx, keras)]
        assert same_but_for_rounding(*results)
    assert np.abs(results[0].astype(int) - image).mean() > 5


def test_the_general_way_of_keras_agrees(tiny_checkpoint, onnx):
    load("keras")
    from kpalette.models.checkpoint import load_checkpoint
    from kpalette.runtimes.network import _predicting

    generator = np.random.default_rng(0)
    inputs = {
        "lab": generator.uniform(-0.5, 0.5, (1, 20, 33, 3)).astype(np.float32),
        "source_palette": generator.uniform(-0.5, 0.5, (1, 8, 3)).astype(np.float32),
        "target_palette": generator.uniform(-0.5, 0.5, (1, 8, 3)).astype(np.float32),
        "mask": np.float32([[1, 1, 1, 0, 0, 0, 0, 0]]),
    }
    predicted = _predicting(load_checkpoint(tiny_checkpoint))(inputs)
    np.testing.assert_allclose(predicted, onnx.load()(inputs), atol=1e-3)


def test_a_model_in_memory_of_either_conditioning(photo):
    load("tensorflow")
    from kpalette.models.generator import PaletteNet

    model = PaletteNet(filters=4, conditioning="target", name="mine")
    recolorer = NetworkRecolorer(model)
    assert recolorer.name == "mine"
    assert recolor(photo[:40, :50], COLORS, model=recolorer).shape == (40, 50, 3)
    assert not any("call" in vars(layer) for layer in model.layers)  # kpalette changed a copy, not the caller's model


def test_pictures_of_all_kinds(onnx, coarse, photo):
    alpha = np.arange(128 * 128, dtype=np.uint8).reshape(128, 128)
    rgba = np.dstack([photo, alpha])
    np.testing.assert_array_equal(recolor(rgba, COLORS, model=onnx)[..., 3], alpha)
    assert recolor(Image.fromarray(rgba), COLORS, model=onnx).mode == "RGBA"
    for shape in [(1, 1), (17, 401), (401, 17)]:
        grey = (np.arange(shape[0] * shape[1]).reshape(shape) % 256).astype(np.uint8)
        for model in (onnx, coarse):
            assert recolor(grey, COLORS, model=model).shape == (*shape, 3)
    floats = recolor(photo / 255, COLORS, model=onnx, source=extract_palette(photo, method="kmeans"))
    off = np.abs(floats * 255 - recolor(photo, COLORS, model=onnx))  # rounding, and the chroma reduction is not exact
    assert off.max() < 0.6
    assert np.mean(off > 0.501) < 1e-3


@pytest.mark.parametrize("size", [2, 8])
def test_two_to_eight_colours(onnx, photo, size):
    target = Palette.from_rgb(np.random.default_rng(size).random((size, 3)))
    assert recolor(photo, target, model=onnx).shape == photo.shape


@pytest.mark.parametrize("lightness", [0.0, 1.0])
def test_a_palette_turned_into_itself_changes_nothing(coarse, photo, lightness):
    source = extract_palette(photo, method="kmeans")
    done = coarse.apply(as_picture(photo), plan(source, source, lightness))
    np.testing.assert_array_equal(done.image, photo)
    assert done.clipped == 0


@pytest.mark.parametrize("lightness", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("which", ["onnx", "coarse"])
def test_lightness_moves_along_the_curve_or_not_at_all(request, photo, lightness, which):
    source = extract_palette(photo, method="kmeans")
    target = source.matched(COLORS)
    done = request.getfixturevalue(which).apply(as_picture(photo), plan(source, target, lightness))
    wanted = transfer_lightness(lab_of(photo)[..., 0], source, target, strength=lightness)
    found = lab_of(done.image)[..., 0]
    assert np.abs(found - wanted).mean() < 0.2  # 8 bits
    assert np.abs(found - wanted).max() < 1.5  # and pale yellows, whose red is clipped
    assert 0 <= done.clipped <= 1


def test_the_network_gets_the_documented_inputs(photo):
    """The picture and its palette at the new lightness, and the target; its prediction becomes the result."""
    seen = {}
    recolorer = NetworkRecolorer("anything", working_size=64)
    source = extract_palette(photo, method="kmeans")
    target = source.matched(COLORS)

    def network(inputs):
        seen.update({**inputs, **seen, "lab": inputs["lab"]})  # palettes before they are corrected
        return inputs["lab"][..., :0:-1]  # a and b exchanged

    recolorer._network = network
    small = resize(photo, longest=64)
    done = recolorer.apply(as_picture(small), plan(source, target, 0.5)).image
    lab = lab_of(small)
    lab[..., 0] = transfer_lightness(lab[..., 0], source, target, strength=0.5)
    shown = reduce_chroma(lab)
    mirrored = np.pad(shown, ((16, 16), (16, 16), (0, 0)), mode="symmetric")
    np.testing.assert_allclose(seen["lab"], to_network_range(mirrored)[np.newaxis], atol=1e-5)
    moved = source.lab.copy()
    moved[:, 0] = transfer_lightness(moved[:, 0], source, target, strength=0.5)
    expected = to_network_range(reduce_chroma(moved))
    np.testing.assert_allclose(seen["source_palette"][0, :4], expected, atol=1e-5)
    np.testing.assert_allclose(seen["target_palette"][0, :4], to_network_range(target.lab), atol=1e-5)
    assert seen["mask"].tolist() == [[1, 1, 1, 1]]
    assert {array.dtype for array in seen.values()} == {np.dtype(np.float32)}
    wanted = reduce_chroma(shown[..., [0, 2, 1]])
    assert same_but_for_rounding(done, rgb_to_image(_rgb(wanted)))
    recolorer.apply(as_picture(photo), plan(source, target, 0.0))
    assert seen["lab"].shape == (1, 96, 96, 3)


@pytest.mark.parametrize(("a", "share"), [(0, 0.0), (200, 1.0)])
def test_the_share_that_is_clipped_is_that_of_the_prediction(a, share):
    grey = as_picture(np.full((64, 64, 3), 128, np.uint8))
    source, target = Palette([[53.6, 0, 0], [90, 0, 0]]), Palette([[53.6, 10, 0], [90, 0, 10]])
    assert of_two_halves(a).apply(grey, plan(source, target, 0.0)).clipped == share


def _rgb(lab: np.ndarray) -> np.ndarray:
    from kpalette.color.spaces import lab_to_rgb

    return lab_to_rgb(lab)


def of_two_halves(a: float) -> NetworkRecolorer:
    """Its network predicts one ab for the left half of the 64 pixels that it gets, and minus that for the right."""

    def network(inputs):
        ab = np.full((*inputs["lab"].shape[:3], 2), a / AB_SCALE, np.float32)
        ab[:, :, 16 + 32 :] *= -1
        return ab

    recolorer = NetworkRecolorer("anything", working_size=64)
    recolorer._network = network
    return recolorer


@pytest.mark.parametrize("lightness", [0.0, 0.5])
@pytest.mark.parametrize("side", [64, 200])
def test_a_leap_in_a_smooth_area_becomes_a_ramp(side, lightness):
    """At working size, and at full size."""
    image = np.full((side, side, 3), 100, np.uint8)
    image[:8] = 180  # another colour, for the lightness curve
    source = extract_palette(image, method="kmeans")
    target = Palette(source.lab + np.float32([10.0, 15.0, 15.0]))
    result = of_two_halves(15).apply(as_picture(image), plan(source, target, lightness)).image
    a = lab_of(result)[..., 1]
    assert a[:, 4].min() > 14
    assert a[:, -4].max() < -14
    assert false_edges(image, result) == 0


@pytest.mark.parametrize("side", [64, 200])
def test_an_edge_that_the_lightness_curve_removes_is_kept(side):
    """Neighbours are compared in the picture, before the curve: here both greys end at one lightness."""
    image = np.full((side, side, 3), 90, np.uint8)
    image[:, side // 2 :] = 150
    source = extract_palette(image, method="kmeans")
    target = Palette([[55.0, 30.0, 30.0], [55.5, -30.0, -30.0]])
    lab = lab_of(of_two_halves(25).apply(as_picture(image), plan(source, target, 1.0)).image)
    assert np.abs(np.diff(lab[..., 0], axis=1)).max() < 1.5
    assert lab[:, 0, 1].min() > 22
    assert lab[:, -1, 1].max() < -22
    assert np.ptp(lab[:, side // 2 - 1 : side // 2 + 1, 1], axis=1).min() > 8


def test_a_picture_of_working_size_is_not_upsampled(photo, monkeypatch):
    recolorer = of_two_halves(15)
    source = extract_palette(photo, method="kmeans")
    with monkeypatch.context() as patch:
        patch.setattr("kpalette.recolorers.strips.fit_field", None)
        small = as_picture(resize(photo, longest=64))
        assert recolorer.apply(small, plan(source, source.matched(COLORS), 0.0)).image.shape == (64, 64, 3)


def test_grain_in_the_dark_is_not_torn_at_full_size():
    """The network sees the mean of the grain; at full size the gamut cuts every pixel to another chroma."""
    grain = np.random.default_rng(0).integers(2, 8, (120, 120, 1), dtype=np.uint8)
    image = np.repeat(grain, 3, axis=2)
    source = extract_palette(image, method="kmeans")
    recolorer = NetworkRecolorer("anything", working_size=30)
    recolorer._network = lambda inputs: np.full((*inputs["lab"].shape[:3], 2), (20, -30), np.float32) / AB_SCALE
    result = recolorer.apply(as_picture(image), plan(source, Palette(source.lab + 1.0), 0.0)).image
    assert false_edges(image, result) < 0.001  # 0.23 if each pixel is cut on its own
    assert np.linalg.norm(lab_of(result)[..., 1:], axis=-1).mean() > 5


def test_strips_do_not_show(coarse, photo, monkeypatch):
    """Not even if slopes are limited over all the rows that influence a row (tests/recolorers/test_slopes.py)."""

    def farthest(before, after, *, passes=0, steps):
        reach = REACH + passes + 1
        return after if not passes else cv2.dilate(after, np.ones((2 * reach + 1, 1), np.uint8))

    for limit in (limit_slopes, farthest):
        monkeypatch.setattr("kpalette.recolorers.strips.limit_slopes", limit)
        whole = recolor(photo, COLORS, model=coarse)
        with monkeypatch.context() as patch:
            patch.setattr("kpalette.recolorers.strips._STRIP", 128 * 7)
            patch.setattr("kpalette.recolorers.strips._LEAST_ROWS", 1)
            np.testing.assert_array_equal(recolor(photo, COLORS, model=coarse), whole)


@pytest.mark.parametrize("which", ["onnx", "coarse"])
def test_hidden_pixels_do_not_influence_their_neighbours(request, photo, which):
    model = request.getfixturevalue(which)
    alpha = np.where(np.arange(128) % 16 < 5, 0, 255).astype(np.uint8)
    results = []
    for hidden in (0, 255):
        rgb = np.where(alpha[:, np.newaxis] > 0, photo, np.uint8(hidden))
        results.append(recolor(np.dstack([rgb, np.tile(alpha, (128, 1))]), COLORS, model=model)[:, alpha > 0])
    np.testing.assert_array_equal(*results)


WITHOUT_BACKENDS = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("tensorflow", "keras", "jax", "jaxlib", "torch", "onnx", "tf2onnx"):
            raise AssertionError(f"{name} is imported")

sys.meta_path.insert(0, Refuse())
import kpalette
from kpalette.recolorers.network import NetworkRecolorer
picture = kpalette.read_image("a.png")
kpalette.write_image("b.png", kpalette.recolor(picture, "red blue", model=NetworkRecolorer(sys.argv[1])))
"""


def test_onnx_runs_without_any_backend(tiny_checkpoint, onnx, photo, tmp_path):
    from kpalette import read_image, write_image

    write_image(tmp_path / "a.png", photo)
    subprocess.run([sys.executable, "-c", WITHOUT_BACKENDS, tiny_checkpoint], cwd=tmp_path, check=True)
    np.testing.assert_array_equal(read_image(tmp_path / "b.png").rgb, recolor(photo, "red blue", model=onnx))


def test_weights_are_loaded_with_the_first_picture_and_missing_ones_are_an_error(photo, tmp_path):
    recolorer = NetworkRecolorer(tmp_path / "none")
    assert recolorer.name == "none"
    with pytest.raises(KPaletteError, match="none is no folder"):
        recolor(photo, COLORS, model=recolorer)


def test_missing_packages_are_named(tiny_checkpoint, photo, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(KPaletteError, match=r"onnxruntime cannot be imported \(pip install onnxruntime\)"):
        recolor(photo, COLORS, model=NetworkRecolorer(tiny_checkpoint, runtime="onnx"))
    monkeypatch.setitem(sys.modules, "keras", None)
    with pytest.raises(KPaletteError, match=r"Keras or its backend is not installed: pip install 'kpalette\[tensorfl"):
        recolor(photo, COLORS, model=NetworkRecolorer(tiny_checkpoint, runtime="keras"))
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "onnxruntime" else real(name))
    with pytest.raises(KPaletteError, match="Keras or its backend is not installed"):
        recolor(photo, COLORS, model=NetworkRecolorer(tiny_checkpoint))


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("palettenet",), {"runtime": "torch"}, "`runtime` must be one of auto, onnx, keras. Received: 'torch'"),
        (("palettenet",), {"working_size": 0}, "`working_size` must be a positive whole number. Received: 0"),
        ((object(),), {"runtime": "onnx"}, "`runtime` onnx needs a checkpoint's name or folder, not a model"),
    ],
)
def test_arguments_out_of_contract(arguments, options, message):
    with pytest.raises(ArgumentError, match=message):
        NetworkRecolorer(*arguments, **options)


def test_networks_are_in_the_registry():
    for name in list_networks():
        recolorer = get_recolorer(name)
        assert recolorer.name == name
        assert get_recolorer(name) is recolorer
        assert get_recolorer(name, runtime="keras") is not recolorer
    with pytest.raises(ArgumentError, match="`runtime` is for palettenet and ablated alone. Received: 'onnx' for soft"):
        get_recolorer("soft", runtime="onnx")
