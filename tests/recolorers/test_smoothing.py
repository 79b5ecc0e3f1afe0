import numpy as np
import pytest

from kpalette.recolorers.smoothing import smooth_regions


def dense(values: np.ndarray, guide: np.ndarray, weight: float, contrast: float) -> np.ndarray:
    """One row, by a full matrix."""
    w = weight * np.exp(-np.linalg.norm(np.diff(guide, axis=0), axis=-1) / contrast)
    matrix = np.eye(len(values))
    for i, link in enumerate(w):
        matrix[i : i + 2, i : i + 2] += link * np.array([[1, -1], [-1, 1]])
    return np.linalg.solve(matrix, values)


def test_a_row_is_the_solution_of_its_system():
    """Columns of one pixel change nothing, so that the three rounds follow each other."""
    generator = np.random.default_rng(0)
    values, guide = generator.normal(0, 5, (1, 30)), generator.normal(0, 5, (1, 30, 3))
    expected = values[0]
    for left in (2, 1, 0):
        expected = dense(expected, guide[0], 6.0**2 * 1.5 * 4.0**left / 63, 4.0)
    found = smooth_regions(values, guide, reach=6.0, contrast=4.0)
    np.testing.assert_allclose(found[0], expected, atol=1e-9)
    np.testing.assert_allclose(smooth_regions(values.T, guide[0][:, np.newaxis], reach=6.0, contrast=4.0), found.T)


def test_regions_become_even_and_stay_apart():
    guide = np.zeros((40, 60, 3))
    guide[:, 25:] = (60, 20, -30)
    values = np.random.default_rng(1).normal(0, 3, (40, 60))
    values[:, 25:] += 20
    found = smooth_regions(values, guide, reach=40.0, contrast=4.0)
    assert found[:, :25].std() < 0.5
    assert found[:, 25:].std() < 0.5
    assert found[:, 25].mean() - found[:, 24].mean() > 19


def test_a_constant_stays_and_nothing_leaves_the_range():
    guide = np.random.default_rng(2).normal(0, 9, (9, 7, 3))
    np.testing.assert_allclose(smooth_regions(np.full((9, 7), 3.0), guide, reach=9.0, contrast=4.0), 3.0)
    values = np.random.default_rng(3).uniform(-1, 1, (9, 7))
    found = smooth_regions(values, guide, reach=9.0, contrast=4.0)
    assert values.min() <= found.min() <= found.max() <= values.max()


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (5, 1), (2, 2)])
def test_tiny_pictures(size):
    assert smooth_regions(np.ones(size), np.zeros((*size, 3)), reach=1.0, contrast=1.0).shape == size
