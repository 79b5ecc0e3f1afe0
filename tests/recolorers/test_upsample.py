import numpy as np
import pytest

from kpalette.color.spaces import rgb_to_lab
from kpalette.errors import ArgumentError
from kpalette.images.picture import image_to_rgb, resize
from kpalette.recolorers.upsample import fit_field


def lab_of(image: np.ndarray) -> np.ndarray:
    return rgb_to_lab(image_to_rgb(image))


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 20, shape).astype(np.float32)


def upsampled(change: np.ndarray, small: np.ndarray, guide: np.ndarray, **settings: float) -> np.ndarray:
    height, width = guide.shape[:2]
    return fit_field(change, small, height=height, width=width, **settings).rows(slice(0, height), guide)


SIZES = [((1, 1), (1, 1)), ((1, 1), (1, 9)), ((2, 512), (17, 4001)), ((512, 2), (4001, 17)), ((32, 48), (129, 191))]


@pytest.mark.parametrize(("small", "large"), SIZES)
def test_any_sizes_and_a_constant_change_is_exact(small, large):
    change = np.broadcast_to(np.float32([3.25, -7.1]), (*small, 2))
    guide_small, guide = noise(*small, 3), noise(*large, 3, seed=1)
    result = upsampled(change, guide_small, guide)
    assert result.shape == (*large, 2)
    np.testing.assert_allclose(result, np.broadcast_to(change[0, 0], result.shape), rtol=1e-6)
    assert np.isfinite(upsampled(noise(*small, 2), guide_small, guide)).all()


def test_edges_of_equal_lightness_bound_the_change():
    """Two colours of one L meet between pixels of the small picture: bilinear upsampling blurs over eight pixels."""
    column = np.where(np.arange(128) < 68, 0, 1)
    guide = np.float32([[60, 40, 0], [60, -30, 20]])[np.broadcast_to(column, (64, 128))]
    wanted = np.float32([[10, -30], [-25, 5]])[np.broadcast_to(column, (64, 128))]
    small = guide.reshape(8, 8, 16, 8, 3).mean(axis=(1, 3))
    change = wanted.reshape(8, 8, 16, 8, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(upsampled(change, small, guide), wanted, atol=0.5)
    blind = upsampled(change, small * [1, 0, 0], guide * [1, 0, 0])
    assert np.abs(blind - wanted).max() > 10


def test_a_change_that_is_affine_in_colour_is_carried_over(photo):
    slopes = np.array([[0.1, -0.2], [0.5, 0.1], [-0.3, 0.2]])
    guide, small = lab_of(photo), lab_of(resize(photo, longest=32))
    result = upsampled(small @ slopes + [4, -2], small, guide, epsilon=1e-3)
    error = np.linalg.norm(result - (guide @ slopes + [4, -2]), axis=-1)
    # Except for colours that no near pixel had at working size: their change is clipped.
    assert np.median(error) < 0.1
    free = fit_field(small @ slopes + [4, -2], small, height=128, width=128, epsilon=1e-3)
    free.planes[8:10] = -1e6
    free.planes[10:] = 1e6
    assert np.percentile(np.abs(free.rows(slice(0, 128), guide) - (guide @ slopes + [4, -2])), 99) < 0.2


def test_the_result_stays_within_the_change_near_by():
    change, guide = noise(16, 16, 2), noise(64, 64, 3, seed=1)
    result = upsampled(change, noise(16, 16, 3, seed=2), 3 * guide)
    assert result.min() >= change.min()
    assert result.max() <= change.max()


def test_near_by_is_two_pixels_in_every_direction():
    change = np.zeros((15, 15, 1), np.float32).repeat(2, axis=2)
    change[7, 7] = 1
    guide = noise(15, 15, 3)
    planes = fit_field(change, guide, height=15, width=15).planes
    reached = np.argwhere(planes[10] == 1)
    assert reached.min(axis=0).tolist() == [5, 5]
    assert reached.max(axis=0).tolist() == [9, 9]
    assert len(reached) == 25


def test_strips_give_what_the_whole_gives(photo):
    guide, small = lab_of(photo), lab_of(resize(photo, longest=40))
    change = noise(40, 40, 2)
    field = fit_field(change, small, height=128, width=128)
    strips = [field.rows(part, guide[part]) for part in (slice(0, 1), slice(1, 50), slice(50, 128))]
    np.testing.assert_allclose(np.concatenate(strips), upsampled(change, small, guide), atol=1e-4)


@pytest.mark.parametrize(("change", "guide"), [((4, 4), (4, 4, 3)), ((4, 4, 2), (4, 5, 3)), ((4, 4, 2), (4, 4, 2))])
def test_shapes_that_do_not_fit(change, guide):
    with pytest.raises(ArgumentError, match=r"`change` must be \(h, w, n\) and `guide` \(h, w, 3\). Received: shapes"):
        upsampled(noise(*change), noise(*guide), noise(9, 9, 3))
