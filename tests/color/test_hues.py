import numpy as np

from kpalette.color.hues import hue_groups, hue_turn, nearest_hue_group
from kpalette.palettes.palette import Palette


def test_turns_are_the_short_way_round():
    np.testing.assert_allclose(hue_turn(np.array([350.0, 10, 0]), np.array([10.0, 350, 180])), [20, 20, 180])


def test_groups_grow_from_neighbour_to_neighbour():
    """Red, orange and yellow lie 30 degrees apart, red and yellow 60."""
    hues = np.radians([20.0, 50, 80, 260])
    lab = np.column_stack([np.full(4, 60.0), 50 * np.cos(hues), 50 * np.sin(hues)])
    assert hue_groups(lab).tolist() == [0, 0, 0, 1]
    assert hue_groups(lab[[0, 2, 3]]).tolist() == [0, 1, 2]
    assert hue_groups(np.array([[50.0, 3, 3]])).tolist() == [-1]


def test_greys_are_no_ones_nearest_hue():
    lab = Palette.parse("grey red blue").lab
    groups = hue_groups(lab)
    assert nearest_hue_group(np.array([[0.0, -30.0], [30.0, 10.0]]), lab, groups).tolist() == [groups[2], groups[1]]
