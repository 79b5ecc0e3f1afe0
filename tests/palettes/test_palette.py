import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpalette.color.names import parse_color
from kpalette.color.spaces import rgb_to_lab
from kpalette.errors import ArgumentError, PaletteError
from kpalette.palettes.palette import Palette

BYTE = st.integers(0, 255)
RGB = st.tuples(BYTE, BYTE, BYTE)


@pytest.mark.parametrize(
    ("text", "rgb"),
    [
        ("#f80", (255, 136, 0)), ("F80", (255, 136, 0)), ("#Ff8800", (255, 136, 0)), ("800080", (128, 0, 128)),
        ("orange", (255, 165, 0)), ("RebeccaPurple", (102, 51, 153)), ("rgb(1, 2, 3)", (1, 2, 3)),
        ("RGB(1 2 3)", (1, 2, 3)), ("rgb(100%, 0%, 20%)", (255, 0, 51)), ("  teal ", (0, 128, 128)),
    ],
)  # fmt: skip
def test_every_form_of_a_colour(text, rgb):
    np.testing.assert_allclose(np.array(parse_color(text)) * 255, rgb, atol=1e-9)


def test_lists_by_comma_space_semicolon_and_line():
    expected = ("#ffa500", "#010203", "#00ff00", "#800080")
    assert Palette.parse("orange,rgb(1, 2, 3),#0f0,800080").hex == expected
    assert Palette.parse(" orange  rgb(1 2 3)\n0f0\t800080 ").hex == expected
    assert Palette.parse("orange; rgb(1,2,3) ;#0f0,\n 800080").hex == expected
    assert Palette.from_hex(expected).hex == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("orange, oragne", "unknown colour 'oragne': did you mean 'orange'?"),
        ("red, #12345", "unknown colour '#12345': give #rgb, #rrggbb, a CSS name or rgb(r, g, b)"),
        (
            "red, rgb(300, 0, 0)",
            "channel '300' of 'rgb(300, 0, 0)' must be a number in 0..255 or a percentage up to 100%",
        ),
        ("red, rgb(1.2.3, 0, 0)", "channel '1.2.3' of"),
        ("red, rgb(1, 2", "cannot read a colour at"),
        ("red", "a palette has 2 to 8 colours, 1 given: 'red'"),
        ("", "a palette has 2 to 8 colours, 0 given: ''"),
        ("red " * 9, "a palette has 2 to 8 colours, 9 given"),
    ],
)
def test_what_cannot_be_read_is_named(text, message):
    with pytest.raises(PaletteError) as error:
        Palette.parse(text)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@given(st.text(max_size=60))
def test_parsing_any_text_gives_a_palette_or_a_palette_error(text):
    try:
        palette = Palette.parse(text)
    except PaletteError:
        return
    assert 2 <= len(palette) <= 8


@given(st.lists(RGB, min_size=2, max_size=8))
def test_hex_round_trip(colors):
    codes = tuple("#{:02x}{:02x}{:02x}".format(*rgb) for rgb in colors)
    assert Palette.parse(" ".join(codes)).hex == codes
    assert eval(repr(Palette.parse(",".join(codes)))).hex == codes
    np.testing.assert_allclose(Palette.from_rgb(np.array(colors)).rgb * 255, colors, atol=1e-6)


def test_lab_and_weights_are_read_only_and_normalised():
    palette = Palette([[50, 0, 0], [20, 10, 10]], [1, 3])
    np.testing.assert_allclose(palette.weights, [0.25, 0.75])
    with pytest.raises(ValueError, match="read-only"):
        palette.lab[0, 0] = 1
    assert len(palette) == 2
    assert [lab[0] for lab in palette] == [50, 20]
    assert [lab[0] for lab in palette.sorted()] == [20, 50]


def test_equality_and_hash_see_values():
    one, two = Palette.parse("red blue"), Palette.parse("#f00 #00f")
    assert one == two
    assert len({one, two, Palette.parse("blue red")}) == 2
    assert one != "red blue"


@pytest.mark.parametrize(
    ("lab", "weights", "message"),
    [
        ([[1, 2]], None, r"`lab` must be of shape \(k, 3\). Received: shape \(1, 2\)"),
        ("red", None, "`lab` must be an array of numbers. Received: 'red'"),
        ([[np.nan, 0, 0]], None, "`lab` must be finite, with L in 0..100"),
        ([[120, 0, 0]], None, "`lab` must be finite, with L in 0..100"),
        ([[50, 0, 0]], [-1], "`shares` must be 1 numbers, none negative, not all 0"),
        ([[50, 0, 0]] * 2, [1], "`shares` must be 2 numbers"),
        ([[50, 0, 0]], "x", "`shares` must be an array of numbers. Received: 'x'"),
        ([[50, 0, 0], [1]], None, "`lab` must be an array of numbers"),
    ],
)
def test_bad_arrays(lab, weights, message):
    with pytest.raises(ArgumentError, match=message):
        Palette(lab, weights)


def test_too_many_swatches():
    with pytest.raises(PaletteError, match="a palette has 2 to 8 colours, 9 given"):
        Palette([[50, 0, 0]] * 9)


def test_rgb_input_is_checked():
    with pytest.raises(ArgumentError, match=r"`rgb` must be of shape \(k, 3\), floats in 0..1 or integers in 0..255"):
        Palette.from_rgb([[0.5, 2.0, 0.0]])
    assert Palette.from_rgb(np.array([[255, 0, 0]], np.uint8)).hex == ("#ff0000",)


def test_match_by_lightness_keeps_the_order_of_lightness():
    source, target = Palette.parse("white black gray"), Palette.parse("navy yellow teal")
    assert source.matched(target).hex == ("#ffff00", "#000080", "#008080")


def test_match_by_order_takes_them_as_given():
    source, target = Palette.parse("white black gray"), Palette.parse("navy yellow teal")
    assert source.matched(target, match="order").hex == target.hex


def test_match_by_nearest_is_the_best_one_to_one_assignment():
    source = Palette.parse("#ff0000 #ee1111 #0000ff")
    target = Palette.parse("#00008b #ff0000 #cc3333")
    assert source.matched(target, match="nearest").hex == ("#ff0000", "#cc3333", "#00008b")


def test_a_source_of_fewer_swatches_takes_the_targets_closest_in_lightness():
    source, target = Palette(rgb_to_lab(np.array([[0.1] * 3, [0.9] * 3]))), Palette.parse("#fff #777 #111 #ddd")
    assert source.matched(target).hex == ("#111111", "#dddddd")
    assert source.matched(target, match="order").hex == ("#ffffff", "#777777")
    assert len(source.matched(target, match="nearest")) == 2


@given(st.lists(RGB, min_size=2, max_size=8), st.data())
def test_matching_by_lightness_never_crosses(colors, data):
    target = Palette.from_rgb(np.array(colors))
    count = data.draw(st.integers(1, len(colors)))
    source = Palette.from_rgb(np.array(data.draw(st.lists(RGB, min_size=count, max_size=count))))
    matched = source.matched(target)
    order = np.argsort(source.lab[:, 0], kind="stable")
    assert (np.diff(matched.lab[order, 0]) >= 0).all()
    assert set(matched.hex) <= set(target.hex)


def test_matching_refuses_what_it_cannot_do():
    with pytest.raises(ArgumentError, match="the source palette has 3 colours and the target 2"):
        Palette.parse("red green blue").matched(Palette.parse("red blue"))
    with pytest.raises(ArgumentError, match=r"`match` must be one of lightness, order, nearest. Received: 'hue'"):
        Palette.parse("red blue").matched(Palette.parse("red blue"), match="hue")


def test_swatches_outside_srgb_get_a_hex_code_without_clipping_lightness():
    lab = np.array([[60.0, 120.0, 0.0], [50, 0, 0]])
    code = Palette(lab).hex[0]
    assert abs(Palette.parse(f"{code} red").lab[0, 0] - 60) < 0.5


def test_nearest_is_by_distance_in_lab():
    palette = Palette.parse("orange saddlebrown purple green")
    lab = np.random.default_rng(0).uniform([0, -80, -80], [100, 80, 80], (4, 50, 3))
    wanted = np.argmin(np.linalg.norm(lab[..., np.newaxis, :] - palette.lab, axis=-1), axis=-1)
    np.testing.assert_array_equal(palette.nearest(lab), wanted)


def test_shares_and_weights_are_the_same():
    palette = Palette([[50, 0, 0], [60, 0, 0]], [1, 3])
    np.testing.assert_array_equal(palette.shares, [0.25, 0.75])
    assert palette.weights is palette.shares


def test_a_notebook_shows_swatches_with_code_and_share():
    text = Palette([[50, 0, 0], [60, 0, 0]], [1, 3])._repr_html_()
    assert [text.count(code) for code in ("#777777", "#919191")] == [2, 2]
    assert "25%" in text
    assert "75%" in text
    assert "<script" not in text
    assert text.count("<div") == text.count("</div>")
