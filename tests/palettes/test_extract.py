import numpy as np
import pytest

from kpalette.color.difference import delta_e_2000
from kpalette.color.spaces import rgb_to_lab
from kpalette.errors import ArgumentError, ImageError
from kpalette.images.picture import Picture
from kpalette.palettes.extract import MAX_SAMPLES, METHODS, extract_palette, extract_palettes
from kpalette.palettes.palette import Palette


def blobs(colors: list[str], shares: list[int], noise: float = 3.0, seed: int = 0) -> np.ndarray:
    """Clusters of noisy pixels around known colours."""
    rgb = np.repeat(Palette.from_hex(colors).rgb * 255, shares, axis=0)
    rgb = rgb + np.random.default_rng(seed).normal(0, noise, rgb.shape)
    return np.clip(np.rint(rgb), 0, 255).astype(np.uint8).reshape(len(rgb) // 20, 20, 3)


@pytest.mark.parametrize("method", METHODS)
def test_known_clusters_are_found_with_their_shares(method):
    image = blobs(["#c03020", "#2050b0", "#40a040", "#e8e0c0"], [1000, 3000, 2000, 2000])
    found = extract_palette(image, method=method)
    expected = Palette.from_hex(["#2050b0", "#c03020", "#40a040", "#e8e0c0"])
    assert delta_e_2000(found.lab, expected.lab).max() < 1.5
    np.testing.assert_allclose(found.weights, [0.375, 0.125, 0.25, 0.25], atol=0.02)
    assert (np.diff(found.lab[:, 0]) > 0).all()


def test_chang_keeps_black_out_and_kmeans_does_not():
    image = blobs(["#050505", "#c03020", "#2050b0"], [3000, 1000, 1000])
    assert extract_palette(image, size=2, method="chang").lab[:, 0].min() > 25
    assert extract_palette(image, size=3, method="kmeans").lab[0, 0] < 5


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("size", [2, 4, 8])
def test_same_picture_same_palette(photo, method, size):
    first = extract_palette(photo, size=size, method=method)
    assert len(first) == size
    assert first == extract_palette(photo.copy(), size=size, method=method)


def test_kmeans_is_a_local_optimum(photo):
    found = extract_palette(photo, size=5, method="kmeans")
    lab = rgb_to_lab(photo.reshape(-1, 3) / 255)
    labels = np.argmin(np.linalg.norm(lab[:, None] - found.lab, axis=-1), axis=-1)
    means = np.array([lab[labels == i].mean(axis=0) for i in range(5)])
    assert np.linalg.norm(means - found.lab, axis=-1).max() < 0.7  # bins of 8 levels stand for their pixels
    np.testing.assert_allclose(np.bincount(labels) / len(lab), found.weights, atol=0.01)


@pytest.mark.parametrize("method", METHODS)
def test_fewer_colours_than_asked_for_are_given_exactly(method):
    image = np.zeros((6, 10, 3), np.uint8)
    image[:, :6] = (200, 100, 50)
    image[0, 9] = (1, 2, 3)
    found = extract_palette(image, size=4, method=method)
    assert found.hex == ("#000000", "#010203", "#c86432")
    np.testing.assert_allclose(found.weights, [23 / 60, 1 / 60, 36 / 60])
    assert extract_palette(image[:1, :1], method=method).hex == ("#c86432",)


@pytest.mark.parametrize("method", METHODS)
def test_more_colours_than_asked_for_in_one_bin(method):
    image = np.stack(np.meshgrid(*[np.arange(3, dtype=np.uint8)] * 3), axis=-1).reshape(9, 3, 3)
    assert len(extract_palette(image, size=4, method=method)) == 4


@pytest.mark.parametrize("method", METHODS)
def test_transparent_pixels_do_not_count(method):
    image = blobs(["#c03020", "#2050b0"], [2000, 2000])
    alpha = np.full(image.shape[:2], 255, np.uint8)
    alpha[:100] = 0  # the first cluster
    found = extract_palette(np.dstack([image, alpha]), size=2, method=method)
    assert delta_e_2000(found.lab, Palette.parse("#2050b0 #2050b0").lab).max() < 6


def test_pixels_count_by_their_alpha():
    rgba = np.array([[[255, 0, 0, 255], [0, 0, 255, 51]]], np.uint8)
    found = extract_palette(rgba, size=2)
    assert found.hex == ("#0000ff", "#ff0000")
    np.testing.assert_allclose(found.weights, [1 / 6, 5 / 6])


def test_a_few_visible_pixels_are_found_wherever_they_are():
    rgba = np.zeros((1200, 1200, 4), np.uint8)
    rgba[7, 11] = (10, 200, 30, 255)
    assert extract_palette(rgba).hex == ("#0ac81e",)


def test_wholly_transparent_is_an_error():
    with pytest.raises(ImageError, match="the picture is wholly transparent: there are no colours"):
        extract_palette(np.zeros((4, 4, 4), np.uint8))


@pytest.mark.parametrize("shape", [(1, 1_000_000), (1_000_000, 1), (3, 400_000), (1500, 900)])
def test_large_pictures_are_sampled_within_the_limit_in_any_shape(shape, monkeypatch):
    seen = []
    monkeypatch.setattr("kpalette.palettes.extract._few_colors", lambda colors, weights, size: seen.append(len(colors)))
    image = np.zeros((*shape, 3), np.uint8)
    image[..., 0] = np.arange(shape[0] * shape[1]).reshape(shape) % 256
    extract_palette(image)
    assert MAX_SAMPLES / 3 < seen[0] <= MAX_SAMPLES


@pytest.mark.parametrize("period", [1, 2, 3])
def test_sampling_does_not_alias_with_patterns(period):
    y, x = np.mgrid[:2048, :2048] // period
    image = np.where((x + y)[..., None] % 2, np.uint8(255), np.uint8(0)).repeat(3, axis=2)
    found = extract_palette(image, size=2)
    assert found.hex == ("#000000", "#ffffff")
    np.testing.assert_allclose(found.weights, 0.5, atol=0.02)


def test_pictures_and_arrays_give_the_same(photo):
    assert extract_palette(Picture(photo)) == extract_palette(photo)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 1}, "`size` must be a whole number from 2 to 8. Received: 1"),
        ({"size": 9}, "`size` must be a whole number from 2 to 8. Received: 9"),
        ({"size": 4.5}, "`size` must be a whole number from 2 to 8. Received: 4.5"),
        ({"seed": -1}, "`seed` must be a whole number, not negative. Received: -1"),
        ({"seed": "x"}, "`seed` must be a whole number, not negative. Received: 'x'"),
        ({"method": "median"}, "`method` must be one of chang, kmeans. Received: 'median'"),
    ],
)
def test_bad_options(photo, options, message):
    with pytest.raises(ArgumentError, match=message):
        extract_palette(photo, **options)


def test_bad_arrays():
    with pytest.raises(ArgumentError, match=r"`image` must be uint8 of shape \(H, W, 3\) or \(H, W, 4\)"):
        extract_palette(np.zeros((4, 4, 3)))
    with pytest.raises(ArgumentError, match=r"Received: uint8, shape \(0, 4, 3\)"):
        extract_palette(np.zeros((0, 4, 3), np.uint8))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", ["photo", "one bin", "few colours", "one colour", "transparent"])
def test_several_sizes_at_once_are_those_of_single_calls(photo, method, kind):
    y, x = np.mgrid[:12, :12]
    image = {
        "photo": photo[::2, ::2],
        "one bin": np.stack([x % 5, y % 3, x % 2], axis=-1).astype(np.uint8),
        "few colours": np.stack([x // 3 * 60, y * 0, x * 0], axis=-1).astype(np.uint8),
        "one colour": np.full((4, 4, 3), 9, np.uint8),
        "transparent": np.dstack([photo[:40, :40], photo[:40, :40, 0]]),
    }[kind]
    sizes = [8, 2, 5, 3, 2]
    found = extract_palettes(image, sizes=sizes, method=method, seed=3)
    assert found == tuple(extract_palette(image, size=size, method=method, seed=3) for size in sizes)
    assert [len(p) for p in extract_palettes(photo[::4, ::4], method=method)] == [2, 3, 4, 5, 6, 7, 8]
    assert extract_palettes(photo, sizes=()) == ()
