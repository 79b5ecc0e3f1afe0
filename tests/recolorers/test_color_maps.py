"""Properties of every colour map (Chang et al. 2015, section 3), and those of each one alone."""

import numpy as np
import pytest

from kpalette.color.gamut import in_gamut, reduce_chroma
from kpalette.color.spaces import lab_to_rgb, rgb_to_lab
from kpalette.images.picture import as_picture
from kpalette.palettes.clusters import gaussian_shares
from kpalette.palettes.extract import extract_palette
from kpalette.palettes.palette import Palette
from kpalette.recolorers.baseline import BaselineRecolorer, SwatchTransfer, blend_weights
from kpalette.recolorers.fitted import FittedRecolorer
from kpalette.recolorers.soft import SoftRecolorer
from tests.recolorers.plans import plan

RECOLORERS = {
    "soft": SoftRecolorer(),
    "soft-25": SoftRecolorer(tau=25.0),
    "fitted": FittedRecolorer(),
    "baseline": BaselineRecolorer(),
    "baseline-1": BaselineRecolorer(reach=1.0),
}
each = pytest.mark.parametrize("recolorer", RECOLORERS.values(), ids=RECOLORERS)

SOURCE = Palette.parse("#20202a #8a3324 #4f7942 #e3c9a8")
TARGETS = [
    Palette.parse("purple saddlebrown green orange"),
    Palette.parse("#1a1a1a #5c5c5c #a8a8a8 #f2f2f2"),
    Palette.parse("#0d0221 #ff3864 #2de2e6 #f6f740"),
]


def colors(count: int = 3000, seed: int = 0) -> np.ndarray:
    return rgb_to_lab(np.random.default_rng(seed).random((count, 3)))


@each
@pytest.mark.parametrize("lightness", [0.0, 0.5, 1.0])
def test_a_palette_turned_into_itself_changes_nothing(recolorer, lightness, photo):
    source = extract_palette(photo, method=recolorer.extraction)
    done = recolorer.apply(as_picture(photo), plan(source, source, lightness))
    np.testing.assert_array_equal(done.image, photo)
    assert done.clipped == 0


@each
@pytest.mark.parametrize("lightness", [0.0, 1.0])
def test_a_palette_turned_into_nearly_itself_changes_nearly_nothing(recolorer, lightness, photo):
    """Even if swatches lie at the border of the gamut, and outside it at most lightnesses."""
    for source in (extract_palette(photo, method=recolorer.extraction), Palette.parse("blue red green white")):
        target = Palette(source.lab * 0.9999)
        lattice = recolorer.lattice(as_picture(photo), plan(source, target, lightness))
        moved = lattice.apply(photo).astype(int)
        assert np.abs(moved - photo).max() <= 2


@each
@pytest.mark.parametrize("lightness", [0.0, 0.5, 1.0])
def test_a_baked_lattice_keeps_the_order_of_lightness(recolorer, lightness, photo):
    source = extract_palette(photo, method=recolorer.extraction)
    ramp = np.arange(256, dtype=np.uint8).reshape(1, -1, 1).repeat(3, axis=2)
    for target in TARGETS:
        lattice = recolorer.lattice(as_picture(photo), plan(source, source.matched(target), lightness))
        L = rgb_to_lab(lattice.apply(ramp) / 255)[0, :, 0]
        assert (np.diff(L) > -0.7).all()  # 8 bits
        if lightness == 0:
            # 8 bits, and the gap under pale yellow, whose clipped red costs up to 0.8
            np.testing.assert_allclose(L, rgb_to_lab(ramp / 255)[0, :, 0], atol=1.2)


@each
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("lightness", [0.0, 0.5, 1.0])
def test_results_lie_in_gamut_and_are_finite(recolorer, target, lightness):
    moved = reduce_chroma(recolorer.color_map(plan(SOURCE, target, lightness))(colors()))
    assert np.isfinite(moved).all()
    rgb = lab_to_rgb(moved)
    assert rgb.min() > -1.1e-4
    # The gap under pale yellow, where red may pass 1 by 4 of 255 levels.
    assert rgb.max() < np.where((moved[:, 0] > 92) & (moved[:, 0] < 99.5), 1.0135, 1 + 1.1e-4).max()


@each
@pytest.mark.parametrize("target", TARGETS)
def test_lightness_keeps_its_order_or_its_values(recolorer, target):
    lab = colors()
    kept = recolorer.color_map(plan(SOURCE, target, 0.0))(lab)
    np.testing.assert_array_equal(kept[:, 0], lab[:, 0])
    moved = recolorer.color_map(plan(SOURCE, target, 1.0))(lab)
    assert (np.diff(moved[np.argsort(lab[:, 0]), 0]) >= -1e-9).all()
    swatches = recolorer.color_map(plan(SOURCE, target, 1.0))(SOURCE.lab)
    if recolorer.name != "fitted":  # whose smooth curve blends neighbours, and comes near
        np.testing.assert_allclose(swatches[:, 0], target.lab[:, 0], atol=1e-6)


# How far a colour may jump: `baseline` has rays that touch a concave face of the gamut.
GRAZE = {"soft": 0.05, "fitted": 0.05, "baseline": 2.5}


def longest_step(line: np.ndarray) -> float:
    """Without pale yellows: their rays leave the gamut and enter it again, so that chroma reduction has to jump."""
    hue = np.degrees(np.arctan2(line[1:, 2], line[1:, 1]))
    pale_yellow = (line[1:, 0] > 93) & (hue > 96) & (hue < 108)
    return float(np.where(pale_yellow, 0.0, np.linalg.norm(np.diff(line, axis=0), axis=-1)).max())


@each
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("lightness", [0.0, 1.0])
def test_close_colours_stay_close(recolorer, target, lightness):
    """With finer sampling of a line, the longest step gets shorter; a jump would keep its length."""
    color_map = recolorer.color_map(plan(SOURCE, target, lightness))
    ends = np.random.default_rng(5).random((40, 2, 3))
    longest = {}
    for count in (1000, 4000):
        t = np.linspace(0, 1, count)[:, None]
        lines = [reduce_chroma(color_map(rgb_to_lab(a * (1 - t) + b * t))) for a, b in ends]
        longest[count] = np.array([longest_step(line) for line in lines])
    # Four times as fine: a quarter of the longest step if the map is smooth, all of it at a jump.
    assert (longest[4000] < 0.6 * longest[1000] + GRAZE[recolorer.name]).all()


@each
def test_float32_and_float64_agree(recolorer):
    color_map = recolorer.color_map(plan(SOURCE, TARGETS[0], 1.0))
    lab = colors(500)
    assert color_map(lab.astype(np.float32)).dtype == np.float32
    np.testing.assert_allclose(color_map(lab.astype(np.float32)), color_map(lab), atol=0.1)


@each
@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_any_number_of_swatches(recolorer, count):
    generator = np.random.default_rng(count)
    source, target = (Palette.from_rgb(generator.random((count, 3))) for _ in range(2))
    moved = recolorer.color_map(plan(source, target, 1.0))(colors(200))
    assert np.isfinite(moved).all()


@each
def test_equal_and_nearly_equal_source_swatches(recolorer):
    source = Palette(SOURCE.lab[[0, 1, 1, 3]] + [[0, 0, 0], [0, 0, 0], [0, 0.3, 0], [0, 0, 0]])
    moved = recolorer.color_map(plan(source, TARGETS[0], 1.0))(colors(500))
    assert np.isfinite(moved).all()
    assert np.linalg.norm(moved, axis=-1).max() < 300


def test_baseline_takes_each_swatch_to_its_target():
    for target in TARGETS:
        for lightness in (0.0, 1.0):
            moved = BaselineRecolorer().color_map(plan(SOURCE, target, lightness))(SOURCE.lab)
            wanted = np.column_stack([moved[:, 0], target.lab[:, 1:]])
            reached = in_gamut(wanted)
            assert reached.any()
            # C' is brought to the border by 12 halvings: within 1 / 4096 of its chroma, and the gamut's tolerance
            np.testing.assert_allclose(moved[reached], wanted[reached], atol=0.15)


def test_soft_takes_swatches_far_apart_to_their_targets():
    target = TARGETS[0]
    moved = SoftRecolorer().color_map(plan(SOURCE, target, 0.0))(SOURCE.lab)
    np.testing.assert_allclose(moved[:, 1:], target.lab[:, 1:], atol=1.5)


def test_soft_moves_a_cluster_as_one():
    offsets = np.random.default_rng(0).normal(0, 2, (100, 3))
    cluster = SOURCE.lab[1] + offsets
    moved = SoftRecolorer().color_map(plan(SOURCE, TARGETS[0], 0.0))(cluster)
    np.testing.assert_allclose((moved - moved.mean(0))[:, 1:], (offsets - offsets.mean(0))[:, 1:], atol=1.0)


def test_soft_weights_follow_their_formula():
    lab = colors(50)
    squares = np.sum((lab[:, None] - SOURCE.lab) ** 2, axis=-1)
    expected = np.exp(-squares / (2 * 12.0**2))
    np.testing.assert_allclose(
        gaussian_shares(lab, SOURCE, tau=12.0), expected / expected.sum(1, keepdims=True), atol=1e-9
    )


def test_soft_weights_survive_distances_that_underflow():
    lab = colors(50).astype(np.float32)
    weights = gaussian_shares(lab, SOURCE, tau=0.5)
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-5)


def test_blend_weights_are_one_at_their_own_swatch_and_never_negative():
    np.testing.assert_allclose(blend_weights(SOURCE.lab, SOURCE, reach=1.0), np.eye(4), atol=1e-4)
    weights = blend_weights(colors(), SOURCE, reach=1.0)
    assert weights.min() >= 0
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-9)


def test_a_ray_through_open_gamut_translates():
    lab = np.array([[50.0, 2.0, 3.0], [50.0, -4.0, 1.0]])
    moved = SwatchTransfer(np.array([0.0, 0.0]), np.array([6.0, -5.0]))(lab)
    # nearly: the ray through x is a little shorter than the one through C
    np.testing.assert_allclose(moved, lab[:, 1:] + np.array([6, -5]), atol=0.3)


def test_a_colour_pushed_out_of_gamut_returns_by_chroma_reduction():
    red = rgb_to_lab(np.array([[1.0, 0.0, 0.0]]))
    moved = SwatchTransfer(red[0, 1:] - 10, red[0, 1:])(red)
    pushed = reduce_chroma(red + np.array([0, 10, 10]))
    np.testing.assert_allclose(moved, pushed[:, 1:], atol=0.1)


@each
def test_lattice_and_exact_map_agree(recolorer, photo):
    """Small pictures are mapped exactly, large ones through the lattice."""
    for lightness in (0.0, 0.5, 1.0):
        small, asked = as_picture(photo), plan(SOURCE, TARGETS[0], lightness)
        exact = recolorer.apply(small, asked)
        lattice = recolorer.lattice(small, asked)
        assert 0 < np.abs(exact.image.astype(int) - lattice.apply(photo)).mean() < 0.6
        assert exact.clipped == pytest.approx(lattice.clipped(photo), abs=0.05)
        large = as_picture(np.tile(photo, (3, 3, 1)))
        baked = recolorer.lattice(large, asked).apply(large.rgb)
        np.testing.assert_array_equal(recolorer.apply(large, asked).image, baked)


@each
def test_palettes_that_alternate_do_not_mix(recolorer, photo):
    picture, other = as_picture(photo), Palette.parse("navy teal gold pink")
    first, second = (recolorer.lattice(picture, plan(s, TARGETS[0], 1.0)).table for s in (SOURCE, other))
    np.testing.assert_array_equal(recolorer.lattice(picture, plan(SOURCE, TARGETS[0], 1.0)).table, first)
    assert not np.array_equal(first, second)
