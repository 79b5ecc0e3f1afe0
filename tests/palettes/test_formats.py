import json
import struct

import numpy as np
import pytest
from skimage.color import rgb2lab

from kpalette.color.spaces import rgb_to_lab
from kpalette.errors import ArgumentError, PaletteError
from kpalette.palettes.formats import FORMS, decode_colors, encode_palette
from kpalette.palettes.palette import Palette

STUDY = Palette.parse("F4A300,8B4513,800080,008000")
UNEVEN = Palette([[12.3456789, 3.1, -40.7], [50.1, 120.0, 30.0], [100.0, 0.0, 0.0]], [0.7, 0.2, 0.1])
GIMP = (
    b"GIMP Palette\r\nName: Caf\xe9 32\r\nColumns: 16\r\n# a comment\r\n#\r\n"
    b"  0   0   0\tBlack: the first\r\n255 128   7\t12 oranges\r\n\r\n # another\r\n 16 32 64\r\n"
)
ASEPRITE = b"GIMP Palette\nChannels: RGBA\n#\n255   0  77 255\tUntitled\n  0 228  54 128\tUntitled\n"
LOSPEC = b"1a1c2c\r\n5d275d\r\n\r\n; light\r\n#F4F4F4\r\n"
PAINT_NET = "\ufeff; paint.net Palette File\r\n; 96 at most\r\nFF1A1C2C\r\n80F4F4F4 ; half\r\n".encode()
PEOPLE = b"# my colours\n#f4a300\nteal\nrgb(1, 2, 3)\n#\n#abc\n0f0,\n"


def hexes(data: bytes, form: str) -> list[str]:
    lab, _ = decode_colors(data, form=form, name="x")
    return [code for row in lab for code in Palette([row]).hex]


def ase_color(model: bytes, *values: float, name: str = "a", kind: bytes = b"\0\2") -> bytes:
    text = name.encode("utf-16-be") + b"\0\0"
    body = struct.pack(">H", len(name) + 1) + text + model + struct.pack(f">{len(values)}f", *values) + kind
    return b"\0\1" + struct.pack(">I", len(body)) + body


def ase(*blocks: bytes) -> bytes:
    return b"ASEF\0\1\0\0" + struct.pack(">I", len(blocks)) + b"".join(blocks)


GROUP = b"\xc0\x01\0\0\0\x06\0\x02\0G\0\0"
GROUP_END = b"\xc0\x02\0\0\0\0"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("palette", [STUDY, UNEVEN])
def test_every_form_keeps_the_colours_to_8_bits(form, palette):
    data = encode_palette(palette, form=form, name="Ünï\ncode")
    assert hexes(data, form) == list(palette.hex)


def test_json_keeps_lab_and_shares_exactly():
    lab, weights = decode_colors(encode_palette(UNEVEN, form="json", name="x"), form="json", name="x")
    np.testing.assert_allclose(lab, UNEVEN.lab, rtol=0, atol=1e-12)
    np.testing.assert_allclose(weights, UNEVEN.weights, rtol=0, atol=1e-12)


def test_what_is_written_is_what_other_programs_expect():
    two = Palette.parse("#010203 #ff8000")
    assert encode_palette(two, form="gpl", name="Two") == (
        b"GIMP Palette\nName: Two\nColumns: 2\n#\n  1   2   3\t#010203\n255 128   0\t#ff8000\n"
    )
    assert encode_palette(two, form="hex", name="Two") == b"010203\nff8000\n"
    assert encode_palette(two, form="txt", name="Two") == b"; paint.net Palette File\n; Two\nFF010203\nFFFF8000\n"
    swatches = [ase_color(b"RGB ", r / 255, g / 255, b / 255, name=n) for n, r, g, b in
                [("#010203", 1, 2, 3), ("#ff8000", 255, 128, 0)]]  # fmt: skip
    assert encode_palette(two, form="ase", name="G") == ase(GROUP, *swatches, GROUP_END)
    told = json.loads(encode_palette(two, form="json", name='T"o'))
    assert (told["name"], [color["hex"] for color in told["colors"]]) == ('T"o', ["#010203", "#ff8000"])


@pytest.mark.parametrize(
    ("form", "data", "expected"),
    [
        ("gpl", GIMP, ["#000000", "#ff8007", "#102040"]),
        ("gpl", b"\xef\xbb\xbf" + ASEPRITE, ["#ff004d", "#00e436"]),
        ("gpl", GIMP.replace(b"\r\n", b"\r"), ["#000000", "#ff8007", "#102040"]),
        ("gpl", ASEPRITE.decode().encode("utf-16"), ["#ff004d", "#00e436"]),
        ("hex", LOSPEC, ["#1a1c2c", "#5d275d", "#f4f4f4"]),
        ("txt", PAINT_NET, ["#1a1c2c", "#f4f4f4"]),
        ("txt", PEOPLE, ["#f4a300", "#008080", "#010203", "#aabbcc", "#00ff00"]),
        ("json", b'["#f4a300", "teal", [1, 2, 3]]', ["#f4a300", "#008080", "#010203"]),
        ("json", b' {"colors": ["#f4a300"], "more": {"colors": 3}} ', ["#f4a300"]),
        ("json", b'{"moss": ["#f4a300", "teal"], "author": "me"}', ["#f4a300", "#008080"]),
        ("json", b'[{"lab": [100, 0, 0]}, {"hex": "red"}]', ["#ffffff", "#ff0000"]),
    ],
)  # fmt: skip
def test_files_of_real_programs(form, data, expected):
    assert hexes(data, form) == expected


def test_ase_with_groups_and_every_model():
    data = ase(
        GROUP, ase_color(b"RGB ", 1.0, 0.5, 0.0), ase_color(b"CMYK", 0.0, 0.5, 1.0, 0.2), GROUP_END,
        b"\0\x77\0\0\0\x03abc", ase_color(b"Gray", 0.5, kind=b""), ase_color(b"LAB ", 1.0, 0.0, 0.0),
    )  # fmt: skip
    lab, weights = decode_colors(data, form="ase", name="x.ase")
    expected = rgb2lab([[1.0, 0.5, 0.0], [0.8, 0.4, 0.0], [0.5, 0.5, 0.5], [1.0, 1.0, 1.0]])
    np.testing.assert_allclose(lab, expected, atol=0.02)
    assert weights is None


@pytest.mark.parametrize(
    ("lab50", "rgb"),
    [  # sRGB's primaries as CSS Color 4 and Lindbloom give them under D50
        ((54.2905, 80.8049, 69.8910), (1, 0, 0)), ((87.8185, -79.2711, 80.9946), (0, 1, 0)),
        ((29.5683, 68.2874, -112.0297), (0, 0, 1)),
    ],
)  # fmt: skip
def test_lab_of_ase_is_under_d50(lab50, rgb):
    data = ase(ase_color(b"LAB ", lab50[0] / 100, *lab50[1:]))
    lab, _ = decode_colors(data, form="ase", name="x")
    np.testing.assert_allclose(lab, [rgb_to_lab(np.array(rgb, dtype=float))], atol=0.05)


def test_the_json_that_the_command_line_prints_has_rounded_numbers():
    swatches = [
        {"hex": code, "lab": lab.round(3).tolist(), "share": round(float(share), 4)}
        for code, lab, share in zip(UNEVEN.hex, UNEVEN.lab, UNEVEN.weights, strict=True)
    ]
    lab, weights = decode_colors(json.dumps({"colors": swatches}, indent=2).encode(), form="json", name="x")
    np.testing.assert_allclose(lab, UNEVEN.lab, atol=6e-4)
    np.testing.assert_allclose(weights, UNEVEN.weights, atol=6e-5)


HEAD = "GIMP Palette\nName: m\n1 2 3\n"
JSON_HEAD = '{\n"name": "x",\n"colors": [\n"red",\n'


@pytest.mark.parametrize(
    ("form", "text", "message"),
    [
        ("gpl", HEAD + "#\n\n\n12 999 4\n", "line 7: expected three numbers 0 to 255, found '12 999 4'"),
        ("gpl", HEAD + "12 -1 4 x", "line 4: expected three numbers 0 to 255, found '12 -1 4 x'"),
        ("gpl", HEAD + "1 2\r\n", "line 4: expected three numbers 0 to 255, found '1 2'"),
        ("gpl", HEAD + "Late: 1", "line 4: expected three numbers 0 to 255, found 'Late: 1'"),
        ("gpl", HEAD + "9" * 5000 + " 1 1", f"line 4: expected three numbers 0 to 255, found '{'9' * 37}...'"),
        ("gpl", "GIMP Palette\nChannels: RGBA\n1 2 3 x", "line 3: expected four numbers 0 to 255, found '1 2 3 x'"),
        ("gpl", "1 2 3\n", "line 1: expected 'GIMP Palette', found '1 2 3'"),
        ("gpl", "GIMP Palette\n", "no colours in it"),
        ("hex", "ff0000\n\nff000\n", "line 3: expected a colour like f4a300, found 'ff000'"),
        ("hex", "ff0000\nred\0\n", "line 2: expected a colour like f4a300, found 'red\\x00'"),
        ("txt", "FF112233\n#note\nFF11223\n", "line 3: expected a colour or AARRGGBB, found 'FF11223'"),
        ("txt", "red\n#12345\n", "line 2: expected a colour or AARRGGBB, found '#12345'"),
        ("txt", "red\n#f4a300 amber\n", "line 2: expected a colour or AARRGGBB, found '#f4a300 amber'"),
        ("txt", "#f00, #0f0\nred", "line 1: expected a colour or AARRGGBB, found '#f00, #0f0'"),
        ("txt", "; nothing\n", "no colours in it"),
        ("json", "{\n\"colors\": [\n'red'", "line 3: no valid JSON: Expecting value, column 1"),
        ("json", "[]\n[]", "line 2: more text after the end of the JSON value"),
        ("json", "\n3", 'line 2: expected a list of colours, or {"colors": [...]}'),
        ("json", '{"a": ["red"], "b": ["teal"]}', 'line 1: expected a list of colours, or {"colors": [...]}'),
        ("json", '\n["\udcff"]', "line 2: not UTF-8 text"),
        ("json", "[" * 100_000, "no palette, its values are nested too deep"),
    ],
)  # fmt: skip
def test_broken_text_is_told_with_its_line(form, text, message):
    with pytest.raises(PaletteError) as error:
        decode_colors(text.encode(errors="surrogateescape"), form=form, name="moss.x")
    separator = ", " if message.startswith("line") else ": "
    assert str(error.value) == f"moss.x{separator}{message}"


WANTED = 'expected a colour like "#f4a300" or [244, 163, 0], found'


@pytest.mark.parametrize(
    ("tail", "message"),
    [
        ('"rde"', f"line 5: {WANTED} 'rde'"),
        ("[1,2,256]", f"line 5: {WANTED} '[1, 2, 256]'"),
        ("[true,2,1]", f"line 5: {WANTED} '[true, 2, 1]'"),
        ("null", f"line 5: {WANTED} 'null'"),
        ('{"hex": 3}', f"line 5: {WANTED} '3'"),
        ('{\n"lab":\n[NaN, 0, 0]}', "line 7: `lab` must be three numbers, L in 0..100, found '[NaN, 0, 0]'"),
        ('{"lab": [1, 0, 1e999]}', "line 5: `lab` must be three numbers, L in 0..100, found '[1, 0, Infinity]'"),
        ('{"lab": [101, 0, 0]}', "line 5: `lab` must be three numbers, L in 0..100, found '[101, 0, 0]'"),
        ('{"hex": "red",\n"share": -1}', "line 6: `share` must be a number that is not negative, found '-1'"),
        ('{"hex": "red", "share": 1}', "line 4: no `share` here, and other colours have one: give all or none"),
        (
            '{"hex": "red", "share": 1e13}',
            "line 5: `share` must be a number that is not negative, found '10000000000000.0'",
        ),
        (f"[1{'0' * 5000}, 2, 3]", f"line 5: {WANTED} '[Infinity, 2, 3]'"),
        ('{"name": 3}', "line 5: expected a colour with `hex` or `lab`, found '{\"name\": 3}'"),
        ('{"hex": "#f00", "lab": [50, 0, 0]}', "line 5: `hex` and `lab` are different colours: remove one of them"),
    ],
)
def test_a_broken_colour_in_json_is_told_with_its_line(tail, message):
    with pytest.raises(PaletteError) as error:
        decode_colors(f"{JSON_HEAD}{tail}]}}".encode(), form="json", name="moss.json")
    assert str(error.value) == f"moss.json, {message}"


@pytest.mark.parametrize(("away", "fits"), [(1.9, True), (2.1, False)])
def test_hex_and_lab_may_be_2_apart(away, fits):
    grey = rgb_to_lab(np.full(3, 128 / 255))
    data = json.dumps([{"hex": "#808080", "lab": [float(grey[0]) + away, 0, 0]}]).encode()
    if fits:
        assert decode_colors(data, form="json", name="x")[0][0, 0] == pytest.approx(grey[0] + away)
    else:
        with pytest.raises(PaletteError, match="are different colours"):
            decode_colors(data, form="json", name="x")


def test_shares_that_are_all_zero_are_refused():
    with pytest.raises(PaletteError, match="^x, line 1: all shares are 0$"):
        decode_colors(b'[{"hex": "red", "share": 0}]', form="json", name="x")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"ASEG" + bytes(20), "byte 0: expected the 12 bytes that begin an Adobe Swatch Exchange file (ASEF)"),
        (ase(GROUP, GROUP_END)[:-1], "byte 24: the file ends after 1 of 2 blocks"),
        (ase(b"\0\1\xff\xff\xff\xff"), "byte 12: a block of 4294967295 bytes goes beyond the end of the file"),
        (ase(GROUP, ase_color(b"HSB ", 1, 1, 1)), "byte 24: expected a colour in RGB, CMYK, LAB or Gray, found 'HSB'"),
        (ase(ase_color(b"CMYK", 1, 1, 1)), "byte 12: the block is too short for a colour in CMYK"),
        (ase(ase_color(b"RGB ", 1, 1.5, 0)), "byte 12: values of RGB out of range: 1 1.5 0"),
        (ase(ase_color(b"RGB ", 1, float("nan"), 0)), "byte 12: values of RGB out of range: 1 nan 0"),
        (ase(ase_color(b"LAB ", 50, 1, 0)), "byte 12: values of LAB out of range: 50 1 0"),
        (ase(ase_color(b"LAB ", 1, 1e6, 0)), "byte 12: values of LAB out of range: 1 1e+06 0"),
        (ase(b"\0\1\0\0\0\0"), "byte 12: expected a colour in RGB, CMYK, LAB or Gray, found ''"),
    ],
)
def test_broken_ase_is_told_with_its_byte(data, message):
    with pytest.raises(PaletteError) as error:
        decode_colors(data, form="ase", name="moss.ase")
    assert str(error.value) == f"moss.ase, {message}"


@pytest.mark.parametrize("form", FORMS)
def test_too_large_and_empty(form):
    with pytest.raises(PaletteError, match="x is too large for a palette: more than 1 MB"):
        decode_colors(b" " * 1_000_001, form=form, name="x")
    with pytest.raises(PaletteError, match="^x"):
        decode_colors(b"", form=form, name="x")


def test_hex_and_lab_agree_far_outside_srgb():
    generator = np.random.default_rng(0)
    for _ in range(40):
        palette = Palette(np.column_stack([generator.uniform(0, 100, 8), generator.uniform(-130, 130, (8, 2))]))
        lab, _ = decode_colors(encode_palette(palette, form="json", name="x"), form="json", name="x")
        np.testing.assert_array_equal(lab, palette.lab)


def test_unknown_forms_are_refused():
    for call in (lambda: encode_palette(STUDY, form="aco", name="x"), lambda: decode_colors(b"", form="aco", name="x")):
        with pytest.raises(ArgumentError, match="`form` must be one of gpl, ase, json, hex, txt. Received: 'aco'"):
            call()


@pytest.mark.parametrize("form", FORMS)
def test_cut_and_changed_bytes_give_colours_or_one_line(form):
    samples = [encode_palette(UNEVEN, form=form, name="fuzz")]
    samples += {"gpl": [GIMP, ASEPRITE], "hex": [LOSPEC], "txt": [PAINT_NET, PEOPLE], "json": [b'["red", [1, 2, 3]]'],
                "ase": [ase(ase_color(b"LAB ", 0.5, 10, -10), ase_color(b"CMYK", 0, 1, 0, 0))]}[form]  # fmt: skip
    generator = np.random.default_rng(1)
    refused = []
    for number in range(600):
        data = bytearray(samples[number % len(samples)])
        for place in generator.integers(0, len(data), generator.integers(1, 4)):
            data[place] = generator.choice([0, 10, 34, 44, 91, 93, 127, 255, generator.integers(0, 256)])
        data = data[: generator.integers(1, len(data) + 1)] if number % 3 == 0 else data
        try:
            lab, weights = decode_colors(bytes(data), form=form, name="fuzz.x")
            assert np.isfinite(lab).all()
            assert lab.shape[1] == 3
            Palette(lab[:8], None if weights is None else weights[:8] + 1e-9)
        except PaletteError as error:
            refused.append(str(error))
    assert [text for text in refused if not (text.startswith("fuzz.x") and text.isprintable())] == []
    assert 100 < len(refused) < 600


@pytest.mark.parametrize(
    ("form", "data"),
    [
        ("hex", b"f4a300ff\n#008080FF\n#000f\n"),
        ("txt", b"#f4a300ff\n#008080FF,\n#000f\n"),
        ("txt", b"FFF4A300\nFF008080\nFF000000\n"),
        ("json", b'["#f4a300ff", {"hex": "#008080FF"}, "#000f"]'),
        ("gpl", b"GIMP Palette\n#ffffff80\n244 163 0\t#f4a30080\n0 128 128\n#112233ff\n0 0 0\n"),
    ],
)
def test_opaque_alpha_is_read_in_every_form(form, data):
    assert hexes(data, form) == ["#f4a300", "#008080", "#000000"]


@pytest.mark.parametrize(
    ("form", "data", "line"),
    [
        ("hex", b"ff0000\nf4a30080\n", 2),
        ("txt", b"red\n#f4a30080\n", 2),
        ("json", b'["red",\n"#f4a30080"]', 2),
        ("json", b'["red",\n{"hex":\n"#f4a30080"}]', 3),
    ],
)
def test_a_colour_that_is_not_opaque_is_refused_with_its_line(form, data, line):
    with pytest.raises(PaletteError) as error:
        decode_colors(data, form=form, name="x")
    assert str(error.value) == (f"x, line {line}: '#f4a30080' has transparency, which is not supported: give #f4a300")


def test_half_levels_of_ase_are_shown_rounded_up():
    halves = np.arange(0, 255, 5) + 0.5
    data = ase(*(ase_color(b"RGB ", value / 255, 0.5, 0.0) for value in halves), ase_color(b"Gray", 0.5))
    assert hexes(data, "ase") == [*(f"#{int(value + 0.5):02x}8000" for value in halves), "#808080"]
