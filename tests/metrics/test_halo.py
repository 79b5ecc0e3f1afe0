import numpy as np
import pytest

from kpalette.errors import ArgumentError
from kpalette.metrics.halo import halo


@pytest.fixture
def step() -> np.ndarray:
    """L of a dark and a light half with an edge of 60."""
    return np.repeat([[20.0] * 40 + [80.0] * 40], 12, axis=0)


@pytest.mark.parametrize("turned", [False, True])
def test_a_fringe_has_its_height(step, turned):
    after = np.array(step)
    after[:, 40:44] += 8
    pair = (step.T, after.T) if turned else (step, after)
    # 4 of the 64 pixels on both sides of the edge.
    assert halo(*pair) == {"halo": pytest.approx(8 * 4 / 64, rel=0.1), "halo_99": 8.0}


def test_a_dark_fringe_counts_too_and_light_between_the_plateaus_does_not(step):
    dark, between = np.array(step), np.array(step)
    dark[:, 36:40] -= 6
    between[:, 36:40] += 6
    assert halo(step, dark)["halo_99"] == 6.0
    assert halo(step, between)["halo_99"] == 0.0


def test_a_curve_makes_no_halo_whatever_it_does_to_contrast(step):
    assert halo(step, np.interp(step, [0, 50, 100], [10, 30, 100])) == {"halo": 0.0, "halo_99": 0.0}
    assert halo(step, 100 - step) == {"halo": 0.0, "halo_99": 0.0}


def test_what_the_source_has_does_not_count(step):
    step[:, 40:44] += 8
    assert halo(step, step / 2)["halo_99"] == 0.0
    assert halo(step, step)["halo"] == 0.0


def test_pictures_without_edges_have_none():
    flat = np.full((9, 9), 50.0)
    assert halo(flat, flat + np.arange(9)) == {"halo": 0.0, "halo_99": 0.0}
    assert halo(np.zeros((1, 1)), np.ones((1, 1)))["halo"] == 0.0
    assert halo(np.zeros((3, 400)), np.ones((3, 400)))["halo"] == 0.0
    with pytest.raises(ArgumentError, match="must be"):
        halo(flat, flat[1:])


def test_a_plateau_ends_at_the_next_edge():
    bars = np.repeat([[20.0] * 10 + [80.0] * 10 + [20.0] * 60], 4, axis=0)
    after = np.array(bars)
    after[:, 25:] = 10.0  # the far bar is darker, away from its edge: its plateau, not a fringe
    assert halo(bars, after)["halo_99"] == 0.0
