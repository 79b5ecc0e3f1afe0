from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.metrics

from kpalette.color.difference import delta_e_2000
from kpalette.color.spaces import rgb_to_lab
from kpalette.errors import ArgumentError
from kpalette.images.files import read_image
from kpalette.images.picture import Picture, image_to_rgb
from kpalette.metrics import distance
from kpalette.metrics import figures as metrics
from kpalette.metrics.halo import halo
from kpalette.metrics.intervals import bootstrap_interval
from kpalette.metrics.measure import Original, measure
from kpalette.metrics.objects import object_split
from kpalette.palettes.palette import Palette
from tests.conftest import ROOT


@pytest.fixture
def hazy(photo) -> np.ndarray:
    return np.clip(photo.astype(int) // 2 + 60 + np.random.default_rng(0).integers(-9, 9, photo.shape), 0, 255).astype(
        np.uint8
    )


def test_ssim_is_the_published_recipe_to_the_last_digit(photo, hazy, tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), photo[..., ::-1])
    cv2.imwrite(str(tmp_path / "b.png"), hazy[..., ::-1])
    grey = [cv2.cvtColor(cv2.imread(str(tmp_path / n)), cv2.COLOR_BGR2GRAY) for n in ("a.png", "b.png")]
    assert metrics.ssim(photo, hazy) == skimage.metrics.structural_similarity(*grey)


def test_the_published_outputs_give_the_published_figures():
    seed = ROOT.parent / "shared" / "seed"
    if not seed.is_dir():
        pytest.skip("the published pictures carry no licence, and are not part of the project")
    source = read_image(seed / "source.jpg")
    published = {"ablated": 0.936519987490214, "adversarial": 0.642744783642458, "baseline": 0.488733170844603}
    for name, figure in published.items():
        assert metrics.ssim(source, read_image(seed / f"{name}.png")) == pytest.approx(figure, abs=1e-14)


def test_pictures_and_strings_are_taken(photo, four):
    assert metrics.ssim(Picture(photo), Picture(photo)) == 1.0
    assert distance.palette_distance(Picture(photo), ",".join(four.hex)) == distance.palette_distance(photo, four)


def test_ssim_of_equal_and_of_tiny_images(photo):
    assert metrics.ssim(photo, photo) == 1.0
    dot = np.full((1, 1, 3), 9, np.uint8)
    assert metrics.ssim(dot, dot) == 1.0
    assert metrics.ssim(dot, dot + 200) < 0.5
    assert metrics.ssim(photo[:3, :40], photo[:3, :40]) == 1.0


def test_ssim_map_is_white_where_nothing_changed(photo):
    changed = photo.copy()
    changed[:40] = 0
    local = metrics.ssim_map(photo, changed)
    assert local.shape == photo.shape
    assert (local[60:] == 255).all()
    assert local[10:30].mean() < 128
    assert metrics.ssim_map(photo[:2, :2], photo[:2, :2]).shape == (2, 2, 3)


def test_ssim_color_sees_chroma_that_ssim_does_not(photo, hazy):
    assert metrics.ssim_color(photo, photo) == pytest.approx(1)
    lab = [rgb_to_lab(image_to_rgb(x)) for x in (photo, hazy)]
    ranges = (100.0, 256.0, 256.0)
    expected = [
        skimage.metrics.structural_similarity(lab[0][..., i], lab[1][..., i], data_range=ranges[i]) for i in range(3)
    ]
    assert metrics.ssim_color(photo, hazy) == pytest.approx(np.mean(expected))


def test_a_posterised_image_is_its_palette(four):
    image = np.rint(four.rgb[np.arange(400).reshape(20, 20) % 4] * 255).astype(np.uint8)
    figures = measure(image, image, four)
    for name in ("palette_de", "palette_de_ab", "palette_mse", "micdm"):
        assert figures[name] == pytest.approx(0, abs=1e-4)


def test_palette_distance_is_the_best_assignment():
    image = np.rint(Palette.parse("#ff0000 #0000ff").rgb[np.arange(64).reshape(8, 8) % 2] * 255).astype(np.uint8)
    target = Palette.parse("#0000f0 #f00000")
    crossed = delta_e_2000(Palette.parse("#0000ff #ff0000").lab, target.lab)
    assert distance.palette_distance(image, target) == pytest.approx(crossed.mean(), abs=1e-3)


def test_an_image_of_fewer_colours_repeats_the_nearest():
    image = np.full((8, 8, 3), (255, 0, 0), np.uint8)
    target = Palette.parse("#ff0000 #00ff00 #0000ff")
    red = Palette.parse("red red").lab[0]
    expected = delta_e_2000(red[None], target.lab).mean()
    assert distance.palette_distance(image, target) == pytest.approx(expected, abs=1e-3)


def test_level_palette_distance_ignores_lightness():
    image = np.rint(Palette.parse("#404040 #909090").rgb[np.arange(64).reshape(8, 8) % 2] * 255).astype(np.uint8)
    figures = measure(image, image, Palette.parse("#606060 #b0b0b0"))
    assert figures["palette_de"] > 5
    assert figures["palette_de_ab"] < 1e-3


def test_micdm_is_the_mean_of_both_directions(photo, four):
    found = distance._paired(Picture(photo), four)[0]
    table = delta_e_2000(found.lab[:, None], four.lab[None])
    expected = (table.min(1).mean() + table.min(0).mean()) / 2
    assert measure(photo, photo, four)["micdm"] == pytest.approx(expected)


def test_richness_counts_effective_colours(photo):
    assert metrics.richness(photo, photo) == 1
    two = np.zeros((10, 10, 3), np.uint8)
    two[:5] = (255, 0, 0)
    grey = np.full((10, 10, 3), 90, np.uint8)
    assert metrics.richness(grey, two) == pytest.approx(2)
    posterised = np.asarray(photo // 86 * 86, np.uint8)
    assert metrics.richness(photo, posterised) < 0.3


def test_false_edges_count_smooth_neighbours_torn_apart():
    source = np.full((10, 10, 3), 120, np.uint8)
    output = source.copy()
    output[:, 5:] = 160
    assert metrics.false_edges(source, source) == 0
    assert metrics.false_edges(source, output) == pytest.approx(10 / 180)
    assert metrics.false_edges(output, output) == 0
    assert metrics.false_edges(source[:1, :1], output[:1, :1]) == 0


def test_ab_error_sees_ab_alone_and_the_mask():
    truth = np.zeros((2, 2, 3))
    output = truth + np.array([5, 3, 4])
    output[0, 0, 1:] = 0
    assert metrics.ab_error(output, truth) == pytest.approx(3.75)
    assert metrics.ab_error(output, truth, mask=[[False, True], [True, True]]) == pytest.approx(5)
    assert np.isnan(metrics.ab_error(output, truth, mask=np.zeros((2, 2))))


def test_measure_gives_every_documented_figure_in_order(photo, hazy, four):
    figures = measure(photo, hazy, four)
    assert list(figures) == list(metrics.FIGURES)
    assert figures["lightness_drift"] == pytest.approx(
        np.abs(rgb_to_lab(photo / 255) - rgb_to_lab(hazy / 255))[..., 0].mean(), abs=1e-3
    )
    assert figures["richness"] == metrics.richness(photo, hazy)
    assert figures["false_edges"] == metrics.false_edges(photo, hazy)
    assert figures["object_split"] == object_split(photo, hazy, four)
    assert figures["halo"] == pytest.approx(
        halo(*(rgb_to_lab(x / 255)[..., 0].astype(np.float32) for x in (photo, hazy)))["halo"], rel=1e-4
    )
    assert figures["palette_de"] == distance.palette_distance(hazy, four)


def test_bootstrap_interval_covers_the_mean():
    values = np.random.default_rng(1).normal(10, 2, 400)
    low, high = bootstrap_interval(values)
    assert low < 10 < high
    assert high - low == pytest.approx(2 * 1.96 * 2 / 20, rel=0.15)
    assert bootstrap_interval(values, statistic=np.median) != (low, high)
    assert bootstrap_interval(values) == (low, high)


@pytest.mark.parametrize("function", [metrics.ssim, metrics.ssim_map, metrics.ssim_color, metrics.false_edges])
def test_images_must_fit(photo, function):
    with pytest.raises(ArgumentError, match="of one size: the first is 128x128, the second 128x64"):
        function(photo, photo[:64])
    with pytest.raises(ArgumentError, match="the second image must be uint8"):
        function(photo, photo / 255)
    with pytest.raises(ArgumentError, match="the first image must be uint8"):
        function(photo[..., 0], photo)


@pytest.mark.parametrize(
    ("use", "name"),
    [
        (lambda path, image: metrics.ssim(path, image), "a"),
        (lambda path, image: metrics.ssim(image, path), "b"),
        (lambda path, image: measure(path, image, "red blue"), "source"),
        (lambda path, image: measure(image, path, "red blue"), "output"),
        (lambda path, image: distance.palette_distance(path, "red blue"), "image"),
    ],
)
@pytest.mark.parametrize("path", ["photo.jpg", Path("photo.jpg")])
def test_a_path_in_place_of_a_picture_is_refused(photo, use, name, path):
    message = f"`{name}` must be a picture, not a path: open it with kpalette.read_image. Received: 'photo.jpg'"
    with pytest.raises(ArgumentError) as error:
        use(path, photo)
    assert str(error.value) == message


def test_measure_takes_pictures_with_their_alpha_and_palettes_in_any_form(photo, hazy, four):
    alpha = np.zeros(photo.shape[:2], np.uint8)
    alpha[:64] = 255
    expected = measure(photo, hazy, four, alpha=alpha)
    assert measure(Picture(photo), Picture(hazy, alpha), list(four.hex)) == expected
    assert expected != measure(photo, hazy, four)


@pytest.mark.parametrize("hidden", [False, True])
def test_results_of_one_original_are_measured_as_each_alone(photo, hazy, four, hidden):
    alpha = None
    if hidden:
        alpha = np.full(photo.shape[:2], 255, np.uint8)
        alpha[10:30] = 0
    original = Original(photo, alpha=alpha)
    other = Palette.parse("teal orange white")
    for output, target in ((hazy, four), (255 - photo, other), (hazy, other), (hazy, four)):
        assert original.figures(output, target) == measure(photo, output, target, alpha=alpha)


def test_ssim_of_measure_is_that_of_scikit_image(photo, hazy, four):
    assert measure(photo, hazy, four)["ssim"] == pytest.approx(metrics.ssim(photo, hazy), abs=1e-12)
    for height, width in ((1, 1), (3, 40), (6, 6), (7, 7), (8, 5)):
        pair = photo[:height, :width], hazy[:height, :width]
        assert measure(*pair, four)["ssim"] == pytest.approx(metrics.ssim(*pair), abs=1e-12)
