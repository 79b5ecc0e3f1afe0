"""What the page computes: previews, figures, files, tables, commands, maps."""

import io
import json
import shlex
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from kpalette import Palette, read_image, write_image
from kpalette.errors import ArgumentError, KPaletteError
from kpalette.images.encode import encode_image
from kpalette.images.picture import Picture
from kpalette.images.samples import SAMPLES
from kpalette.metrics.measure import measure
from kpalette.page import results
from kpalette.page.drawing import becomes_html, chart, plain, strip_html, swatch_html
from kpalette.page.pictures import open_picture, sample_file
from kpalette.page.proofs import Proofs
from kpalette.page.results import page_recipe
from kpalette.recolorers.recipe import make_recipe
from kpalette.recolorers.registry import list_recolorers
from tests.page.conftest import file_of

SOURCE = ("#2b1d14", "#7a4a2e", "#b08a5f", "#e8d8b8")
TARGET = ("#101840", "#a03878", "#e07060", "#f8b878")


@pytest.mark.parametrize("alpha", [False, True])
def test_previews_and_their_figures(photo, alpha):
    image = photo
    if alpha:
        image = np.dstack([photo, np.full(photo.shape[:2], 255, np.uint8)])
        image[:40, :, 3] = 0
    opened = open_picture(file_of(image), name="x.png")
    recipe = page_recipe("baseline", SOURCE, TARGET, 0.5)
    done = Proofs(opened.screen).result(recipe)
    recipe = make_recipe(
        Palette.from_hex(TARGET), model="baseline", source=Palette.from_hex(SOURCE), match="order", lightness=0.5
    )
    plan = recipe.plan(opened.screen)
    wanted = plan.apply(opened.screen).image
    assert np.array_equal(done.picture.rgb, wanted)
    figures = measure(opened.screen.rgb, wanted, Palette.from_hex(TARGET), alpha=opened.screen.alpha)
    assert (done.ssim, done.palette_de) == (figures["ssim"], figures["palette_de"])
    assert done.seconds > 0
    file = results.screen_file(done.picture)
    assert file.startswith(b"\x89PNG" if alpha else b"\xff\xd8")
    if alpha:
        shown = np.asarray(Image.open(io.BytesIO(file)))
        assert np.array_equal(shown, np.asarray(done.picture))
    assert results.thumbnail(done.picture).startswith(b"\xff\xd8")


def run(line: str, folder) -> None:
    program, *arguments = shlex.split(line)
    start = {"kpalette": [sys.executable, "-m", "kpalette"], "python": [sys.executable]}[program]
    subprocess.run([*start, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.mark.parametrize(
    ("name", "form"),
    [("my photo's.JPG", "JPEG"), ("-p.png", "PNG"), ("a.webp", "WEBP"), ("wrong.png", "JPEG"), ("deep.tif", "TIFF")],
)
def test_the_command_makes_the_file_of_the_download(tmp_path, photo, turned, name, form):
    data = turned if form == "JPEG" else file_of(photo, form)
    (tmp_path / name).write_bytes(data)
    recipe = page_recipe("baseline", SOURCE, TARGET, 0.35)
    run(results.command(recipe, name=name, image_format=form), tmp_path)
    made = tmp_path / results.result_name(name, "baseline", form)
    assert made.read_bytes() == results.whole_file(data, recipe, name=name)
    assert read_image(made).format == form
    if form == "JPEG":
        assert read_image(made).rgb.shape == (128, 96, 3)
        assert b"Maker" in read_image(made).metadata["exif"]


@pytest.mark.parametrize("target", [TARGET[:2], ("#c8c8c8", "#101840")])
def test_a_picture_of_one_colour_takes_the_first_of_the_palette(tmp_path, target):
    data = file_of(np.full((6, 8, 3), 200, np.uint8))
    (tmp_path / "flat.png").write_bytes(data)
    recipe = page_recipe("baseline", ("#c8c8c8",), target, 1.0)
    run(results.command(recipe, name="flat.png", image_format="PNG"), tmp_path)
    made = tmp_path / "flat.baseline.png"
    assert made.read_bytes() == results.whole_file(data, recipe, name="flat.png")
    first = [int(target[0][i : i + 2], 16) for i in (1, 3, 5)]
    assert np.abs(read_image(made).rgb.astype(int) - first).max() <= 1


def test_the_command_of_a_sample_saves_it_first(tmp_path):
    recipe = page_recipe("soft", SOURCE, TARGET, 0.0)
    lines = results.command(recipe, name="coffee.png", image_format="PNG", sample="coffee").splitlines()
    for line in lines:
        run(line, tmp_path)
    assert (tmp_path / "coffee.png").read_bytes() == sample_file("coffee")
    assert (tmp_path / "coffee.soft.png").read_bytes() == results.whole_file(
        sample_file("coffee"), recipe, name="coffee.png"
    )
    assert len(results.command(recipe, name="coffee.png", image_format="PNG").splitlines()) == 1


def test_networks_make_the_same_file_by_command(kp, tmp_path, turned, both_networks):
    recipe = page_recipe("palettenet", SOURCE, TARGET, 0.0)
    (tmp_path / "a.jpg").write_bytes(turned)
    assert kp(*shlex.split(results.command(recipe, name="a.jpg", image_format="JPEG"))[1:]).code == 0
    assert (tmp_path / "a.palettenet.jpg").read_bytes() == results.whole_file(turned, recipe, name="a.jpg")


def test_cube_files_are_those_of_the_command(kp, tmp_path, photo):
    write_image(tmp_path / "a.png", photo)
    data = (tmp_path / "a.png").read_bytes()
    colors, own = ",".join(TARGET), ",".join(SOURCE)
    for method in ("soft", "fitted", "baseline"):
        options = ["-p", colors, "--source", own, "--match", "order", "--lightness", "0.5", "-m", method]
        assert kp("lut", "a.png", *options, "-o", f"{method}.cube").code == 0
        made = results.cube_file(data, page_recipe(method, SOURCE, TARGET, 0.5), name="a.png")
        assert made == (tmp_path / f"{method}.cube").read_bytes()
    assert [name for name in list_recolorers() if results.has_cube(name)] == ["soft", "fitted", "baseline"]
    with pytest.raises(ArgumentError, match="must be of a recolorer that is a colour map. Received: palettenet"):
        results.cube_file(data, page_recipe("palettenet", SOURCE, TARGET, 0.5), name="a.png")


def test_recolorers_without_weights_come_last_with_a_reason(no_networks):
    assert "train them with" in results.why_missing("palettenet")
    assert results.why_missing("soft") is None
    assert results.by_interest(("palettenet", "ablated", "baseline", "soft")) == (
        "baseline",
        "soft",
        "palettenet",
        "ablated",
    )
    assert results.by_speed(("palettenet", "baseline", "soft")) == ("soft", "baseline", "palettenet")
    with pytest.raises(KPaletteError):
        Proofs(Picture(np.zeros((9, 9, 3), np.uint8))).result(page_recipe("palettenet", SOURCE, TARGET, 0.0))


def test_maps_of_the_difference(photo):
    other = photo.copy()
    other[:64] = 255 - other[:64]
    change = results.change_map(photo, other)
    assert change.shape == photo.shape
    assert change[64:].max() <= 5
    assert change[:64].mean() > 60


def test_every_recolorer_has_a_title_and_every_sample_a_file():
    assert sorted(results.by_interest(list_recolorers())) == sorted(list_recolorers())
    for name in SAMPLES:
        assert open_picture(sample_file(name), name=f"{name}.png").format == "PNG"


def test_drawings_are_escaped_and_have_texts_for_screen_readers(photo):
    html = swatch_html("#556b2e", share=0.25)
    assert 'aria-label="dark olive green, #556b2e, 25% of the picture"' in html
    assert "dark olive green" in strip_html(["#556b2e"])
    assert plain("a_b*[x](y) $1$ :red[z]") == r"a\_b\*\[x\]\(y\) \$1\$ \:red\[z\]"
    done = Proofs(Picture(photo)).result(page_recipe("soft", SOURCE, TARGET, 0.0))
    spec = json.loads(json.dumps(chart([done])))
    assert "Soft shift: structure" in spec["description"]
    assert spec["data"]["values"][0]["method"] == "Soft shift"
    # A legend: texts beside points would be black on dark pages, and overlap.
    assert spec["mark"]["type"] == "point"
    assert spec["encoding"]["color"]["legend"]["orient"] == "top"
    assert spec["encoding"]["shape"]["field"] == "method"
    low, high = spec["encoding"]["y"]["scale"]["domain"]
    assert low < done.ssim <= high == 1.0
    # Names of one line are as high as those of two.
    for text in (becomes_html("#556b2e"), becomes_html("red"), swatch_html("red")):
        assert "min-height:2.4em" in text
    assert "→ dark olive green" in becomes_html("#556b2e")


def test_photographs_keep_their_encoding_on_screen(photo):
    assert results.screen_file(Picture(photo)) == encode_image(photo, image_format="JPEG", strip=True)
