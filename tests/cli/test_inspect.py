import json
import os

import numpy as np
import pytest

from kpalette import extract_palette, palette_distance, read_image, ssim, write_image
from kpalette.images.encode import encode_image
from kpalette.palettes.palette import Palette
from tests.cli.conftest import NOTES, ROWS

COLORS = "orange,saddlebrown,purple,green"


def test_palette_prints_codes_that_parse_again(kp, small):
    result = kp("palette", "a.png", "-k", "5", "--method", "chang")
    assert (result.code, result.err) == (0, "")
    expected = extract_palette(small, size=5, method="chang")
    assert result.text == "\n".join(expected.hex) + "\n"
    assert Palette.parse(result.text).hex == expected.hex


def test_palette_as_json(kp, small):
    swatches = json.loads(kp("palette", "a.png", "--format", "json").text)["colors"]
    expected = extract_palette(small, method="kmeans")  # the extraction of `recolor` by default
    assert [s["hex"] for s in swatches] == list(expected.hex)
    assert sum(s["share"] for s in swatches) == pytest.approx(1, abs=1e-3)
    np.testing.assert_allclose([s["lab"] for s in swatches], expected.lab, atol=1e-3)


def test_palette_on_a_terminal_shows_shares(kp, small):
    result = kp("palette", "a.png", terminal=True)
    assert result.text.count("%") == 4
    assert extract_palette(small, method="kmeans").hex[0] in result.text


def test_palette_of_standard_input(kp, small):
    assert kp("palette", "-", stdin=encode_image(small, image_format="PNG")).text == kp("palette", "a.png").text
    assert kp("palette", "-", stdin=b"").err == "kpalette: error: standard input is empty (0 bytes)\n"


@pytest.mark.parametrize("colors", ["1", "9", "many"])
def test_palette_of_a_wrong_size(kp, small, colors):
    assert kp("palette", "a.png", "-k", colors).code == 2


def test_ssim_prints_fifteen_digits_and_writes_its_map(kp, small):
    write_image("b.png", small[:, ::-1].copy())
    result = kp("ssim", "a.png", "b.png", "--map", "m.png")
    assert result.text == f"{ssim(small, small[:, ::-1].copy()):.15f}\n"
    assert read_image("m.png").rgb.shape == small.shape
    result = kp("ssim", "a.png", "b.png", "--map", "m.png")
    assert result.code == 1
    assert result.out == b""
    assert "m.png exists already" in result.err
    assert kp("ssim", "a.png", "b.png", "--map", "m.png", "--force").code == 0
    assert kp("ssim", "a.png", "a.png").text == "1.000000000000000\n"


def test_standard_input_is_read_once(kp, small):
    data = encode_image(small, image_format="PNG")
    assert kp("ssim", "-", "a.png", stdin=data).text == "1.000000000000000\n"
    assert "can be only one of the two" in kp("ssim", "-", "-", stdin=data).err
    for command in ("compare", "recolor"):
        result = kp(command, "-", "--like", "-", stdin=data)
        assert result.code == 2
        assert "can be INPUT or --like, but not both" in result.err


def test_ssim_of_different_sizes(kp, small):
    write_image("b.png", small[:32])
    result = kp("ssim", "a.png", "b.png")
    assert result.code == 1
    assert result.err == "kpalette: error: the images must be of one size: the first is 64x64, the second 64x32\n"


def test_compare_prints_a_table_and_writes_a_sheet(kp, small):
    result = kp("compare", "a.png", "-p", COLORS)
    assert result.code == 0
    lines = result.text.splitlines()
    assert lines[0].split() == [
        "method", "lightness", "ssim", "palette_de", "palette_de_ab", "richness", "false_edges", "seconds",
    ]  # fmt: skip
    assert [line.split()[0] for line in lines[1:]] == ROWS
    assert lines[1].split()[1] == "1.000"
    assert result.err.splitlines() == [*NOTES, "sheet: a.compare.png"]
    assert read_image("a.compare.png").rgb.shape[1] > 3 * 64


def test_compare_as_json_writes_a_sheet_only_with_o(kp, small):
    rows = json.loads(kp("compare", "a.png", "-p", COLORS, "--json").text)
    assert [row["method"] for row in rows] == ROWS
    assert rows[0]["palette_de"] == pytest.approx(palette_distance(small, Palette.parse(COLORS)))
    assert os.listdir(".") == ["a.png"]
    assert rows[0]["lightness"] is None
    assert all(0 < row["lightness"] <= 1 for row in rows[1:])
    assert kp("compare", "a.png", "-p", COLORS, "--json", "-o", "s.jpg").code == 0
    assert sorted(os.listdir(".")) == ["a.png", "s.jpg"]


def test_compare_checks_the_sheet_before_it_works(kp, small):
    write_image("a.compare.png", small)
    result = kp("compare", "a.png", "-p", COLORS)
    assert (result.code, result.out) == (1, b"")
    assert "a.compare.png exists already" in result.err
    assert "cannot tell the format of s.txt" in kp("compare", "a.png", "-p", COLORS, "-o", "s.txt").err
