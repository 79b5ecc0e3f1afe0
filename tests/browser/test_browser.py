"""The page in a real browser, as a person uses it."""

import io
import os
import re
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image

from kpalette import read_image
from kpalette.page import results
from kpalette.page.pictures import open_picture
from kpalette.page.proofs import Proofs
from kpalette.page.results import page_recipe
from kpalette.recolorers.registry import missing_recolorers
from tests.browser.conftest import PICTURES, ROOT, serving, settle, settled, state_of
from tests.page.conftest import huge_png

LINK = "?picture=astronaut&palette=101840-a03878-e07060-f8b878&lightness=0.25&methods=soft-baseline&look=soft"
SCREENSHOTS = os.environ.get("KPALETTE_SCREENSHOTS")


@pytest.fixture(scope="module")
def photograph(tmp_path_factory, photo) -> Path:
    """A JPEG of a camera that was turned, 1600 pixels long; EXIF has its orientation."""
    path = tmp_path_factory.mktemp("photograph") / "my holiday.jpg"
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Maker"
    Image.fromarray(photo).resize((1600, 1200), Image.Resampling.LANCZOS).save(path, quality=90, exif=exif)
    return path


def upload(page, path: Path) -> None:
    page.locator('input[type="file"]').first.set_input_files(path)
    page.get_by_text(f"{path.name}, ").wait_for()
    settle(page)


def tiles(page):
    return page.locator('[class*="st-key-tile_"]')


def test_from_upload_to_download(visit, photograph, tmp_path):
    page = visit()
    upload(page, photograph)
    before = state_of(page)
    page.get_by_label("Ready-made palettes").click()
    page.keyboard.type("nord")
    page.get_by_role("option", name="nord").click()
    chosen = settled(page, before)
    assert tiles(page).count() == 4
    assert tiles(page).locator("img").count() == 4 - len(missing_recolorers())
    assert page.get_by_text("Not available on this server").count() == len(missing_recolorers())
    for image in page.locator("img").all():
        assert image.get_attribute("alt")
    with page.expect_download() as caught:
        page.locator(".st-key-download_baseline button").first.click()
    assert caught.value.suggested_filename == "my holiday.baseline.jpg"
    made = tmp_path / "made.jpg"
    caught.value.save_as(made)
    picture = read_image(made)
    assert picture.rgb.shape == (1600, 1200, 3)
    assert b"Maker" in picture.metadata["exif"]
    assert chosen["picture"] == "upload"
    data = photograph.read_bytes()
    source = tuple(code for code, _ in open_picture(data, name=photograph.name).own(4))
    recipe = page_recipe("baseline", source, tuple(f"#{code}" for code in chosen["palette"].split("-")), "auto")
    recipe = Proofs(open_picture(data, name=photograph.name).screen).result(recipe).recipe  # by the number it chose
    assert made.read_bytes() == results.whole_file(data, recipe, name=photograph.name)
    second = visit("?" + urlsplit(page.url).query)
    second.get_by_text("upload it here to see the result").wait_for()
    upload(second, photograph)
    assert state_of(second) == chosen


def test_the_slider_by_mouse_and_keys(visit):
    page = visit(LINK)
    slider = page.get_by_label("Slide between before and after")
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] / 2, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.8, middle, steps=5)
    page.mouse.up()
    assert abs(int(slider.input_value()) - 80) <= 2
    line = page.locator(".compare .line").bounding_box()
    assert abs(line["x"] + line["width"] / 2 - (box["x"] + box["width"] * 0.8)) < 0.03 * box["width"]
    slider.focus()
    before = int(slider.input_value())
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    assert int(slider.input_value()) == before - 3
    page.keyboard.press("Home")
    assert slider.get_attribute("aria-valuetext") == "0 % original"


def test_the_link_shows_the_same_in_another_session(visit):
    page = visit(LINK)
    before = state_of(page)
    page.locator(".st-key-swap0 button").first.click()
    assert settled(page, before)["palette"] == "a03878-101840-e07060-f8b878"
    other = visit("?" + urlsplit(page.url).query)
    shown = [tiles(p).nth(0).locator("img").screenshot() for p in (page, other)]
    first, second = (np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), int) for data in shown)
    assert np.abs(first - second).mean() < 1
    assert state_of(other) == state_of(page)


def test_back_and_forward(visit):
    page = visit(LINK)
    addresses = [page.url]
    for i in (0, 1):
        before = state_of(page)
        page.locator(f".st-key-swap{i} button").first.click()
        settled(page, before)
        addresses.append(page.url)
    for go, wanted in ((page.go_back, 1), (page.go_back, 0), (page.go_forward, 1), (page.go_forward, 2)):
        page.wait_for_timeout(1500)
        go()
        page.wait_for_timeout(1500)
        settle(page)
        assert page.url == addresses[wanted]
        asked = state_of(page)["palette"].replace("-", ",")
        page.get_by_text("The same by command line").click()
        page.get_by_text(asked).first.wait_for()
        page.get_by_text("The same by command line").click()


def test_the_command_can_be_copied(visit):
    page = visit(LINK)
    page.get_by_text("The same by command line").click()
    page.wait_for_timeout(1000)  # it slides open, and moves
    page.get_by_test_id("stCode").hover()
    page.get_by_label("Copy to clipboard").click()
    page.wait_for_function("navigator.clipboard.readText().then(text => text.includes('kpalette recolor'))")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.splitlines()[1].startswith("kpalette recolor astronaut.png --palette 101840,a03878,e07060,f8b878")


def test_bad_uploads_are_refused_in_plain_words(visit, tmp_path):
    page = visit(LINK)
    for name, data, words in [
        ("notes.png", b"Dear diary", "is not a readable picture"),
        ("huge.png", huge_png(10_000, 6_000), "over the limit of 50,000,000: make it smaller first"),
    ]:
        (tmp_path / name).write_bytes(data)
        page.locator('input[type="file"]').first.set_input_files(tmp_path / name)
        page.get_by_text(words).wait_for()
        settle(page)
        assert tiles(page).locator("img").count() == 2
        assert page.get_by_text("Traceback").count() == 0


def test_two_visitors_do_not_mix(visit, photograph):
    one, two = visit(LINK), visit(LINK.replace("astronaut", "chelsea").replace("101840", "00ff00"))
    upload(one, photograph)
    before = state_of(two)
    two.get_by_role("button", name="Shuffle").click()
    assert "00ff00" in settled(two, before)["palette"]
    assert two.get_by_text(photograph.name).count() == 0
    assert state_of(one)["palette"] == "101840-a03878-e07060-f8b878"


def test_one_upload_replaces_another_and_no_sample_is_shown(visit, photograph, tmp_path):
    page = visit(LINK)
    upload(page, photograph)
    page.evaluate(
        "window.seen = []; new MutationObserver(() => window.seen.push(document.body.innerText))"
        ".observe(document.body, { subtree: true, childList: true, characterData: true })"
    )
    other = tmp_path / "other.jpg"
    Image.open(photograph).convert("L").save(other)
    upload(page, other)
    seen = page.evaluate("window.seen")
    assert any("other.jpg, 1600 by 1200 pixels" in text for text in seen)
    assert not any("astronaut.png" in text or "coffee.png" in text for text in seen)


def test_a_failed_download_has_a_message(visit, tmp_path):
    script, log = tmp_path / "failing.py", tmp_path / "log.txt"
    script.write_text(
        f"import runpy, sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "from kpalette.page import results\n"
        "def fail(*a, **b): raise MemoryError('secret detail')\n"
        "results.whole_file = fail\n"
        f"runpy.run_path({str(ROOT / 'streamlit_app.py')!r}, run_name='__main__')\n"
    )
    with serving(script, log) as url:
        page = visit(LINK, at=url)
        page.locator(".st-key-download_soft button").first.click()
        error = page.get_by_test_id("stDownloadButtonError")
        error.wait_for()
        words = error.evaluate("e => e.innerText + getComputedStyle(e, '::after').content")
        assert "Failed to generate file for download" in words
        assert "Try again, or try another recolorer or a smaller picture" in words
        assert "secret detail" not in page.content()
        page.context.close()


def test_a_phone_shows_everything_without_scrolling_sideways(visit):
    page = visit(LINK, width=390, height=844)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    wide = page.evaluate(
        "[...document.querySelectorAll('.stMain *')].filter(e => e.getBoundingClientRect().right > 391 "
        "&& e.checkVisibility() && !e.closest('[role=tablist], [data-testid=stButtonGroup], pre')).length"
    )
    assert wide == 0


def test_every_input_has_a_name_of_its_own(visit):
    page = visit(LINK)
    for where, role, count in [
        (".stMain", "checkbox", 4 + 1), (".stMain", "slider", 3), (".stMain", "combobox", 1),
        (".st-key-pairs", "button", 4 + 3), ("[class*=st-key-download_]", "button", 4),
    ]:  # fmt: skip
        found = page.locator(where).get_by_role(role)
        names = {one.aria_snapshot().splitlines()[0] for one in found.all()}
        assert len(names) == found.count() == count, names
        assert all(re.match(rf"- '?{role} \"\w", name) for name in names), names


@pytest.mark.skipif(not SCREENSHOTS, reason="writes docs/pictures only when KPALETTE_SCREENSHOTS=1")
@pytest.mark.parametrize(
    ("name", "width", "height", "scheme"),
    [("light", 1440, 1080, "light"), ("dark", 1440, 1080, "dark"), ("phone", 390, 1500, "light")],
)
def test_screenshots(visit, name, width, height, scheme):
    page = visit(width=width, height=height, scheme=scheme)
    PICTURES.mkdir(exist_ok=True)
    shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    shot.save(PICTURES / f"page-{name}.webp", quality=90, method=6)
