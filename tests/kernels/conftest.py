from types import ModuleType

import numpy as np
import pytest

from kpalette.kernels.loader import LEAST, VARIABLE, kernels_for
from tests.conftest import load, shared_folder


@pytest.fixture
def kernels(tmp_path_factory, monkeypatch) -> ModuleType:
    """The kernels, compiled by one process of pytest-xdist for all."""
    load("numba")
    monkeypatch.setenv(VARIABLE, "1")
    found = kernels_for(LEAST + 1)
    assert found is not None

    def compile_all(folder):
        folder.mkdir()
        from kpalette.images.picture import Picture
        from kpalette.palettes.palette import Palette
        from kpalette.recolorers.recipe import Recipe

        noise = np.random.default_rng(0).integers(0, 256, (600, 600, 3), dtype=np.uint8)
        for model in ("soft", "baseline", "palettenet"):
            recipe = Recipe(Palette.parse("red green blue white"), model)
            recipe.plan(Picture(noise)).apply(Picture(noise))

    shared_folder(tmp_path_factory, "kernels", compile_all)
    return found
