import numpy as np
import pytest

from kpalette.color.names import OpacityError, parse_color, rgb_to_levels
from kpalette.errors import PaletteError
from kpalette.palettes.palette import Palette


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("rgb(50%, 50%, 50%)", "#808080"), ("rgb(70%, 10%, 30%)", "#b31a4d"), ("rgb(127.5, 0.5, 0.4)", "#800100"),
        ("rgb(100%, 0%, 254.5)", "#ff00ff"),
    ],
)  # fmt: skip
def test_half_levels_are_rounded_up_as_in_css(text, code):
    palette = Palette.parse(f"{text}; black")
    assert palette.hex[0] == code
    assert palette == Palette.parse(f"{code} black")


def test_colours_between_levels_are_rounded_up_from_the_half_on():
    levels = np.arange(255)
    for offset, raised in ((0.5, 1), (0.49, 0), (0.51, 1)):
        np.testing.assert_array_equal(rgb_to_levels((levels + offset) / 255), levels + raised)
        rgb = np.repeat((levels + offset)[:, None] / 255, 3, axis=1)
        found = [code for i in range(0, 255, 5) for code in Palette.from_rgb(rgb[i : i + 5]).hex]
        assert found == ["#" + 3 * f"{level + raised:02x}" for level in levels]
    np.testing.assert_array_equal(rgb_to_levels(np.arange(256) / 255), np.arange(256))


@pytest.mark.parametrize("text", ["#f4a300ff", "#F4A300FF", "#fa0f", " #fa0F "])
def test_opaque_alpha_is_read(text):
    expected = "#f4a300" if len(text.strip()) == 9 else "#fa0"
    assert parse_color(text) == parse_color(expected)
    assert Palette.parse(f"{text} red").hex[0] == Palette.parse(f"{expected} red").hex[0]


@pytest.mark.parametrize(("text", "opaque"), [("#f4a30080", "#f4a300"), ("#fa0e", "#ffaa00"), ("#F4A300FE", "#F4A300")])
def test_other_alpha_is_refused(text, opaque):
    with pytest.raises(OpacityError, match=f"^'{text}' has transparency, which is not supported: give {opaque}$"):
        Palette.parse(f"red {text}")


@pytest.mark.parametrize("text", ["f4a300ff", "fa0f", "#fa0ff", "#f4a300f", "#"])
def test_other_numbers_of_digits_are_no_colour(text):
    with pytest.raises(PaletteError, match="unknown colour"):
        parse_color(text)
