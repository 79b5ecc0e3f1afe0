from pathlib import Path

import numpy as np
import pytest

from kpalette.errors import ArgumentError, PaletteError
from kpalette.palettes.convert import as_palette
from kpalette.palettes.files import save_palette
from kpalette.palettes.palette import Palette
from kpalette.palettes.presets import find_palette

TWO = Palette.parse("#ff8000 #000033")
FORMS = [
    TWO, "#ff8000 #000033", ["#ff8000", "#000033"], ("ff8000", "rgb(0, 0, 51)"), np.array(["#ff8000", "#003"]),
    [(255, 128, 0), (0, 0, 51)], ((255, 128, 0), [0, 0, 51]), np.array([[255, 128, 0], [0, 0, 51]]),
    np.array([[255, 128, 0], [0, 0, 51]], np.uint8), [(1, 128 / 255, 0), (0, 0, 0.2)],
    np.array([[255, 128, 0], [0, 0, 51]]) / 255,
]  # fmt: skip


@pytest.mark.parametrize("value", FORMS)
def test_colours_in_any_form(value):
    assert as_palette(value).hex == TWO.hex


def test_presets_files_and_paths(tmp_path):
    assert as_palette("nord") == find_palette("nord")
    save_palette(tmp_path / "two.gpl", TWO)
    assert as_palette(str(tmp_path / "two.gpl")).hex == as_palette(tmp_path / "two.gpl").hex == TWO.hex


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (["red", (0, 0, 1)], ArgumentError, "; texts and tuples cannot be mixed. Received: ['red'"),
        ([(0, 0, 300), (1, 2, 3)], ArgumentError, "`x` must hold integers in 0..255 or floats in 0..1. "
         "Received: values 0 to 300"),
        ([(255, 0, 0), (0.5, 0, 0)], ArgumentError, "Received: values 0 to 255"),
        ([(-1, 0, 0), (1, 0, 0)], ArgumentError, "Received: values -1 to 1"),
        ([(float("nan"), 0, 0), (1, 0, 0)], ArgumentError, "Received: values nan to nan"),
        ([(1, 2), (3, 4)], ArgumentError, "`x` must be a Palette, a string, a list of hex codes, CSS names"),
        ([(1, 2, 3), (4, 5)], ArgumentError, "`x` must be a Palette"),
        ([True, False], ArgumentError, "`x` must be a Palette"),
        (None, ArgumentError, "`x` must be a Palette"),
        ([], ArgumentError, "`x` must be a Palette"),
        (3, ArgumentError, "`x` must be a Palette"),
        ([(1, 2, 3)], PaletteError, "a palette has 2 to 8 colours, 1 given"),
        (np.zeros((9, 3)), PaletteError, "a palette has 2 to 8 colours, 9 given"),
        (["red"], PaletteError, "a palette has 2 to 8 colours, 1 given: 'red'"),
        (["red", "bleu"], PaletteError, "unknown colour 'bleu': did you mean 'blue'?"),
        (["#ff000080", "red"], PaletteError, "'#ff000080' has transparency, which is not supported: give #ff0000"),
        (Path("none.gpl"), PaletteError, "none.gpl does not exist"),
    ],
)  # fmt: skip
def test_other_values_are_refused_with_the_name_of_the_argument(value, error, message):
    with pytest.raises(error) as caught:
        as_palette(value, name="x")
    assert message in str(caught.value)
