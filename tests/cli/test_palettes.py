import json
import os

import numpy as np
import pytest

from kpalette import (
    Palette,
    extract_palette,
    find_palette,
    list_presets,
    load_palette,
    read_image,
    recolor,
    write_image,
)
from kpalette.palettes.formats import FORMS, encode_palette


def test_presets_are_listed_with_the_users_own(kp, tmp_path, monkeypatch):
    os.makedirs("home/palettes")
    monkeypatch.setenv("KPALETTE_HOME", "home")
    with open("home/palettes/My Moss.hex", "w") as stream:
        stream.write("102030\nd0e0b0\n")
    lines = kp("palette", "--list").text.splitlines()
    assert len(lines) == len(list_presets()) >= 25
    assert ["my-moss", "#102030", "#d0e0b0"] in [line.split() for line in lines]
    assert ["nord", *find_palette("nord").hex] in [line.split() for line in lines]


@pytest.mark.parametrize("form", FORMS)
def test_every_format_is_written_and_read_again(kp, small, form):
    assert kp("palette", "a.png", "-k", "5", "-o", f"b.{form}").err == f"wrote b.{form}\n"
    found = extract_palette(small, size=5, method="kmeans")
    assert load_palette(f"b.{form}").hex == found.hex
    assert open(f"b.{form}", "rb").read() == encode_palette(found, form=form, name="b")
    if form != "hex":  # which has its # on standard output
        assert kp("palette", "a.png", "-k", "5", "--format", form).out == encode_palette(found, form=form, name="a")
    assert "exists already" in kp("palette", "a.png", "-o", f"b.{form}").err
    assert kp("palette", "a.png", "-o", f"b.{form}", "--force").code == 0


def test_files_and_presets_are_converted(kp, small):
    assert kp("palette", "-p", "nord", "-o", "n.ase").code == 0
    assert kp("palette", "-p", "n.ase", "-k", "4", "--format", "json").code == 0
    assert kp("palette", "-p", "n.ase").text.split() == list(find_palette("nord").hex)
    four = json.loads(kp("palette", "-p", "nord", "-k", "4", "--format", "json").text)
    assert len(four["colors"]) == 4
    assert {color["hex"] for color in four["colors"]} <= set(find_palette("nord").hex)


def test_a_picture_of_swatches(kp, small):
    kp("palette", "-p", "navy gold", "-o", "s.png")
    picture = read_image("s.png").rgb
    assert picture.shape == (96, 192, 3)
    np.testing.assert_array_equal(picture[50, [50, 150]], [[0, 0, 128], [255, 215, 0]])


def test_recolor_takes_files_and_presets(kp, small):
    kp("palette", "-p", "study", "-o", "mine.gpl")
    assert kp("recolor", "a.png", "-p", "mine.gpl", "-o", "b.png").code == 0
    assert kp("recolor", "a.png", "-p", "Study", "-o", "c.png").code == 0
    np.testing.assert_array_equal(read_image("b.png").rgb, read_image("c.png").rgb)
    np.testing.assert_array_equal(read_image("b.png").rgb, recolor(small, "study"))
    assert kp("recolor", "a.png", "-p", "nord", "-k", "4", "--source", "mine.gpl", "-o", "d.png").code == 0
    expected = recolor(small, find_palette("nord", size=4), source=Palette.from_hex(find_palette("study").hex))
    np.testing.assert_array_equal(read_image("d.png").rgb, expected)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "give one of these: IMAGE, -p with colours, a preset or a palette file, or --list"),
        (["a.png", "-p", "nord"], 2, "give one of these"),
        (["a.png", "--list"], 2, "--list takes no IMAGE, -p or -o"),
        (
            ["a.png", "-o", "b.act"],
            1,
            "the format of b.act: use one of .gpl, .ase, .json, .hex, .txt, .png",
        ),
        (["a.png", "-o", "no/b.gpl"], 1, "cannot write no/b.gpl: No such file or directory"),
        (["-p", "bad.gpl"], 1, "bad.gpl, line 3: "),
        (["-p", "many.hex"], 1, "many.hex has 9 colours"),
        (["-p", "dracla"], 1, "did you mean the preset 'dracula'?"),
    ],
)
def test_errors_are_one_line(kp, small, arguments, code, message):
    with open("bad.gpl", "w") as stream:
        stream.write("GIMP Palette\n1 2 3\n1 2 999\n")
    with open("many.hex", "w") as stream:
        stream.write("\n".join(f"{i}{i}{i}{i}00" for i in range(9)))
    result = kp("palette", *arguments)
    assert (result.code, result.out) == (code, b"")
    assert message in result.err.replace("\n", " ")
    assert len(result.err.strip().splitlines()) == (1 if code == 1 else 4)


def test_a_terminal_gets_swatches_and_no_bytes(kp, small):
    assert "%" in kp("palette", "a.png", terminal=True).text
    assert "--format ase" not in kp("palette", "--list", terminal=True).text
    result = kp("palette", "a.png", "--format", "ase", terminal=True)
    assert (result.code, result.out) == (2, b"")
    assert "ase cannot be shown on a terminal: give -o FILE" in result.err


@pytest.mark.parametrize(("count", "text"), [(1, "1 colour"), (2, "2 colours"), (4, "")])
def test_a_picture_of_few_colours_gives_just_those_and_a_note(kp, small, count, text):
    colors = np.array([[0, 0, 0], [200, 10, 10], [20, 200, 20], [250, 250, 250]], np.uint8)[:count]
    write_image("few.png", np.repeat(colors[None], 5, axis=0))
    result = kp("palette", "few.png")
    assert len(result.text.split()) == count
    assert result.err == (f"note: few.png has only {text}\n" if text else "")
    assert kp("palette", "few.png", "-k", "8").text == result.text
