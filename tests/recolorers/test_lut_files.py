import re
import subprocess

import numpy as np
import pytest
from PIL import Image
from scipy.interpolate import RegularGridInterpolator

from kpalette import get_recolorer, read_image, recolor, write_image
from kpalette.color.difference import delta_e
from kpalette.color.spaces import rgb_to_lab
from kpalette.errors import ArgumentError, OutputError
from kpalette.images.picture import as_picture, image_to_rgb
from kpalette.images.samples import sample_image
from kpalette.recolorers.lattice import Lattice
from kpalette.recolorers.lut_files import CUBE_SIZES, HALD_SIZES, check_lut, encode_cube, hald_image, write_lut
from kpalette.recolorers.recipe import make_recipe
from tests.conftest import program

COLORS = "orange saddlebrown purple green"


@pytest.fixture(scope="module")
def picture():
    return as_picture(sample_image("astronaut"))


def lattice_of(picture, size: int, model: str = "soft") -> Lattice:
    plan = make_recipe(COLORS, model=model, tone="smooth").plan(picture)
    recolorer = get_recolorer(model)
    return recolorer.lattice(picture, plan, size=size)


def read_cube(data: bytes) -> np.ndarray:
    """Reads a .cube file by the specification, with no code of the writer: (blue, green, red, 3)."""
    size, rows = 0, []
    for line in data.decode("ascii").splitlines():
        if line.startswith("LUT_3D_SIZE"):
            size = int(line.split()[1])
        elif line and (line[0].isdigit() or line[0] == "-"):
            rows.append([float(value) for value in line.split()])
    return np.array(rows).reshape(size, size, size, 3)


def difference(a: np.ndarray, b: np.ndarray) -> float:
    return float(delta_e(rgb_to_lab(image_to_rgb(a)), rgb_to_lab(image_to_rgb(b))).mean())


@pytest.mark.parametrize("size", CUBE_SIZES)
@pytest.mark.parametrize("model", ["soft", "fitted", "baseline"])
def test_a_cube_read_by_another_program_does_what_recolor_does(picture, size, model):
    """Interpolated by SciPy from the text of the file."""
    table = read_cube(encode_cube(lattice_of(picture, size, model), title="look"))
    axes = [np.linspace(0, 1, size)] * 3
    mapped = RegularGridInterpolator(axes, table)(image_to_rgb(picture.rgb[::3, ::3])[..., ::-1])
    ours = recolor(picture, COLORS, model=model, tone="smooth").rgb[::3, ::3]
    assert difference(np.rint(mapped * 255).astype(np.uint8), ours) <= {17: 1.0, 33: 0.5, 65: 0.1}[size]


def test_the_order_of_a_cube_is_red_first():
    identity = read_cube(encode_cube(Lattice.bake(lambda lab: lab, size=17), title="t"))
    np.testing.assert_allclose(identity[0, 0, 16], [1, 0, 0], atol=1e-3)
    np.testing.assert_allclose(identity[8, 4, 0], [0, 0.25, 0.5], atol=1e-3)


def test_a_title_is_one_plain_line():
    data = encode_cube(Lattice.bake(lambda lab: lab, size=2), title='a "b"\nLUT_3D_SIZE 9 é')
    assert data.startswith(b'TITLE "a _b__LUT_3D_SIZE 9 _"\nLUT_3D_SIZE 2\n0.000000 0.000000 0.000000\n')


def test_all_lines_after_the_size_are_nodes():
    """ImageMagick 7 takes any other line there for a node, and shifts all that follow."""
    lines = encode_cube(Lattice.bake(lambda lab: lab, size=17), title="look").decode().splitlines()
    size = lines.index("LUT_3D_SIZE 17")
    assert lines[:size] == ['TITLE "look"']
    assert len(lines[size + 1 :]) == 17**3
    assert all(re.fullmatch(r"[01]\.\d{6} [01]\.\d{6} [01]\.\d{6}", line) for line in lines[size + 1 :])


@pytest.mark.parametrize("model", ["soft", "fitted", "baseline"])
def test_ffmpeg_agrees(tmp_path, picture, model):
    write_image(tmp_path / "in.png", picture)
    write_lut(tmp_path / "look.cube", lattice_of(picture, 33, model), title="look")
    filters = "format=gbrp,lut3d=look.cube:interp=trilinear"
    command = [program("ffmpeg"), "-loglevel", "error", "-i", "in.png", "-vf", filters, "-pix_fmt", "rgb24", "out.png"]
    subprocess.run(command, cwd=tmp_path, check=True)
    ours = recolor(picture, COLORS, model=model, tone="smooth").rgb
    assert difference(read_image(tmp_path / "out.png").rgb, ours) <= 0.5


@pytest.mark.parametrize("model", ["soft", "fitted", "baseline"])
def test_imagemagick_agrees_on_a_hald_picture(tmp_path, picture, model):
    write_image(tmp_path / "in.png", picture)
    write_lut(tmp_path / "hald.png", lattice_of(picture, 64, model), title="")
    subprocess.run([program("imagemagick"), "in.png", "hald.png", "-hald-clut", "out.png"], cwd=tmp_path, check=True)
    ours = recolor(picture, COLORS, model=model, tone="smooth").rgb
    assert difference(read_image(tmp_path / "out.png").rgb, ours) <= 0.5


@pytest.mark.parametrize("size", HALD_SIZES)
def test_hald_pictures_hold_the_colours_of_the_identity_in_order(size):
    image = hald_image(Lattice.bake(lambda lab: lab, size=size))
    level = round(size**0.5)
    assert image.shape == (level**3, level**3, 3)
    flat = image.reshape(-1, 3)
    np.testing.assert_array_equal(flat[0], [0, 0, 0])
    np.testing.assert_array_equal(flat[size - 1], [255, 0, 0])
    np.testing.assert_array_equal(flat[size * (size - 1)], [0, 255, 0])
    np.testing.assert_array_equal(flat[size * size * (size - 1)], [0, 0, 255])


def test_what_a_format_cannot_hold(tmp_path):
    with pytest.raises(ArgumentError, match="must have a square number of nodes a side. Received: 17"):
        hald_image(Lattice.bake(lambda lab: lab, size=17))
    for name, size, message in (
        ("a.3dl", None, "cannot tell the format of .*a.3dl: use .cube, or .png for a Hald picture"),
        ("a.cube", 20, "a .cube table has 17, 33, 65 nodes a side, not 20"),
        ("a.png", 33, "a .png table has 16, 25, 36, 49, 64 nodes a side, not 33"),
    ):
        with pytest.raises(OutputError, match=message):
            check_lut(tmp_path / name, size=size, overwrite=False)
    assert check_lut(tmp_path / "a.CUBE", size=None, overwrite=False) == 33
    Image.new("RGB", (2, 2)).save(tmp_path / "a.png")
    with pytest.raises(OutputError, match="a.png exists already"):
        write_lut(tmp_path / "a.png", Lattice.bake(lambda lab: lab, size=16), title="")
