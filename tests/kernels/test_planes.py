"""Each kernel against the NumPy code whose work it does."""

import numpy as np
import pytest

from kpalette.color.gamut import gamut_exit, reduce_chroma
from kpalette.images.picture import image_to_lab, image_to_rgb, rgb_to_image
from kpalette.kernels.loader import using_kernels
from kpalette.palettes.kmeans import best_means
from kpalette.recolorers.lattice import Lattice
from kpalette.recolorers.slopes import limit_slopes
from kpalette.recolorers.smoothing import smooth_regions
from kpalette.recolorers.tone import _in_order
from kpalette.recolorers.upsample import fit_field


def planes_of(lab: np.ndarray) -> np.ndarray:
    return np.array(np.moveaxis(lab, -1, 0), np.float32, order="C")


def noise(*shape: int, scale: float = 1.0) -> np.ndarray:
    return np.random.default_rng(0).normal(0, scale, shape).astype(np.float32)


@pytest.fixture(scope="module")
def every_color() -> np.ndarray:
    """Each eighth value of each channel, both ends too: uint8 (1089, 33, 3)."""
    axis = np.minimum(np.arange(33) * 8, 255).astype(np.uint8)
    return np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 33, 3)


def test_bytes_become_lab_and_come_back(kernels, every_color):
    lab = kernels.image_to_planes(every_color)
    np.testing.assert_allclose(np.moveaxis(lab, 0, -1), image_to_lab(every_color), atol=5e-4)
    back = np.empty_like(every_color)
    kernels.planes_to_image(lab, 0, back)
    np.testing.assert_array_equal(back, every_color)


def test_rows_from_the_middle(kernels, every_color):
    some = np.empty_like(every_color[5:9])
    kernels.planes_to_image(kernels.image_to_planes(every_color), 5, some)
    np.testing.assert_array_equal(some, every_color[5:9])


def test_chroma_is_reduced_as_in_numpy(kernels):
    rng = np.random.default_rng(0)
    lab = np.stack([rng.uniform(-5, 105, (40, 50)), *rng.uniform(-140, 140, (2, 40, 50))]).astype(np.float32)
    wanted = np.moveaxis(reduce_chroma(np.moveaxis(lab, 0, -1)), -1, 0)
    found = lab.copy()
    lost = kernels.reduce_chroma(found, least=0.1)
    # A colour on the border may lie on either side of it, for want of digits: then its chroma differs by one step.
    np.testing.assert_allclose(found, wanted, atol=2e-2)
    np.testing.assert_array_equal(lost, np.abs(lab[1:] - wanted[1:]).max(axis=0) > 0.1)
    again = found.copy()
    assert not kernels.reduce_chroma(again, least=0.1).any()
    np.testing.assert_allclose(again, found, atol=1e-3)


@pytest.mark.parametrize("channels", [2, 3])
def test_a_change_is_carried_to_full_size(kernels, channels):
    small, change, guide = noise(9, 12, 3, scale=20), noise(9, 12, channels, scale=8), noise(31, 47, 3, scale=20)
    field = fit_field(change, small, height=100, width=47)
    wanted = np.array(guide)
    wanted[..., 3 - channels :] += field.rows(slice(40, 71), guide)
    found = planes_of(guide)
    kernels.add_change(found, kernels.field_nodes(field.planes), top=40, height=100)
    np.testing.assert_allclose(np.moveaxis(found, 0, -1), wanted, atol=2e-3)


def test_relighting_of_bytes(kernels):
    image = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    field = fit_field(noise(8, 10, 3, scale=30), noise(8, 10, 3, scale=30) + 50, height=30, width=40)
    rgb = 100 * image_to_rgb(image)
    wanted = rgb_to_image(np.clip((rgb + field.rows(slice(0, 30), rgb)) / 100, 0, 1))
    found = np.empty_like(image)
    kernels.relight(image, kernels.field_nodes(field.planes), scale=100.0, top=0, height=30, result=found)
    assert np.abs(found.astype(int) - wanted).max() <= 1
    assert np.mean(found != wanted) < 1e-3


@pytest.mark.parametrize("size", [2, 17, 65])
def test_tables_are_read_as_pillow_reads_them(kernels, every_color, size):
    def turn(lab):
        return lab * [1, -0.5, 0.8]

    lattice, found = Lattice.bake(turn, size=size), np.empty_like(every_color)
    kernels.look_up(every_color, kernels.lattice_levels(lattice.table), found)
    assert np.abs(found.astype(int) - lattice.apply(every_color)).max() <= 1


def test_the_table_of_no_change_changes_nothing(kernels, every_color):
    found = np.empty_like(every_color)
    kernels.look_up(every_color, kernels.lattice_levels(Lattice.bake(lambda lab: lab).table), found)
    np.testing.assert_array_equal(found, every_color)


@pytest.mark.parametrize("passes", [1, 8, 64])
def test_slopes_are_limited_as_in_numpy(kernels, passes):
    before = np.full((40, 60, 3), [60, 0, 0], np.float32)
    before[:, 30:] += [20, 0, 0]
    after = before + noise(40, 60, 3, scale=1) * [0, 9, 9]
    after[10:20] += [0, 60, -90]
    wanted = limit_slopes(before, after, passes=passes)
    found = limit_slopes(before, after, passes=passes, kernels=kernels)
    assert np.abs(wanted - reduce_chroma(after)).max() > 5
    np.testing.assert_allclose(found, wanted, atol=5e-2)
    assert np.abs(found - wanted).mean() < 1e-3


def test_nothing_steep_stays(kernels):
    lab = np.add(noise(20, 30, 3, scale=0.5), [50, 0, 0])
    np.testing.assert_array_equal(limit_slopes(lab, lab, kernels=kernels), lab.astype(np.float32))


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (30, 40)])
def test_regions_are_smoothed_as_in_numpy(kernels, shape):
    values, guide = noise(*shape, scale=9), noise(*shape, 3, scale=9)
    wanted = smooth_regions(values, guide, reach=9.0, contrast=4.0)
    found = smooth_regions(values, guide, reach=9.0, contrast=4.0, kernels=kernels)
    np.testing.assert_allclose(found, wanted, atol=1e-9)


def test_neighbours_are_brought_in_order(kernels):
    before = np.arange(40, dtype=np.float32)[np.newaxis] + np.zeros((30, 1), np.float32)
    after = before.copy()
    after[:, 20:] -= 5
    wanted, found = _in_order(before, after), after.copy()
    kernels.bring_in_order(before, found, passes=12)
    assert np.abs(wanted - after).max() > 1
    np.testing.assert_allclose(found, wanted, atol=1e-4)


@pytest.mark.parametrize("size", [1, 4, 8])
def test_means_are_those_of_numpy(kernels, size):
    rng = np.random.default_rng(0)
    points, weights = rng.uniform(0, 100, (500, 3)), rng.uniform(0, 9, 500)
    wanted = best_means(points, weights, size, seed=0)
    found = best_means(points, weights, size, seed=0, kernels=kernels)
    np.testing.assert_allclose(found[0], wanted[0], atol=1e-9)
    np.testing.assert_array_equal(found[1], wanted[1])


def test_a_centre_without_points_and_a_fixed_one_stay(kernels):
    points, centres = np.array([[1.0, 0, 0], [3, 0, 0]]), np.array([[2.5, 0, 0], [90, 0, 0], [0, 0, 0]])
    labels = kernels.lloyd(points, np.ones(2), centres, fixed=1, rounds=300)
    assert labels.tolist() == [2, 0]
    assert centres.tolist() == [[3, 0, 0], [90, 0, 0], [0, 0, 0]]


def test_rays_leave_the_gamut_where_they_do_in_numpy(kernels):
    rng = np.random.default_rng(0)
    L, origin = rng.uniform(1, 99, 4000).astype(np.float32), rng.uniform(-70, 70, (2, 4000)).astype(np.float32)
    turn = rng.uniform(0, 2 * np.pi, 4000)
    direction, limit = np.stack([np.cos(turn), np.sin(turn)]).astype(np.float32), np.full(4000, 300, np.float32)
    wanted = gamut_exit(L, origin, direction, limit=limit)
    found = gamut_exit(L, origin, direction, limit=limit, kernels=kernels)
    apart = np.abs(found - wanted).max(axis=0)
    # A ray along the border may leave the gamut here for one, and there for the other.
    assert np.mean(apart < 0.05) > 0.995
    assert np.median(apart) < 1e-3


def test_a_lattice_is_baked_as_in_numpy(kernels):
    def stretch(lab):
        return lab * np.array([1, 1.6, 1.6], np.float32)

    wanted, found = Lattice.bake(stretch, size=33), Lattice.bake(stretch, size=33, kernels=kernels)
    assert wanted.outside.any()
    np.testing.assert_allclose(found.table, wanted.table, atol=1e-4)
    assert np.mean(found.outside != wanted.outside) < 2e-3


def test_lab_of_an_image_is_the_same_by_kernels(kernels, photo):
    wanted = image_to_lab(photo)
    with using_kernels(True):
        found = image_to_lab(photo)
    assert found.shape == wanted.shape
    assert found.dtype == np.float32
    assert found.flags.c_contiguous
    np.testing.assert_allclose(found, wanted, atol=3e-4)
