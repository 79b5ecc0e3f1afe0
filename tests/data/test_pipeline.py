import numpy as np
import pytest

from kpalette.data.builtin import embedded
from kpalette.data.pairs import make_pair
from kpalette.data.samples import Sampler, stack
from kpalette.errors import ImageError
from tests.conftest import load

tf = load("tensorflow")
from kpalette.data.pipeline import draws, hue_pairs, pairs  # noqa: E402


@pytest.fixture(scope="module")
def sampler() -> Sampler:
    return Sampler.of(embedded().subset([0, 1, 20, 21]), crop=32, seed=1)


def test_the_pipeline_draws_what_the_sampler_draws(sampler):
    found = next(iter(draws(sampler, 3, start=2)))
    wanted = stack([sampler.draw(p) for p in (6, 7, 8)])
    for name, value in wanted.items():
        np.testing.assert_array_equal(found[name], value)


def test_pairs_are_those_of_make_pair(sampler):
    inputs, ab, weight = next(iter(pairs(draws(sampler, 4), hue_rows=2)))
    wanted = make_pair(stack([sampler.draw(p) for p in range(4)]), hue_rows=2)
    np.testing.assert_allclose(inputs["lab"], wanted.inputs["lab"], atol=5e-3)
    np.testing.assert_allclose(ab, wanted.ab, atol=5e-3)
    assert np.mean(weight != wanted.weight) < 1e-3


def test_hue_pairs_feed_keras(sampler):
    dataset = hue_pairs(sampler.images, batch_size=4, crop=32, seed=1)
    inputs, ab, weight = dataset.element_spec
    assert inputs["lab"].shape == (4, 32, 32, 3)
    assert ab.shape == (4, 32, 32, 2)
    assert weight.shape == (4, 32, 32)
    first, again = next(iter(dataset)), next(iter(hue_pairs(sampler.images, batch_size=4, crop=32, seed=1)))
    np.testing.assert_array_equal(first[1], again[1])
    skipped = next(iter(hue_pairs(sampler.images, batch_size=4, crop=32, seed=1, start=1)))
    np.testing.assert_array_equal(list(dataset.take(2))[1][1], skipped[1])


def test_all_unrelated_and_none(sampler):
    for share, rows in ((0.0, 4), (1.0, 0)):
        inputs, ab, _ = next(iter(hue_pairs(sampler.images, batch_size=4, crop=32, unrelated=share)))
        wanted = make_pair(stack([Sampler.of(sampler.images, crop=32).draw(p) for p in range(4)]), hue_rows=rows)
        np.testing.assert_allclose(inputs["target_palette"], wanted.inputs["target_palette"], atol=2e-2)
        np.testing.assert_allclose(ab, wanted.ab, atol=5e-3)


def test_no_pictures(tmp_path):
    with pytest.raises(ImageError, match="holds no pictures"):
        hue_pairs(tmp_path)
