import numpy as np
import pytest

from kpalette.color.spaces import rgb_to_lab
from kpalette.parallel import thread_count
from kpalette.recolorers.lattice import Lattice, lattice_lab


def darker(lab: np.ndarray) -> np.ndarray:
    return lab * np.array([0.7, 1.4, 1.4], lab.dtype)


def noise(count: int = 60_000) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (count // 100, 100, 3), dtype=np.uint8)


@pytest.mark.parametrize("size", [2, 17, 33, 65])
def test_the_identity_is_exact_in_8_bits(size):
    lattice = Lattice.bake(lambda lab: lab, size=size)
    np.testing.assert_array_equal(lattice.apply(noise()), noise())
    np.testing.assert_allclose(lattice.apply_float(noise() / 255), noise() / 255, atol=2e-5)
    assert lattice.size == size


def test_red_varies_fastest():
    lab = lattice_lab(3)
    np.testing.assert_allclose(lab[1], rgb_to_lab(np.array([0.5, 0, 0])), atol=1e-4)
    np.testing.assert_allclose(lab[3], rgb_to_lab(np.array([0, 0.5, 0])), atol=1e-4)
    np.testing.assert_allclose(lab[9], rgb_to_lab(np.array([0, 0, 0.5])), atol=1e-4)


def test_nodes_hold_the_map_itself():
    lattice = Lattice.bake(lambda lab: lab * np.array([0.5, 0.5, 0.5], lab.dtype), size=5)
    image = np.rint(np.array([[[0, 0.25, 0.5], [1, 0.75, 0]]]) * 255).astype(np.uint8)
    nodes = lattice.table[[2, 0], [1, 3], [0, 4]]
    np.testing.assert_allclose(lattice.apply(image)[0] / 255, nodes, atol=1.2 / 255)


def test_8_bit_and_float_agree():
    lattice = Lattice.bake(darker)
    np.testing.assert_allclose(lattice.apply(noise()) / 255, lattice.apply_float(noise() / 255), atol=0.51 / 255 + 1e-3)


def test_floats_keep_their_dtype_and_shape():
    lattice = Lattice.bake(lambda lab: lab, size=9)
    for dtype in (np.float16, np.float32, np.float64):
        assert lattice.apply_float(np.full((2, 5, 3), 0.5, dtype)).dtype == dtype
    assert lattice.apply_float(np.zeros((0, 3))).shape == (0, 3)


def test_tables_of_any_map_lie_in_gamut():
    lattice = Lattice.bake(lambda lab: lab * np.array([1, 9, 9], lab.dtype), size=17)
    assert lattice.table.min() >= 0
    assert lattice.table.max() <= 1
    assert lattice.outside.mean() > 0.9


def test_clipped_counts_pixels_whose_node_was_outside():
    lattice = Lattice.bake(lambda lab: lab * np.array([1, 2, 2], lab.dtype), size=17)
    red, grey = np.full((4, 3, 3), (255, 0, 0), np.uint8), np.full((4, 3, 3), 128, np.uint8)
    assert lattice.clipped(red) == 1.0
    assert lattice.clipped(grey) == 0.0
    assert lattice.clipped(np.vstack([red, grey])) == 0.5


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (1, 100_003), (100_003, 1)])
def test_pictures_of_any_shape(shape):
    lattice = Lattice.bake(darker, size=9)
    image = np.random.default_rng(1).integers(0, 256, (*shape, 3), dtype=np.uint8)
    got = lattice.apply(image)
    assert got.shape == image.shape
    np.testing.assert_allclose(got / 255, lattice.apply_float(image / 255), atol=0.51 / 255 + 1e-3)


def test_arrays_of_any_layout():
    lattice = Lattice.bake(darker, size=9)
    flipped = noise()[::-1, ::-2, ::-1]
    np.testing.assert_array_equal(lattice.apply(flipped), lattice.apply(np.ascontiguousarray(flipped)))


def test_threads_change_no_bit(monkeypatch):
    image = np.random.default_rng(2).integers(0, 256, (1200, 2000, 3), dtype=np.uint8)
    results = []
    for threads in ("1", "3"):
        monkeypatch.setenv("KPALETTE_THREADS", threads)
        lattice = Lattice.bake(darker)
        results.append((lattice.table, lattice.apply(image), lattice.apply_float(image[:200] / np.float32(255))))
    for one, three in zip(*results, strict=True):
        np.testing.assert_array_equal(one, three)


def test_thread_count_obeys_the_environment(monkeypatch):
    monkeypatch.delenv("KPALETTE_THREADS", raising=False)
    default = thread_count()
    assert default >= 1
    for text, count in (("1", 1), ("3", 3), ("64", 64)):
        monkeypatch.setenv("KPALETTE_THREADS", text)
        assert thread_count() == count
    for text in ("", "0", "-2", "1.5", "two", " 2", "٣", "99999"):
        monkeypatch.setenv("KPALETTE_THREADS", text)
        assert thread_count() == default
