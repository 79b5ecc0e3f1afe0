from functools import partial

import numpy as np
import pytest

from kpalette.color.arrays import namespace
from kpalette.color.gamut import in_gamut, reduce_chroma
from kpalette.color.spaces import lab_to_rgb, rgb_to_lab, rotate_hue
from kpalette.data.pairs import (
    TEACHER,
    bend_lightness,
    hue_rows,
    make_pair,
    turned_target,
)
from kpalette.images.picture import image_to_rgb
from kpalette.images.samples import sample_image
from kpalette.models.ranges import AB_SCALE, from_network_range, to_network_range
from kpalette.palettes.clusters import gaussian_shares, swatch_shares, swatch_turns
from kpalette.palettes.palette import Palette
from tests.conftest import load

NAMES = ("image", "source_palette", "wanted_palette", "mask", "shifts", "curves")


def draw(size=4, side=16, colors=4, seed=0, curves=0.3) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(seed)
    photo = sample_image("astronaut")
    corners = generator.integers(0, 512 - side, (size, 2))
    palettes = rgb_to_lab(generator.random((2, size, 8, 3))).astype(np.float32)
    return {
        "image": np.stack([photo[y : y + side, x : x + side] for y, x in corners]),
        "source_palette": palettes[0], "wanted_palette": palettes[1],
        "mask": np.tile(np.arange(8) < colors, (size, 1)).astype(np.float32),
        "shifts": generator.random((size, 2)).astype(np.float32),
        "curves": generator.uniform(-curves, curves, (size, 2)).astype(np.float32),
    }  # fmt: skip


def test_a_hue_pair_is_one_picture_under_two_turns():
    given = draw(curves=0.0)
    pair = make_pair(given, hue_rows=4, steps=20)
    rgb = image_to_rgb(given["image"])
    for turn, ab in ((0, pair.inputs["lab"][..., 1:]), (1, pair.ab)):
        exact = rotate_hue(rgb, given["shifts"][:, turn, None, None])
        counts = (pair.weight > 0) & in_gamut(exact)
        np.testing.assert_allclose((ab * AB_SCALE)[counts], exact[..., 1:][counts], atol=2e-3)
    np.testing.assert_allclose(from_network_range(pair.inputs["lab"])[..., 0], rgb_to_lab(rgb)[..., 0], atol=1e-3)
    assert 0.3 < pair.weight.mean() < 1.0  # an orange suit leaves sRGB at many a turn


def test_both_palettes_turn_as_the_picture_does():
    given = draw(curves=0.0)
    pair = make_pair(given, hue_rows=4)
    for turn, name in ((0, "source_palette"), (1, "target_palette")):
        found = from_network_range(pair.inputs[name])
        exact = rotate_hue(lab_to_rgb(given["source_palette"]), given["shifts"][:, turn, None])
        inside = in_gamut(exact)
        np.testing.assert_allclose(found[inside], exact[inside], atol=2e-2)
        np.testing.assert_allclose(found[..., 0], given["source_palette"][..., 0], atol=2e-2)


def test_what_left_the_gamut_does_not_count():
    given = draw(curves=0.0)
    pair = make_pair(given, hue_rows=4)
    rgb = image_to_rgb(given["image"])
    gone = ~(in_gamut(rotate_hue(rgb, given["shifts"][:, 0, None, None]), bridge_gap=True))
    gone |= ~in_gamut(rotate_hue(rgb, given["shifts"][:, 1, None, None]), bridge_gap=True)
    assert gone.any()
    # A colour that is out by a hair may lose less than anyone measures.
    assert pair.weight[gone].mean() < 0.05
    assert pair.weight[~gone].all()


def test_turns_of_nothing_change_nothing():
    given = {**draw(curves=0.0), "shifts": np.zeros((4, 2), np.float32)}
    pair = make_pair(given, hue_rows=4)
    np.testing.assert_allclose(pair.ab, pair.inputs["lab"][..., 1:], atol=1e-6)
    assert pair.weight.all()


@pytest.mark.parametrize("colors", [2, 4, 8])
def test_the_teacher_turns_soft_clusters(colors):
    """As `turned_target` says it, in complex numbers and with the shares of `soft`."""
    given = {**draw(colors=colors, curves=0.0), "shifts": np.zeros((4, 2), np.float32)}
    pair = make_pair(given, hue_rows=0, steps=20)
    for i in range(4):
        source, target = (Palette(given[name][i, :colors]) for name in ("source_palette", "wanted_palette"))
        lab = rgb_to_lab(image_to_rgb(given["image"][i])).reshape(-1, 3)
        shares = gaussian_shares(lab, source, tau=TEACHER.tau)
        x, c, t = (lab[..., 1] + 1j * lab[..., 2] for lab in (lab, source.lab, target.lab))
        turn = (t * c.conj() + TEACHER.slack) / (abs(c) ** 2 + TEACHER.slack)
        turn *= np.minimum(1, TEACHER.most / abs(turn))
        moved = np.sum(shares * (t + turn * (x[:, None] - c)), axis=1)
        wanted = reduce_chroma(np.column_stack([lab[:, 0], moved.real, moved.imag]))
        np.testing.assert_allclose(pair.ab[i].reshape(-1, 2) * AB_SCALE, wanted[:, 1:], atol=0.02)
    np.testing.assert_array_equal(pair.inputs["target_palette"], to_network_range(given["wanted_palette"]))
    assert pair.weight.all()


def test_a_turn_of_hue_is_met_by_the_swatches_turns():
    """Which a shift of each cluster cannot: what the head of the network has turns for."""
    generator = np.random.default_rng(0)
    c = generator.uniform(-60, 60, (4, 2)) @ [1, 1j]
    angle = np.exp(1.0j)
    source, target = (np.column_stack([np.full(4, 50.0), z.real, z.imag]) for z in (c, c * angle))
    turns = swatch_turns(source, target, slack=1e-9, most=2.0)
    np.testing.assert_allclose(turns @ [1, 1j], angle, atol=1e-6)
    np.testing.assert_allclose(swatch_turns(source, source, slack=100.0, most=1.5), [[1, 0]] * 4, atol=1e-9)
    grey = source * [1, 0, 0]
    np.testing.assert_allclose(swatch_turns(grey, target, slack=100.0, most=1.5), [[1, 0]] * 4, atol=1e-9)
    wide = swatch_turns(source, 3 * target, slack=1.0, most=1.5)
    np.testing.assert_allclose(np.hypot(*wide.T), 1.5)


def test_without_a_teacher_unrelated_rows_do_not_count():
    pair = make_pair(draw(), hue_rows=1, teach=False)
    assert pair.weight[0].any()
    assert not pair.weight[1:].any()


def test_rows_are_of_two_kinds():
    given = draw()
    both, hue, unrelated = (make_pair(given, hue_rows=rows) for rows in (2, 4, 0))
    np.testing.assert_array_equal(both.ab, np.concatenate([hue.ab[:2], unrelated.ab[2:]]))


def test_one_formula_in_every_library(run):
    given = draw()

    def function(*arrays):
        pair = make_pair(dict(zip(NAMES, arrays, strict=True)), hue_rows=2)
        parts = [pair.inputs["lab"], pair.ab, pair.weight[..., None]]
        return namespace(pair.ab).concatenate(parts, -1)

    found, wanted = run(function, *[given[name] for name in NAMES]), function(*given.values())
    # The search of the chroma reduction may take one step otherwise where a colour lies on the border.
    np.testing.assert_allclose(found, wanted, atol=5e-3)
    assert np.mean(np.abs(found - wanted)) < 1e-4


def test_it_is_pure():
    given = draw()
    kept = {name: value.copy() for name, value in given.items()}
    first, second = make_pair(given, hue_rows=2), make_pair(given, hue_rows=2)
    np.testing.assert_array_equal(first.ab, second.ab)
    for name, value in kept.items():
        np.testing.assert_array_equal(given[name], value)


def test_bent_lightness_is_monotone_and_keeps_black_and_white(run):
    L = np.linspace(0, 100, 201)
    for curve in ([0.6, 0.35], [-0.6, 0.35], [0.6, -0.35], [-0.6, -0.35]):
        bent = run(bend_lightness, L, np.broadcast_to(curve, (201, 2)))
        np.testing.assert_allclose(bent[[0, -1]], [0, 100], atol=1e-3)
        assert (np.diff(bent) > 0).all()
        assert np.abs(bent - L).max() > 5


def test_shares_are_those_of_soft(run):
    generator = np.random.default_rng(0)
    lab = generator.uniform([0, -60, -60], [100, 60, 60], (1, 5, 5, 3))
    swatches = generator.uniform([0, -60, -60], [100, 60, 60], (1, 8, 3))
    mask = (np.arange(8) < 5).astype(float)[None]
    exact = gaussian_shares(lab.reshape(-1, 3), Palette(swatches[0, :5]), tau=10.0)
    for i in range(8):
        found = run(lambda *arrays, i=i: swatch_shares(*arrays)[i], lab, swatches, mask).reshape(-1)
        np.testing.assert_allclose(found, exact[:, i] if i < 5 else 0.0, atol=1e-5)


def test_the_teachers_answer_is_in_gamut():
    given = draw()
    lab = rgb_to_lab(image_to_rgb(given["image"]))
    answer = turned_target(lab, given["source_palette"], given["wanted_palette"], given["mask"])
    assert in_gamut(answer, bridge_gap=True).all()
    np.testing.assert_array_equal(answer[..., 0], lab[..., 0])


def test_it_maps_in_tf_data():
    tf = load("tensorflow")
    given = draw()
    mapped = tf.data.Dataset.from_tensors(given).map(partial(make_pair, hue_rows=2))
    inputs, ab, weight = next(iter(mapped))
    assert ab.shape == (4, 16, 16, 2)
    assert weight.shape == (4, 16, 16)
    assert set(inputs) == {"lab", "source_palette", "target_palette", "mask"}


@pytest.mark.parametrize(("rows", "unrelated", "hue"), [(8, 0.5, 4), (8, 0, 8), (8, 1.0, 0), (3, 0.5, 1), (1, 0.5, 1)])
def test_rows_of_a_batch(rows, unrelated, hue):
    assert hue_rows(rows, unrelated) == hue
