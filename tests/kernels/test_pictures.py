"""Whole pictures: with kernels they are what they are without them, to a level in 99.9 % of pixels."""

import numpy as np
import pytest

from kpalette.images.picture import Picture
from kpalette.images.samples import sample_image
from kpalette.kernels.loader import LEAST, VARIABLE
from kpalette.palettes.palette import Palette
from kpalette.recolorers.recipe import Recipe

NAMES = ("soft", "fitted", "baseline", "palettenet")


@pytest.fixture(scope="module")
def large() -> np.ndarray:
    """A photograph beside itself with fine noise, of more pixels than `LEAST`: uint8 (512, 1024, 3)."""
    image = sample_image("astronaut")
    noisy = np.clip(image + np.random.default_rng(0).normal(0, 3, image.shape), 0, 255).astype(np.uint8)
    both = np.hstack([image, noisy])
    assert both.size // 3 > LEAST
    return both


def recolored(picture: Picture, model: str, **settings) -> np.ndarray:
    recipe = Recipe(Palette.parse("#2e3440 #5e81ac #a3be8c #eceff4"), model, **settings)
    return recipe.plan(picture).apply(picture).image


def assert_alike(found: np.ndarray, wanted: np.ndarray) -> None:
    levels = np.abs(found.astype(int) - wanted.astype(int))
    assert np.mean(levels.max(axis=-1) > 1) < 1e-3
    assert levels.mean() < 0.05


@pytest.mark.parametrize("model", NAMES)
@pytest.mark.parametrize("tone", ["local", "curve"])
def test_kernels_and_numpy_agree(kernels, monkeypatch, large, model, tone):
    settings = {"tone": tone, "lightness": 0.7}
    found = recolored(Picture(large), model, **settings)
    monkeypatch.setenv(VARIABLE, "0")
    wanted = recolored(Picture(large), model, **settings)
    assert not np.array_equal(wanted, large)
    assert_alike(found, wanted)


def test_hidden_pixels(kernels, monkeypatch, large):
    alpha = np.full(large.shape[:2], 255, np.uint8)
    alpha[100:300, 200:700] = 0
    picture = Picture(large, alpha)
    found = recolored(picture, "palettenet")
    monkeypatch.setenv(VARIABLE, "0")
    shown = alpha > 0
    assert_alike(found[shown], recolored(picture, "palettenet")[shown])


def test_a_working_size_as_large_as_the_picture(kernels, monkeypatch, large):
    from kpalette.recolorers.network import NetworkRecolorer

    whole = NetworkRecolorer("palettenet", working_size=1024)
    found = recolored(Picture(large), whole, lightness=0.0)
    monkeypatch.setenv(VARIABLE, "0")
    assert_alike(found, recolored(Picture(large), whole, lightness=0.0))


@pytest.mark.parametrize("threads", ["1", "3"])
def test_threads_change_nothing(kernels, monkeypatch, large, threads):
    wanted = recolored(Picture(large), "palettenet")
    monkeypatch.setenv("KPALETTE_THREADS", threads)
    np.testing.assert_array_equal(recolored(Picture(large), "palettenet"), wanted)


def test_strips_do_not_show(kernels, monkeypatch, large):
    wanted = recolored(Picture(large), "palettenet")
    monkeypatch.setattr("kpalette.recolorers.strips._STRIP", 1)
    np.testing.assert_array_equal(recolored(Picture(large), "palettenet"), wanted)
