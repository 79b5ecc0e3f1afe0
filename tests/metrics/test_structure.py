import numpy as np
import pytest
import skimage.metrics

from kpalette.metrics.structure import map_terms, structure_terms, window_moments


@pytest.fixture
def greys() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    grey = generator.integers(0, 200, (40, 50)).astype(np.uint8)
    return grey, np.clip(grey * 0.7 + 20 + generator.normal(0, 9, grey.shape), 0, 255).astype(np.uint8)


def test_the_product_of_the_terms_is_ssim(greys):
    luminance, structure = map_terms(*map(window_moments, greys))
    product = (luminance * structure)[3:-3, 3:-3].mean()
    assert product == pytest.approx(skimage.metrics.structural_similarity(*greys), abs=1e-12)


def test_a_shift_costs_luminance_alone(greys):
    terms = structure_terms(greys[0], greys[0] + 50)
    assert terms["structure"] == pytest.approx(1.0)
    assert terms["luminance"] < 0.96
    assert structure_terms(*greys)["structure"] < 0.95


def test_half_the_contrast_has_the_known_value():
    source = np.tile(np.array([[0, 100], [100, 0]], np.uint8), (10, 10))
    variance = source[:7, :7].astype(float).var(ddof=1)
    known = (2 * variance / 2 + 58.5225) / (variance + variance / 4 + 58.5225)
    assert structure_terms(source, source // 2)["structure"] == pytest.approx(known, rel=1e-3)


def test_hidden_pixels_and_tiny_pictures(greys):
    shown = np.zeros(greys[0].shape, bool)
    shown[10:20, 10:20] = True
    changed = np.array(greys[0])
    changed[30:] = 0
    assert structure_terms(greys[0], changed, shown=shown) == {"structure": 1.0, "luminance": 1.0}
    dot = np.full((1, 1), 9, np.uint8)
    assert structure_terms(dot, dot) == {"structure": 1.0, "luminance": 1.0}
