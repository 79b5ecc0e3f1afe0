"""The networks that ship: they load, they are the ones whose golden values are recorded, and they take any picture."""

import numpy as np
import pytest

from kpalette import recolor, ssim
from kpalette.color.difference import delta_e_2000
from kpalette.color.spaces import rgb_to_lab
from kpalette.images.picture import image_to_rgb, resize
from kpalette.images.samples import sample_image
from kpalette.metrics.measure import measure
from kpalette.palettes.palette import Palette
from kpalette.recolorers.network import NetworkRecolorer
from kpalette.recolorers.registry import get_recolorer
from kpalette.study.records import Study
from kpalette.study.tables import figures_table, probes_table
from kpalette.weights.folder import read_checkpoint
from kpalette.weights.presets import list_checkpoints
from tests.conftest import ROOT, load

GOLDEN = np.load(ROOT / "tests/golden/presets.npz")
COLORS = Palette.parse("orange saddlebrown purple green")
SHIPPED = list_checkpoints()
BUDGET = 14 * 2**20  # bytes of all of checkpoints/


def answer(name: str) -> np.ndarray:
    """The recoloured coffee cup, shrunk to 12 pixels: what `golden/presets.npz` holds."""
    image = resize(sample_image("coffee"), longest=192)
    result = recolor(image, COLORS, model=NetworkRecolorer(name, corrections=0), lightness=0, match="lightness")
    return resize(result, longest=12).astype(np.float32)


def test_all_of_them_are_small_and_known():
    assert "ablated" in SHIPPED
    assert set(SHIPPED) == set(GOLDEN)
    files = [path for path in (ROOT / "checkpoints").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= BUDGET


@pytest.mark.parametrize("name", SHIPPED)
def test_what_lies_beside_the_weights(name):
    checkpoint = read_checkpoint(name)  # which checks sizes and SHA-256
    assert checkpoint.config["model"] == "PaletteNet"
    assert {"val_ab_error", "val_palette_de_ab", "val_ssim"} <= set(checkpoint.metrics)
    assert (checkpoint.folder / "graph.onnx").is_file()
    about = (checkpoint.folder / "MODEL.md").read_text()
    for word in ("python -m kpalette.train", "samples", "licence", "hours"):
        assert word in about


@pytest.mark.parametrize("name", SHIPPED)
def test_answers_are_the_golden_ones(name):
    np.testing.assert_allclose(answer(name), GOLDEN[name], atol=1.5)


@pytest.mark.parametrize("name", SHIPPED)
def test_structure_stays_and_the_palette_is_heard(name):
    image = resize(sample_image("astronaut"), longest=256)
    figures = measure(image, recolor(image, COLORS, model=name, lightness=0), COLORS)
    nothing = measure(image, image, COLORS)
    assert figures["ssim"] > 0.95
    assert figures["richness"] > 0.8
    assert figures["false_edges"] < 0.02
    assert figures["palette_de_ab"] < 0.6 * nothing["palette_de_ab"]


@pytest.mark.parametrize("name", SHIPPED)
def test_borders_are_as_what_lies_beside_them(name):
    """A sky whose rows are each of one colour: what networks take for black beyond the picture tinted its frame."""
    share = np.linspace(0.0, 1.0, 180)[:, None, None]
    sky = np.tile(np.rint((1 - share) * (40, 90, 170) + share * (235, 225, 205)).astype(np.uint8), (1, 320, 1))
    lab = rgb_to_lab(image_to_rgb(recolor(sky, COLORS, model=name)))
    apart = delta_e_2000(lab, np.broadcast_to(np.median(lab, axis=1, keepdims=True), lab.shape))
    assert apart.max() < 5


def test_another_palette_another_picture():
    image = resize(sample_image("coffee"), longest=128)
    one, two = (recolor(image, palette, model="ablated") for palette in ("nord", "gruvbox"))
    difference = delta_e_2000(rgb_to_lab(image_to_rgb(one)), rgb_to_lab(image_to_rgb(two)))
    assert difference.mean() > 3


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("shape", [(1, 1, 3), (17, 401, 3), (64, 48), (40, 40, 4), (2, 300, 4)])
def test_any_picture(name, shape):
    image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    result = recolor(image, COLORS, model=name)
    assert result.dtype == np.uint8
    assert result.shape == (shape if len(shape) == 3 else (*shape, 3))
    if shape[-1] == 4:
        np.testing.assert_array_equal(result[..., 3], image[..., 3])


def test_long_and_large_pictures():
    strip = np.random.default_rng(0).integers(0, 256, (17, 4001, 3), dtype=np.uint8)
    assert recolor(strip, COLORS, model="ablated").shape == strip.shape
    large = np.kron(sample_image("astronaut"), np.ones((5, 8, 1), np.uint8))[:2160, :3840]
    result = recolor(large, COLORS, model="ablated", lightness=0)
    assert result.shape == (2160, 3840, 3)
    assert ssim(large, result) > 0.95


def test_the_runtimes_agree():
    load("keras")
    image = resize(sample_image("coffee"), longest=160)
    for name in SHIPPED:
        onnx, keras = (recolor(image, COLORS, model=get_recolorer(name, runtime=r)) for r in ("onnx", "keras"))
        assert np.abs(onnx.astype(int) - keras).max() <= 2


@pytest.mark.parametrize(("folder", "statistic"), [("photographs", "median"), ("paintings", "mean")])
def test_the_study_says_what_its_figures_say(folder, statistic):
    """The tables of docs/study.md are those of the figures that `kpalette evaluate` measured."""
    study = Study.from_csv(ROOT / f"docs/study/{folder}/figures.csv")
    assert set(SHIPPED) <= {record.model for record in study.records}
    document = (ROOT / "docs/study.md").read_text()
    for table in (figures_table, probes_table):
        assert table(study, statistic=statistic).strip() in document
