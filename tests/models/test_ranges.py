import numpy as np

from kpalette.color.spaces import rgb_to_lab
from kpalette.models.ranges import from_network_range, pack_palettes, to_network_range
from kpalette.palettes.palette import Palette


def test_srgb_fits_within_one(run, cube):
    found = run(to_network_range, rgb_to_lab(cube))
    assert np.abs(found).max() <= 1.0 + 1e-6
    np.testing.assert_allclose(run(from_network_range, found), rgb_to_lab(cube), atol=1e-4)


def test_known_values():
    np.testing.assert_allclose(to_network_range([[0.0, 0, 0], [50, 64, -128], [100, -32, 0]]),
                               [[-1, 0, 0], [0, 0.5, -1], [1, -0.25, 0]])  # fmt: skip


def test_palettes_are_padded_to_the_longest(four):
    two = Palette.parse("black white")
    swatches, mask = pack_palettes([four, two])
    assert swatches.shape == (2, 4, 3)
    assert swatches.dtype == mask.dtype == np.float32
    np.testing.assert_array_equal(mask.sum(axis=1), [4, 2])
    np.testing.assert_allclose(from_network_range(swatches[0, :4]), four.lab, atol=1e-4)
    assert not swatches[1, 2:].any()
