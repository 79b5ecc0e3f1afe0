"""The page itself, without a browser: every widget, and bad uploads."""

import importlib
import re
from contextlib import suppress

import numpy as np
import pytest

from kpalette.page.settings import Settings
from kpalette.palettes.extract import extract_palettes
from kpalette.palettes.presets import list_presets
from tests.conftest import ROOT, load
from tests.page.conftest import file_of

SCRIPT = str(ROOT / "streamlit_app.py")
TARGET = ("#101840", "#a03878", "#e07060", "#f8b878")
LINK = {
    "picture": "astronaut", "palette": "101840-a03878-e07060-f8b878", "lightness": "0.5", "methods": "soft-baseline",
    "look": "baseline",
}  # fmt: skip


@pytest.fixture
def whole_page(no_networks, monkeypatch):
    """Opens the page by a link, in a session of its own."""
    streamlit, testing = load("streamlit"), load("streamlit.testing.v1")
    with suppress(ImportError):
        # Each AppTest searches all installed packages for components, which the page has none of.
        scanner = importlib.import_module("streamlit.components.v2.manifest_scanner")
        monkeypatch.setattr(scanner, "scan_component_manifests", list, raising=False)
    streamlit.cache_data.clear()
    streamlit.cache_resource.clear()

    def open_page(**query: str):
        at = testing.AppTest.from_file(SCRIPT, default_timeout=120)
        for name, value in query.items():
            at.query_params[name] = value
        return at.run()

    yield open_page
    streamlit.cache_data.clear()
    streamlit.cache_resource.clear()


@pytest.fixture(scope="session")
def own_colors() -> dict:
    """The colours of pictures that were opened, over all tests; the page's own caches are cleared after each."""
    return {}


@pytest.fixture
def page(whole_page, own_colors, monkeypatch):
    """The same with results of 96 pixels, not 1024: for tests of what a visitor can do."""
    from kpalette.page import pictures

    def remembered(picture, **options):
        key = (np.asarray(picture).shape, np.asarray(picture).tobytes(), *sorted(options.items()))
        if key not in own_colors:
            own_colors[key] = extract_palettes(picture, **options)
        return own_colors[key]

    monkeypatch.setattr(pictures, "extract_palettes", remembered)
    monkeypatch.setattr(pictures, "SCREEN", 96)
    return whole_page


def text_of(at) -> str:
    """All texts of the page, which must have no exception."""
    assert not at.exception
    kinds = ("error", "warning", "info", "markdown", "caption", "subheader", "code", "html")
    return "\n".join(
        str(element.value if kind != "html" else element.proto.body) for kind in kinds for element in at.get(kind)
    )


def query_of(at) -> dict[str, str]:
    return {name: value[0] if isinstance(value, list) else value for name, value in at.query_params.items()}


def images(at) -> list[str]:
    return [picture.alt for element in at.get("image") for picture in element.proto.imgs]


def pick(at, place: int, color: str):
    return at.color_picker(key=f"pick{place}v{at.session_state.version}").set_value(color).run()


def upload_box(at, key: str = "upload"):
    return next(box for box in at.file_uploader if box.key.startswith(key))


def upload(at, name: str, data: bytes, *, key: str = "upload"):
    upload_box(at, key).set_value((name, data, "image/png"))
    return at.run()


def test_the_page_is_never_empty(whole_page):
    at = whole_page()
    text = text_of(at)
    assert "coffee\\.png, 600 by 400 pixels" in text
    assert [m.label for m in at.metric] == ["Structure kept", "Palette distance", "Seconds"] * 2
    assert text.count("Not available on this server") == 2
    assert text.count("The trained network (its weights) is not installed here.") == 2
    assert "kpalette.train" not in text
    assert at.session_state.targets == Settings.target
    assert not at.error
    assert not at.warning
    assert "kpalette recolor coffee.png" in at.code[0].value
    assert len(at.get("download_button")) == 4


def test_every_input_has_a_label(page):
    at = page()
    kinds = ("button", "slider", "color_picker", "checkbox", "selectbox", "file_uploader", "button_group")
    found = [element for kind in kinds for element in at.get(kind)]
    assert len(found) > 20
    assert all(element.label for element in found)
    assert len(images(at)) == 3
    assert all(images(at))


def test_four_results_with_both_networks(page, both_networks):
    at = page()
    text = text_of(at)
    assert "Not available" not in text
    assert len(at.metric) == 12
    assert len(at.get("download_button")) == 5, "a network has no .cube"
    assert "--model palettenet" in at.code[0].value
    at.button_group(key="shown").set_value("soft").run()
    assert len(at.get("download_button")) == 6


def test_links_restore_the_whole_result(page):
    at = page(**LINK)
    assert at.session_state.targets == TARGET
    assert at.slider(key="lightness").value == 0.5
    assert at.button_group(key="shown").value == "baseline"
    assert "astronaut" in text_of(at)
    assert "Not available" not in text_of(at)
    assert query_of(at) == LINK


def test_the_link_follows_what_is_chosen(page):
    at = page(**LINK)
    pick(at, 1, "#00ff00")
    at.slider(key="lightness").set_value(0.25).run()
    query = query_of(at)
    assert query["palette"] == "101840-00ff00-e07060-f8b878"
    assert query["lightness"] == "0.25"
    assert query_of(page(**query)) == query


def test_broken_links_open_the_page(page):
    at = page(picture="nothing", palette="<b>", lightness="7", methods="x", look="y", other="z")
    assert "Parts of this link could not be read" in at.warning[0].value
    assert at.session_state.targets == Settings.target


def test_links_to_uploads_ask_for_them(page, turned):
    at = page(**LINK | {"picture": "upload"})
    assert "upload it here" in at.info[0].value
    upload(at, "cat.jpg", turned)
    assert "cat\\.jpg, 96 by 128 pixels" in text_of(at)
    assert not at.info
    assert at.session_state.targets == TARGET


def test_bad_uploads_are_refused_and_the_page_still_works(page, bad_files):
    at = page(**LINK)
    for name, (data, words) in bad_files.items():
        upload(at, name, data)
        text = text_of(at)
        assert words in at.error[0].value.replace("\\", ""), name
        assert "A sample is shown meanwhile" in text
        assert len(at.metric) == 6


def test_uploads_and_samples_replace_each_other(page, turned, photo):
    at = page(**LINK)
    upload(at, "cat.jpg", turned)
    assert query_of(at)["picture"] == "upload"
    assert "kpalette recolor cat.jpg" in at.code[0].value
    press(at, "Cat")
    assert "chelsea\\.png" in text_of(at)
    upload(at, "me.png", file_of(photo))
    assert "me\\.png, 128 by 128" in text_of(at)


def test_an_upload_is_shown_until_there_is_another_picture(page, turned, photo, bad_files):
    at = page(**LINK)
    upload(at, "cat.jpg", turned)
    # The box is also empty for a moment when one upload replaces another.
    upload_box(at).set_value(None).run()
    text = text_of(at)
    assert "cat\\.jpg, 96 by 128 pixels" in text
    assert "This picture is shown until you upload another one" in text
    assert query_of(at)["picture"] == "upload"
    upload(at, "notes.png", bad_files["notes.png"][0])
    assert "Your earlier picture is shown meanwhile" in at.error[0].value
    assert "cat\\.jpg, 96 by 128 pixels" in text_of(at)
    upload(at, "me.png", file_of(photo))
    text = text_of(at)
    assert "me\\.png, 128 by 128" in text
    assert "shown until" not in text
    press(at, "Coffee")
    assert "coffee\\.png" in text_of(at)
    assert upload_box(at).value is None


def test_a_new_palette_does_not_read_the_picture_again(page, turned, monkeypatch):
    from kpalette.page import pictures

    calls = []
    genuine = pictures.decode_image
    monkeypatch.setattr(pictures, "decode_image", lambda data, **options: calls.append(1) or genuine(data, **options))
    at = page(**LINK)
    upload(at, "cat.jpg", turned)
    read = len(calls)
    pick(at, 0, "#00ffff")
    at.slider(key="count").set_value(6).run()
    text_of(at)
    assert len(calls) == read == 2


def test_colors_are_reassigned(page):
    at = page(**LINK)
    at.button(key="swap0").click().run()
    assert at.session_state.targets == (TARGET[1], TARGET[0], *TARGET[2:])
    press(at, "Match by lightness")
    assert at.session_state.targets == TARGET
    at.checkbox(key="lock2").check().run()
    press(at, "Shuffle")
    assert at.session_state.targets != TARGET
    assert at.session_state.targets[2] == TARGET[2]
    assert sorted(at.session_state.targets) == sorted(TARGET)
    press(at, "Match by likeness")
    assert at.session_state.targets[2] == TARGET[2]
    press(at, "Reset")
    assert at.session_state.targets == at.session_state.source
    assert not at.checkbox(key="lock2").value
    assert [m.value for m in at.metric if m.label == "Structure kept"] == ["1.000", "1.000"]


def press(at, label: str):
    next(button for button in at.button if button.label == label).click()
    at.run()
    text_of(at)


def test_two_to_eight_colors(page):
    at = page(**LINK)
    for count in (2, 8):
        at.slider(key="count").set_value(count).run()
        assert len(at.color_picker) == count + 1
        assert len(at.session_state.targets) == count
    assert len(at.metric) == 6


def test_a_smaller_number_of_colors_and_back(page):
    at = page(**LINK)
    for count in (2, 3, 4):
        at.slider(key="count").set_value(count).run()
        assert at.session_state.targets == TARGET[:count]
    at.slider(key="count").set_value(2).run()
    press(at, "Reset")
    at.slider(key="count").set_value(4).run()
    assert not set(TARGET) & set(at.session_state.targets)


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("last", ["swap2", "pick", "lock3", "shuffle"])
def test_clicks_at_one_time_keep_the_state_consistent(page, last, first):
    # While a network runs, clicks wait, and then arrive together: also those on colours that are gone by then.
    at = page(**LINK)
    if first:  # the slider before the other widget; AppTest itself goes from top to bottom
        state = at.session_state
        state.count, state.targets, state.source = 2, state.targets[:2], state.source[:2]
    if last == "swap2":
        at.button(key=last).click()
    elif last == "pick":
        at.color_picker(key=f"pick3v{at.session_state.version}").set_value("#00ff00")
    elif last == "lock3":
        at.checkbox(key=last).check()
    else:
        next(button for button in at.button if button.label == "Shuffle").click()
    at.run() if first else at.slider(key="count").set_value(2).run()
    text_of(at)
    assert not at.error
    state = at.session_state
    assert (len(state.targets), len(state.source), state.count) == (2, 2, 2)
    assert query_of(at)["palette"].count("-") == 1
    assert len(at.metric) == 6
    at.slider(key="count").set_value(8).run()
    text_of(at)
    assert len(at.session_state.targets) == 8


def test_a_lock_set_at_the_same_time_holds(page):
    at = page(**LINK)
    at.checkbox(key="lock1").check()
    at.selectbox(key="preset").set_value("nord")
    at.slider(key="lightness").set_value(0.15000000000000002)
    at.run()
    text_of(at)
    assert at.session_state.targets[1] == TARGET[1]
    assert at.session_state.targets[0] != TARGET[0]
    assert "--lightness 0.15 " in at.code[0].value


def test_lightness_suits_each_picture_until_it_is_set_by_hand(page):
    at = page()
    assert at.checkbox(key="auto").value
    assert query_of(at)["lightness"] == "auto"
    chosen = {line.rsplit("Light and dark: ", 1)[1] for line in text_of(at).splitlines() if "Light and dark: " in line}
    assert all(0 < float(number.rstrip(".")) <= 1 for number in chosen)
    assert re.search(r"--lightness (0\.\d+|1) ", at.code[0].value)
    at.slider(key="lightness").set_value(0.25).run()
    assert not at.checkbox(key="auto").value
    assert "Light and dark: 0.25." in text_of(at)
    assert "--lightness 0.25 " in at.code[0].value
    at.checkbox(key="auto").check().run()
    assert query_of(at)["lightness"] == "auto"
    assert page(**query_of(at)).checkbox(key="auto").value


def test_a_ready_made_palette_can_be_chosen_again(page):
    at = page(**LINK)
    at.selectbox(key="preset").set_value("nord").run()
    nord = at.session_state.targets
    for change in ("Reset", "Triad", "pick"):
        pick(at, 0, "#00ff00") if change == "pick" else press(at, change)
        assert at.selectbox(key="preset").value is None
        at.selectbox(key="preset").set_value("nord").run()
        assert at.session_state.targets == nord


def test_ready_made_palettes(page):
    at = page(**LINK)
    at.selectbox(key="preset").set_value("gameboy").run()
    assert sorted(at.session_state.targets) == sorted(list_presets()["gameboy"].hex)
    at.selectbox(key="preset").set_value("nord").run()
    assert set(at.session_state.targets) < set(list_presets()["nord"].hex)
    at.slider(key="count").set_value(8).run()
    assert sorted(at.session_state.targets) == sorted(list_presets()["nord"].hex)


def test_harmonies(page):
    at = page(**LINK)
    at.color_picker(key="base").set_value("#3366cc").run()
    for name in ("Complementary", "Triad", "Analogous", "One colour"):
        press(at, name)
        assert "#3366cc" in at.session_state.targets


def test_palettes_from_uploads(page, photo):
    at = page(**LINK)
    upload(at, "two.hex", b"ff0000\n0000ff\n", key="file")
    assert sorted(at.session_state.targets) == ["#0000ff", "#ff0000"]
    assert at.slider(key="count").value == 2
    at.slider(key="count").set_value(5).run()
    upload(at, "other.png", file_of(photo), key="like")
    assert len(set(at.session_state.targets)) == 5
    before = at.session_state.targets
    for key, name, words in [("file", "x.gpl", "x.gpl"), ("like", "x.png", "not a readable picture")]:
        upload(at, name, b"garbage \xff\x00", key=key)
        assert words in at.error[0].value.replace("\\", "")
        assert at.session_state.targets == before


def test_pictures_of_one_color(page):
    at = page(**LINK)
    upload(at, "one.png", file_of(np.full((30, 40, 3), 200, np.uint8)))
    assert len(at.color_picker) == 2  # for the colour, and for the start of a harmony
    assert "one\\.png" in text_of(at)
    assert "This picture has one colour: it becomes the first of your palette." in text_of(at)
    assert len(at.metric) == 6


def test_transparent_pictures(page, photo):
    image = np.dstack([photo, np.full(photo.shape[:2], 255, np.uint8)])
    image[:60, :, 3] = 0
    at = page(**LINK)
    upload(at, "cut.png", file_of(image))
    text_of(at)
    assert len(at.metric) == 6


def test_methods_and_views(page):
    at = page(**LINK)
    at.button_group(key="methods").set_value(["soft", "fitted", "baseline"]).run()
    assert len(at.metric) == 9
    at.button_group(key="methods").set_value([]).run()
    assert "Not available" in text_of(at)
    for view in ("Change of colour", "Structure", "Before and after"):
        text_of(at.button_group(key="view").set_value(view).run())
        assert any(alt.startswith("Map of the difference") for alt in images(at)) == (view != "Before and after")


def test_the_history_restores_results(page, turned):
    at = page(**LINK)
    assert "Earlier results" not in text_of(at)
    for color in ("#00ff00", "#0000ff"):
        pick(at, 0, color)
    assert "Earlier results" in text_of(at)
    text_of(at.button(key="back1").click().run())
    assert at.session_state.targets == TARGET
    upload(at, "cat.jpg", turned)
    pick(at, 0, "#123456")
    press(at, "Cat")
    at.button(key="back0").click().run()
    assert "cat\\.jpg" in text_of(at)
    assert at.session_state.targets[0] == "#123456"
    at.button_group(key="methods").set_value(["soft"]).run()
    for i in range(8):
        pick(at, 0, f"#0000{i * 16:02x}")
    assert len(at.session_state.history) == 8


def test_sessions_do_not_mix(page, turned):
    one, two = page(**LINK), page()
    upload(one, "cat.jpg", turned)
    pick(two, 0, "#00ff00")
    one.run()
    assert "cat\\.jpg" not in text_of(two)
    assert one.session_state.targets == TARGET
    assert two.session_state.targets[0] == "#00ff00"


def fail(*arguments, **options):
    raise RuntimeError("secret detail")


def test_defects_show_no_stack_trace(page, monkeypatch):
    from kpalette.page import results

    monkeypatch.setattr(results, "by_interest", fail)
    at = page(**LINK)
    assert "Something went wrong" in at.error[-1].value
    assert "secret detail" not in text_of(at)


def test_a_recolorer_that_fails_leaves_the_others(page, monkeypatch):
    from kpalette.page.proofs import Proofs

    genuine = Proofs.result

    def result(proofs, recipe, **options):
        return (fail if recipe.recolorer.name == "soft" else genuine)(proofs, recipe, **options)

    monkeypatch.setattr(Proofs, "result", result)
    at = page(**LINK)
    text = text_of(at)
    assert "Something went wrong with this recolorer" in text
    assert "secret detail" not in text
    assert not at.error
    assert len(at.metric) == 3


def test_back_and_forward_restore(page, monkeypatch):
    at = page(**LINK)
    for color in ("#00ff00", "#0000ff"):
        pick(at, 0, color)
    monkeypatch.setattr("kpalette.page.widgets.session._SETTLED", 0.0)
    at.query_params["palette"] = LINK["palette"]  # as a browser's Back does
    text_of(at.run())
    assert at.session_state.targets == TARGET
    assert query_of(at) == LINK
    pick(at, 1, "#00ff00")
    assert at.session_state.targets[1] == "#00ff00"


def test_a_click_before_the_address_arrives_is_not_lost(page):
    at = page(**LINK)
    pick(at, 0, "#00ff00")
    at.query_params["palette"] = LINK["palette"]  # still the old one in the browser
    pick(at, 1, "#0000ff")
    assert at.session_state.targets[:2] == ("#00ff00", "#0000ff")


def test_few_colors_then_many_then_another_picture(page):
    at = page(**LINK)
    logo = np.zeros((40, 40, 3), np.uint8)
    logo[:, 20:] = (250, 200, 20)
    upload(at, "logo.png", file_of(logo))
    at.slider(key="count").set_value(8).run()
    assert "This picture has 2 colours." in text_of(at)
    press(at, "Coffee")
    assert not at.error
    assert len(at.session_state.targets) == 8
    assert len(at.metric) == 6


def test_after_a_run_without_results_the_page_still_works(page):
    at = page(**LINK | {"methods": "palettenet", "look": "palettenet"})
    assert not at.metric
    at.slider(key="lightness").set_value(0.25).run()
    assert not at.error
    at.button_group(key="methods").set_value(["soft"]).run()
    text_of(at)
    assert len(at.metric) == 3
    assert query_of(at)["lightness"] == "0.25"


def test_after_a_failure_the_page_is_as_before(page, monkeypatch):
    from kpalette.page import pictures, results

    at = page(**LINK)
    for where, name in ((results, "by_interest"), (pictures, "sample_file")):
        with monkeypatch.context() as patch:
            patch.setattr(where, name, fail)
            patch.setattr("kpalette.page.widgets.picture.sample_file", fail) if name == "sample_file" else None
            assert "Something went wrong" in at.run().error[-1].value
        text_of(at.run())
        assert not at.error
        assert query_of(at) == LINK
        assert len(at.metric) == 6


def test_locked_colors_keep_their_places_and_no_color_is_lost(page):
    at = page(**LINK)
    shuffled = (TARGET[3], TARGET[0], TARGET[1], TARGET[2])
    for i, color in enumerate(shuffled):
        pick(at, i, color)
    at.checkbox(key="lock0").check().run()
    for rule in ("Match by lightness", "Match by likeness", "Shuffle"):
        press(at, rule)
        assert at.session_state.targets[0] == shuffled[0]
        assert sorted(at.session_state.targets) == sorted(TARGET), rule
    before = at.session_state.targets
    at.button(key="swap0").click().run()
    assert at.session_state.targets == (before[1], before[0], *before[2:])
    assert (at.checkbox(key="lock0").value, at.checkbox(key="lock1").value) == (False, True)


def test_an_assignment_is_kept_with_another_number_of_colors(page):
    at = page(**LINK)
    at.selectbox(key="preset").set_value("nord").run()
    at.button(key="swap0").click().run()
    four = at.session_state.targets
    at.slider(key="count").set_value(6).run()
    assert at.session_state.targets[:4] == four
    assert set(at.session_state.targets) <= set(list_presets()["nord"].hex)
    assert len(set(at.session_state.targets)) == 6
    at.slider(key="count").set_value(3).run()
    assert at.session_state.targets == four[:3]


def test_a_refused_upload_changes_nothing(page, turned, bad_files, monkeypatch):
    from kpalette.page.widgets import caches

    broken = bad_files["notes.png"][0]
    at = page(**LINK)
    upload(at, "cat.jpg", turned)
    press(at, "Cat")
    upload(at, "notes.png", broken)
    assert "A sample is shown meanwhile" in at.error[0].value
    assert "chelsea\\.png" in text_of(at)
    assert query_of(at)["picture"] == "chelsea"
    with monkeypatch.context() as patch:
        patch.setattr(caches, "digest_of", fail)  # a refused upload is not read again
        pick(at, 0, "#00ff00")
        assert "A sample is shown meanwhile" in at.error[0].value
    asked = page(**LINK | {"picture": "upload"})
    upload(asked, "notes.png", broken)
    assert "upload it here" in asked.info[0].value
    assert query_of(asked)["picture"] == "upload"
