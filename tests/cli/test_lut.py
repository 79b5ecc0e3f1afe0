import os

import numpy as np
import pytest

from kpalette import get_recolorer, read_image
from kpalette.images.picture import as_picture
from kpalette.recolorers.lut_files import encode_cube, hald_image
from kpalette.recolorers.recipe import make_recipe

COLORS = "orange,saddlebrown,purple,green"
NOTE = (
    "note: the table is by soft. `kpalette recolor` uses palettenet, a network, which cannot be a table. "
    "For the colours of this table: kpalette recolor -m soft --tone smooth\n"
)


def lattice_of(small, size, **options):
    picture = as_picture(small)
    plan = make_recipe(COLORS, **{"model": "soft", "tone": "smooth", **options}).plan(picture)
    recolorer = get_recolorer(options.get("model", "soft"))
    return recolorer.lattice(picture, plan, size=size)


def test_a_cube_beside_the_picture(kp, small):
    result = kp("lut", "a.png", "-p", COLORS)
    assert (result.code, result.out, result.err) == (0, b"", f"{NOTE}wrote a.cube\n")
    plan = make_recipe(COLORS, model="soft", tone="smooth").plan(as_picture(small))
    assert sorted(plan.target.hex) == ["#008000", "#800080", "#8b4513", "#ffa500"]
    title = f"kpalette soft {' '.join(plan.target.hex)}"
    assert open("a.cube", "rb").read() == encode_cube(lattice_of(small, 33), title=title)


def test_options_reach_the_table(kp, small):
    options = ["-m", "baseline", "--lightness", "0.4", "--match", "nearest", "--source", "black gray silver white"]
    result = kp("lut", "a.png", "-p", COLORS, *options, "--size", "17", "-o", "-")
    assert (result.code, result.err) == (0, "")  # no note, since -m is given
    expected = lattice_of(small, 17, model="baseline", lightness=0.4, match="nearest", source="black gray silver white")
    assert result.out.split(b"\n", 1)[1] == encode_cube(expected, title="").split(b"\n", 1)[1]


def test_a_hald_picture(kp, small):
    assert kp("lut", "-", "-p", COLORS, "-o", "h.png", stdin=open("a.png", "rb").read()).err == f"{NOTE}wrote h.png\n"
    np.testing.assert_array_equal(read_image("h.png").rgb, hald_image(lattice_of(small, 64)))


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["a.png", "-p", COLORS, "-o", "a.lut"], 1, "cannot tell the format of a.lut: use .cube, or .png"),
        (["a.png", "-p", COLORS, "--size", "5"], 1, "a .cube table has 17, 33, 65 nodes a side, not 5"),
        (["a.png", "-p", COLORS, "-o", "-", "--size", "5"], 2, "a .cube table has 17, 33 or 65 nodes a side, not 5"),
        (["a.png", "-p", COLORS, "-o", "a.png"], 1, "a.png exists already"),
        (["a.png", "-p", COLORS, "-o", "no/a.cube"], 1, "cannot write no/a.cube: No such file or directory"),
        (["none.png", "-p", COLORS], 1, "none.png does not exist"),
        (["a.png"], 2, "give the palette by either -p"),
    ],
)
def test_errors_are_one_line(kp, small, arguments, code, message):
    result = kp("lut", *arguments)
    assert (result.code, result.out) == (code, b"")
    assert message in result.err
    assert os.listdir(".") == ["a.png"]
