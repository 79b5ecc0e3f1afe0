import io
import os

import numpy as np
import pytest
from PIL import Image

from kpalette import extract_palette, read_image, recolor, write_image
from kpalette.batch.manifest import MANIFEST_NAME
from kpalette.images.encode import encode_image
from kpalette.images.picture import Picture
from kpalette.images.samples import sample_image
from kpalette.recolorers.recipe import make_recipe
from tests.images.damage import damaged, good_files

COLORS = "orange,saddlebrown,purple,green"


def chosen(image: np.ndarray, name: str = "a.png", **options) -> str:
    """The note on the lightness that a picture gets."""
    lightness = make_recipe(COLORS, **options).plan(Picture(image)).lightness
    assert 0 < lightness < 1
    return f"kpalette: note: {name}: lightness {lightness:g}, chosen for this picture\n"


def test_one_picture_beside_its_source(kp, small):
    result = kp("recolor", "a.png", "-p", COLORS)
    assert (result.code, result.out, result.err) == (0, b"", f"{chosen(small)}wrote a.recolored.png\n")
    np.testing.assert_array_equal(read_image("a.recolored.png").rgb, recolor(small, COLORS))


def test_options_reach_the_recolorer(kp, small):
    options = ["--match", "nearest", "--lightness", "0.4", "--source", "black gray silver white", "-m", "baseline"]
    assert kp("recolor", "a.png", "-p", COLORS, *options, "-o", "b.png").code == 0
    expected = recolor(
        small, COLORS, match="nearest", lightness=0.4, source="black gray silver white", model="baseline"
    )
    np.testing.assert_array_equal(read_image("b.png").rgb, expected)


def test_a_note_says_that_only_part_of_the_palette_is_used(kp, small):
    result = kp("recolor", "a.png", "-p", COLORS, "--source", "black white")
    note = "note: --source has 2 colours: only 2 of the palette's 4 are used\n"
    assert result.err == f"{note}{chosen(small, source='black white')}wrote a.recolored.png\n"


def test_a_picture_that_does_not_change_is_named(kp):
    """Black lines on nothing have no hue; a picture in the theme has nothing to change."""
    lines = np.zeros((40, 40, 4), np.uint8)
    lines[::8, :, 3] = 255
    Image.fromarray(lines).save("lines.png")
    result = kp("recolor", "lines.png", "-p", COLORS, "--lightness", "0")
    why = "black, white and what has their lightness keep it; `--lightness 1` moves them"
    assert result.err == f"kpalette: note: lines.png: nothing changed: {why}\nwrote lines.recolored.png\n"
    np.testing.assert_array_equal(np.asarray(Image.open("lines.recolored.png"))[..., 3], lines[..., 3])
    assert "nothing changed" not in kp("recolor", "lines.png", "-p", COLORS, "--force").err
    sprite = np.zeros((8, 8, 3), np.uint8)
    sprite[:4] = (255, 165, 0)
    sprite[4:] = (128, 0, 128)
    write_image("sprite.png", sprite)
    result = kp("recolor", "sprite.png", "lines.png", "-p", COLORS, "--lightness", "0", "-o", "out")
    assert "kpalette: note: sprite.png: nothing changed: it is in colours of the palette already\n" in result.err
    assert f"kpalette: note: lines.png: nothing changed: {why}\n" in result.err


def test_like_takes_the_palette_of_another_picture(kp, small):
    write_image("like.png", sample_image("coffee")[::8, ::8])
    assert kp("recolor", "a.png", "--like", "like.png", "-k", "3", "-o", "b.png").code == 0
    target = extract_palette(sample_image("coffee")[::8, ::8], size=3, method="kmeans")
    np.testing.assert_array_equal(read_image("b.png").rgb, recolor(small, target))


def test_standard_input_to_standard_output_keeps_the_format(kp, small):
    for image_format in ("PNG", "JPEG"):
        data = encode_image(small, image_format=image_format)
        result = kp("recolor", "-", "-p", COLORS, stdin=data)
        assert (result.code, result.err) == (0, "")
        assert Image.open(io.BytesIO(result.out)).format == image_format
    assert kp("recolor", "-", "-p", COLORS, "-o", "b.webp", stdin=data).err == "wrote b.webp\n"
    assert kp("recolor", "a.png", "-p", COLORS, "-o", "-").out[:4] == b"\x89PNG"


def test_failures_of_many_pictures_are_listed_at_the_end(kp, small):
    with open("broken.png", "wb") as stream:
        stream.write(b"no picture")
    write_image("c.jpg", small)
    result = kp("recolor", "a.png", "broken.png", "none.png", "c.jpg", "-p", COLORS, "-o", "out")
    assert result.code == 1
    assert result.err.splitlines() == [
        "[1/4] out/a.recolored.png",
        "[2/4] broken.png: failed",
        "[3/4] none.png: failed",
        "[4/4] out/c.recolored.jpg",
        "kpalette: error: 2 of 4 pictures failed:",
        "  broken.png is not a readable picture: only AVIF, BMP, GIF, JPEG, PNG, TIFF, WEBP can be read",
        "  none.png does not exist",
    ]
    assert sorted(os.listdir("out")) == [MANIFEST_NAME, "a.recolored.png", "c.recolored.jpg"]


def test_folders_leave_earlier_results_and_other_files_alone(kp, small):
    os.mkdir("in")
    for name in ("in/x.png", "in/y.JPG", "in/x.recolored.png"):
        write_image(name, small)
    open("in/notes.txt", "w").close()
    assert kp("recolor", "in", "-p", COLORS, "-o", "new/deep").code == 0
    assert sorted(os.listdir("new/deep")) == [MANIFEST_NAME, "x.recolored.png", "y.recolored.JPG"]
    result = kp("recolor", "in", "-p", COLORS)
    assert result.code == 1
    assert (
        "1 of 2 pictures failed:\n  in/x.png: in/x.recolored.png exists already: use --force to replace it"
        in result.err
    )
    assert sorted(os.listdir("in")) == [
        MANIFEST_NAME,
        "notes.txt",
        "x.png",
        "x.recolored.png",
        "y.JPG",
        "y.recolored.JPG",
    ]


def test_an_empty_folder_and_a_repeated_picture_do_not_stop_the_others(kp, small):
    os.mkdir("empty")
    result = kp("recolor", "empty", "a.png", "a.png", "n" * 300 + ".png", "-p", COLORS, "-o", "out")
    assert result.code == 1
    assert "2 of 3 pictures failed:\n  empty holds no pictures" in result.err
    assert "File name too long" in result.err
    assert sorted(os.listdir("out")) == [MANIFEST_NAME, "a.recolored.png"]


def test_a_name_without_a_suffix_gets_the_one_of_its_format(kp, small):
    os.rename("a.png", "scan")
    assert kp("recolor", "scan", "-p", COLORS).err == f"{chosen(small, 'scan')}wrote scan.recolored.png\n"
    with open("photo.tif", "wb") as stream:
        stream.write(b"II*\0 no picture")
    assert (
        "photo.tif is a TIFF that is damaged, or not of 8 or 16 bits a channel"
        in kp("recolor", "photo.tif", "-p", COLORS).err
    )


def test_sheets_of_compare_are_not_read(kp, small):
    assert kp("compare", "a.png", "-p", COLORS).code == 0
    assert kp("recolor", ".", "-p", COLORS).code == 0
    assert sorted(os.listdir(".")) == ["a.compare.png", "a.png", "a.recolored.png"]


def test_an_existing_result_is_kept_unless_forced(kp, small):
    with open("a.recolored.png", "wb") as stream:
        stream.write(b"precious")
    result = kp("recolor", "a.png", "-p", COLORS)
    assert result.code == 1
    assert result.err == "kpalette: error: a.recolored.png exists already: use --force to replace it\n"
    assert open("a.recolored.png", "rb").read() == b"precious"
    assert kp("recolor", "a.png", "-p", COLORS, "--force").code == 0
    assert read_image("a.recolored.png").rgb.shape == small.shape


def test_a_picture_may_replace_itself(kp, small):
    assert kp("recolor", "a.png", "-p", COLORS, "-o", "a.png", "--force").code == 0
    np.testing.assert_array_equal(read_image("a.png").rgb, recolor(small, COLORS))
    assert sorted(os.listdir(".")) == ["a.png"]


def test_alpha_and_metadata_are_kept(kp, small):
    alpha = np.arange(64 * 64, dtype=np.uint8).reshape(64, 64)
    Image.fromarray(np.dstack([small, alpha])).save("t.png", dpi=(300, 300))
    assert kp("recolor", "t.png", "-p", COLORS).code == 0
    np.testing.assert_array_equal(read_image("t.recolored.png").alpha, alpha)
    assert round(Image.open("t.recolored.png").info["dpi"][0]) == 300
    result = kp("recolor", "t.png", "-p", COLORS, "-o", "t.jpg")
    assert result.code == 1
    assert "JPEG cannot hold the picture's transparency: write .png or .webp, or use --background white" in result.err
    assert not os.path.exists("t.jpg")


def test_a_picture_of_one_pixel(kp):
    write_image("dot.png", np.full((1, 1, 3), 100, np.uint8))
    assert kp("recolor", "dot.png", "-p", COLORS).code == 0
    assert read_image("dot.recolored.png").rgb.shape == (1, 1, 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a.png", "-p", "oragne, blue"], "unknown colour 'oragne': did you mean 'orange'?"),
        (["a.png", "-p", COLORS, "-k", "3"], "has 4 colours, 3 asked for"),
        (["a.png", "-p", "nrod"], "unknown colour or preset 'nrod': did you mean the preset 'nord'?"),
        (["a.png", "-p", "none.gpl"], "none.gpl does not exist"),
        (["a.png", "-p", "red"], "a palette has 2 to 8 colours, 1 given: 'red'"),
        (["a.png", "-p", ",".join(["red"] * 9)], "a palette has 2 to 8 colours, 9 given"),
        (["none.png", "-p", COLORS], "none.png does not exist"),
        (["empty", "-p", COLORS], "empty holds no pictures (.avif, .bmp, .gif, .jpeg, .jpg, .png, .tif, .tiff, .webp)"),
        (["zero.png", "-p", COLORS], "zero.png is empty (0 bytes)"),
        (["half.jpg", "-p", COLORS], "cannot read half.jpg, the file is damaged: "),
        (["clear.png", "-p", COLORS], "the picture is wholly transparent"),
        (["a.png", "-p", COLORS, "-o", "no/such.xyz"], "cannot tell the format of no/such.xyz"),
        (["a.png", "-p", COLORS, "-o", "a.png/b.png"], "cannot make the folder a.png"),
        (["a.png", "-p", COLORS, "-o", "/proc/b.png"], "cannot write /proc/b.png: "),
        (["a.png", "--like", "flat.png"], "flat.png has a single colour, #646464: a palette needs at least 2"),
        (["a.png", "-p", COLORS, "--source", "red green blue pink teal"], "the source palette has 5 colours"),
        (["a.png", "b.png", "-p", COLORS, "-o", "zero.png/x"], "2 of 2 pictures failed"),
    ],
)
def test_errors_are_one_line(kp, small, arguments, message):
    os.mkdir("empty")
    write_image("b.png", small)
    write_image("flat.png", np.full((4, 4, 3), 100, np.uint8))
    write_image("clear.png", np.zeros((4, 4, 4), np.uint8))
    with open("half.jpg", "wb") as stream:
        stream.write(encode_image(sample_image("coffee"), image_format="JPEG")[:20_000])
    open("zero.png", "w").close()
    before = sorted(os.listdir("."))
    result = kp("recolor", *arguments)
    assert result.code == 1
    assert result.out == b""
    lines = [line for line in result.err.splitlines() if line.startswith("kpalette: error: ")]
    assert len(lines) == 1
    assert message in lines[0]
    assert sorted(os.listdir(".")) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a.png"], "give the palette by either -p COLOURS or --like IMAGE"),
        (["a.png", "-p", COLORS, "--like", "a.png"], "by either -p COLOURS or --like IMAGE"),
        (["a.png", "-", "-p", COLORS], "standard input (`-`) must be the only INPUT"),
        (["a.png", "./a.png", "-p", COLORS, "-o", "x"], "a.png and ./a.png would both be written to x/a.recolored.png"),
        (["", "-p", COLORS], "an empty name: is a variable unset?"),
        (["a.png", "-p", COLORS, "-o", ""], "an empty name: is a variable unset?"),
        (["-", "-p", COLORS, "-o", "x/"], "standard input has no name: give -o a file name in x/"),
        (["a.png", "-p", COLORS, "--seed", "-1"], "-1 is not in the range x>=0"),
        (["a.png", "b.png", "-p", COLORS, "-o", "-"], "several INPUTs need a folder, -o DIR"),
        (
            ["a.png", "b.png", "-p", COLORS, "-o", "c.png"],
            "need a folder, -o DIR, and c.png is a file name",
        ),
        (["a.png", "-p", COLORS, "--lightness", "2"], "it must be a number in 0..1, or auto, not '2'"),
        (["a.png", "-p", COLORS, "-m", "magic"], "'magic' is not one of 'palettenet', 'ablated', 'soft'"),
        ([], "Missing argument 'INPUT...'"),
    ],
)
def test_wrong_usage_exits_2(kp, small, arguments, message):
    result = kp("recolor", *arguments)
    assert result.code == 2
    assert message in result.err.replace("\n", " ")
    assert os.listdir(".") == ["a.png"]


def test_pictures_are_neither_read_from_terminals_nor_written_to_them(kp, small):
    result = kp("recolor", "-", "-p", COLORS, terminal=True)
    assert result.code == 2
    assert "pipe a file into it" in result.err
    result = kp("recolor", "a.png", "-p", COLORS, "-o", "-", terminal=True)
    assert result.code == 2
    assert "standard output is a terminal" in result.err
    assert result.out == b""


def test_a_folder_of_damaged_files_leaves_only_whole_results(kp, photo):
    os.mkdir("in")
    for name, good in good_files(photo).items():
        for number, (_, data) in enumerate(damaged(name, good, flips=8)):
            if number % 11 == 0:
                with open(f"in/{number}-{name}", "wb") as stream:
                    stream.write(data)
    result = kp("recolor", "in", "-p", "orange teal", "-m", "soft", "-o", "out")
    assert result.code == 1
    assert "Traceback" not in result.err
    written = [name for name in os.listdir("out") if name != MANIFEST_NAME]
    assert len(written) > 5
    for name in written:
        assert read_image(f"out/{name}").rgb.size
    failures = result.err.split("pictures failed:\n")[1].splitlines()
    assert len(failures) + len(written) == len(os.listdir("in"))
    assert all(line.startswith("  ") for line in failures)
