import itertools
import json
import logging
import re
from importlib.resources import files

import numpy as np
import pytest
from PIL import ImageColor

from kpalette.color.difference import delta_e_2000
from kpalette.color.names import parse_color
from kpalette.color.spaces import rgb_to_lab
from kpalette.errors import ArgumentError, OutputError, PaletteError
from kpalette.palettes.files import PALETTE_SUFFIXES, load_palette, save_palette
from kpalette.palettes.palette import Palette
from kpalette.palettes.presets import find_palette, list_presets, preset_about, user_folder

STUDY = Palette.parse("F4A300,8B4513,800080,008000")
COMMUNITY = {"nord", "dracula", "solarized", "gruvbox", "catppuccin", "gameboy", "pico-8", "sweetie-16"}


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """The user's own folder, empty; nothing of who runs the tests is seen."""
    monkeypatch.setenv("KPALETTE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "home" / "palettes"
    folder.mkdir(parents=True)
    return folder


def groups() -> list[list[tuple[int, int, int]]]:
    """Four groups of eight colours, each around a swatch that is the middle of its group."""
    offsets = [(0, 0, 0), (9, 0, 0), (-9, 0, 0), (0, 9, 0), (0, -9, 0), (0, 0, 9), (0, 0, -9), (6, 6, 6)]
    middles = [(40, 40, 60), (200, 60, 50), (60, 160, 90), (230, 220, 190)]
    return [[tuple(m + o for m, o in zip(mid, off, strict=True)) for off in offsets] for mid in middles]


def gpl(colors) -> str:
    return "GIMP Palette\n" + "".join(f"{r} {g} {b}\tx\n" for r, g, b in colors)


@pytest.mark.parametrize("suffix", [*PALETTE_SUFFIXES, ".GPL", ".Json"])
def test_a_saved_palette_loads_again(tmp_path, suffix):
    path = tmp_path / f"my moss{suffix}"
    save_palette(path, STUDY)
    assert load_palette(path).hex == STUDY.hex
    if suffix != ".hex":
        assert (b"m\0y\0 \0m\0o\0s\0s" if suffix == ".ase" else b"my moss") in path.read_bytes()
    with pytest.raises(OutputError, match="exists already"):
        save_palette(path, STUDY)
    save_palette(path, Palette.parse("red blue"), name="Two", overwrite=True)
    assert find_palette(str(path)).hex == ("#ff0000", "#0000ff")


def test_json_restores_lab_and_weights(tmp_path):
    palette = Palette([[10, 200.0, 0], [60.123456789, -3, 4]], [0.123456789, 0.876543211])
    save_palette(tmp_path / "a.json", palette)
    loaded = load_palette(tmp_path / "a.json")
    np.testing.assert_allclose(loaded.lab, palette.lab, rtol=0, atol=1e-9)
    np.testing.assert_allclose(loaded.weights, palette.weights, rtol=0, atol=1e-9)


def test_32_colours_need_a_size_and_give_the_middles_of_their_groups(tmp_path):
    path = tmp_path / "many.gpl"
    path.write_text(gpl(itertools.chain(*zip(*groups(), strict=True))))  # one of each group in turn
    with pytest.raises(PaletteError) as error:
        load_palette(path)
    assert str(error.value) == (
        f"{path} has 32 colours: a palette has 2 to 8, size=N takes the N that represent it best"
    )
    middles = tuple("#{:02x}{:02x}{:02x}".format(*group[0]) for group in groups())
    assert load_palette(path, size=4).hex == middles
    assert find_palette(str(path), size=4) == load_palette(path, size=4)


def test_chosen_colours_keep_the_order_of_the_file(tmp_path):
    path = tmp_path / "many.gpl"
    path.write_text(gpl(itertools.chain(*reversed(groups()))))
    assert load_palette(path, size=4).hex == tuple("#{:02x}{:02x}{:02x}".format(*g[0]) for g in reversed(groups()))


@pytest.mark.parametrize("size", [2, 3, 5])
def test_no_exchange_of_a_colour_betters_the_choice_and_none_is_much_better(tmp_path, size):
    generator = np.random.default_rng(size)
    for _ in range(20):
        colors = generator.integers(0, 256, (12, 3))
        (tmp_path / "r.gpl").write_text(gpl(colors))
        points = rgb_to_lab(colors / 255)
        distance = np.linalg.norm(points[:, None] - points[None], axis=-1)
        costs = {frozenset(c): distance[:, c].min(axis=1).sum() for c in itertools.combinations(range(12), size)}
        codes = ["#{:02x}{:02x}{:02x}".format(*color) for color in colors]
        chosen = frozenset(map(codes.index, load_palette(tmp_path / "r.gpl", size=size).hex))
        assert costs[chosen] <= 1.15 * min(costs.values())
        assert costs[chosen] <= min(cost for other, cost in costs.items() if len(other & chosen) >= size - 1) + 1e-9


def test_duplicates_collapse_only_where_some_must_go(tmp_path):
    path = tmp_path / "d.hex"
    path.write_text("ff0000\nff0000\n0000ff\n")
    assert load_palette(path).hex == ("#ff0000", "#ff0000", "#0000ff")
    assert load_palette(path, size=3).hex == ("#ff0000", "#ff0000", "#0000ff")
    assert load_palette(path, size=2).hex == ("#ff0000", "#0000ff")
    path.write_text("ff0000\n" * 9)
    with pytest.raises(PaletteError, match="has 9 colours, of which only 1 differ, 2 asked for"):
        load_palette(path, size=2)


def test_shares_decide_which_colours_represent_best(tmp_path):
    greys = [(f"#{v:02x}{v:02x}{v:02x}", 0.9 if v == 120 else 0.01) for v in (20, 60, 100, 120, 200, 240)]
    (tmp_path / "g.json").write_text(json.dumps([{"hex": code, "share": share} for code, share in greys]))
    assert "#787878" in load_palette(tmp_path / "g.json", size=2).hex
    (tmp_path / "g.hex").write_text("\n".join(code for code, _ in greys))
    assert "#787878" not in load_palette(tmp_path / "g.hex", size=2).hex


def test_shares_of_what_is_left_out_go_to_the_nearest(tmp_path):
    colors = [("#000000", 0.3), ("#101010", 0.2), ("#ffffff", 0.1), ("#fefefe", 0.4)]
    (tmp_path / "w.json").write_text(json.dumps([{"hex": code, "share": share} for code, share in colors]))
    palette = load_palette(tmp_path / "w.json", size=2)
    assert palette.hex == ("#000000", "#fefefe")
    np.testing.assert_allclose(palette.weights, [0.5, 0.5])


@pytest.mark.parametrize(
    ("name", "text", "size", "message"),
    [
        ("a.hex", "ff0000", None, "a.hex has 1 colour: a palette has 2 to 8"),
        ("a.hex", "ff0000\n00ff00", 3, "a.hex has 2 colours, 3 asked for"),
        ("a.aco", "x", None, "a.aco is no palette file by its suffix: use .gpl, .ase, .json, .hex, .txt"),
        ("a.hex", "", None, "a.hex is empty (0 bytes)"),
        ("a.hex", None, None, "a.hex does not exist"),
        ("a\n.hex", None, None, "a\\n.hex does not exist"),
        ("a.txt", "red\n" * 250_001, 2, "a.txt is too large for a palette: more than 1 MB"),
        ("a.hex", "ff0000\n" * 2049, 2, "a.hex has 2049 colours: at most 2048 can be chosen from"),
        ("a.gpl", "GIMP Palette\n\n1 999 4", None, "a.gpl, line 3: expected three numbers 0 to 255, found '1 999 4'"),
        ("a.gpl", "GIMP Palette", 9, "`size` must be a whole number from 2 to 8. Received: 9"),
        ("a.gpl", "GIMP Palette", 2.0, "`size` must be a whole number from 2 to 8. Received: 2.0"),
    ],
)  # fmt: skip
def test_what_cannot_be_loaded_is_told_in_one_line(tmp_path, name, text, size, message):
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(PaletteError) as error:
        load_palette(name, size=size)
    assert str(error.value) == message


def test_other_suffixes_are_not_written(tmp_path):
    with pytest.raises(PaletteError, match="moss.aco is no palette file by its suffix"):
        save_palette(tmp_path / "moss.aco", STUDY)
    assert not (tmp_path / "moss.aco").exists()


def test_presets_are_24_and_well_made():
    presets = list_presets()
    assert len(presets) == 24
    assert COMMUNITY < presets.keys()
    assert sorted(presets["study"].hex) == sorted(STUDY.hex)
    for name, palette in presets.items():
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)
        assert 4 <= len(palette) <= 8
        L = palette.lab[:, 0]
        assert (np.diff(L) > 0).all(), name
        assert L[-1] - L[0] >= 35, name
        difference = delta_e_2000(palette.lab[:, None], palette.lab[None])[np.triu_indices(len(palette), 1)]
        assert difference.min() >= 8, name
        assert name not in ImageColor.colormap
        with pytest.raises(PaletteError):
            parse_color(name)
        assert 20 < len(preset_about(name)) < 90


def test_presets_differ_clearly():
    for (one, a), (two, b) in itertools.combinations(list_presets().items(), 2):
        difference = delta_e_2000(a.lab[:, None], b.lab[None])
        apart = (difference.min(axis=1).mean() + difference.min(axis=0).mean()) / 2
        assert apart > 5, (one, two)


def test_presets_file_is_as_python_would_find_it_installed():
    entries = json.loads(files("kpalette.palettes").joinpath("presets.json").read_text(encoding="utf-8"))
    assert {name: tuple(entry["colors"]) for name, entry in entries.items()} == {
        name: palette.hex for name, palette in list_presets().items()
    }


@pytest.mark.parametrize("text", ["sweetie-16", "Sweetie 16", " SWEETIE_16 "])
def test_presets_are_found_however_they_are_written(text):
    assert find_palette(text) == list_presets()["sweetie-16"]


def test_size_takes_the_best_of_a_preset():
    whole, part = find_palette("nord"), find_palette("nord", size=3)
    assert len(part) == 3
    places = [whole.hex.index(code) for code in part.hex]
    assert places == sorted(places)
    with pytest.raises(PaletteError, match="the preset 'study' has 4 colours, 5 asked for"):
        find_palette("study", size=5)


def test_the_users_own_come_first_then_the_shipped_then_colours(home):
    assert find_palette("red, blue").hex == ("#ff0000", "#0000ff")
    save_palette(home / "Nord.gpl", STUDY)
    save_palette(home / "My_Reds.hex", Palette.parse("red maroon"))
    assert find_palette("nord").hex == STUDY.hex
    assert list_presets()["nord"].hex == STUDY.hex
    assert find_palette("my reds").hex == ("#ff0000", "#800000")
    assert preset_about("MY-REDS") == f"your own, {home / 'My_Reds.hex'}"
    assert len(list_presets()) == 25
    (home / "nord.json").write_text('["red", "blue"]')
    assert find_palette("nord").hex == STUDY.hex == list_presets()["nord"].hex  # the first by file name


def test_a_broken_file_of_the_users_is_left_out_with_a_warning(home, caplog):
    (home / "bad.hex").write_text("ff0000\nxyz\n")
    (home / ".bad.hex").write_text("xyz\n")  # hidden, as editors leave them
    (home / "notes.md").write_text("no palette")
    with caplog.at_level(logging.WARNING):
        assert len(list_presets()) == 24
    (record,) = caplog.records
    assert record.name == "kpalette.palettes.presets"
    assert str(home / "bad.hex") in record.getMessage()
    assert "line 2: expected a colour like f4a300, found 'xyz'" in record.getMessage()
    with pytest.raises(PaletteError, match="line 2: expected a colour"):
        find_palette("bad")


def test_a_folder_is_called_one_once(tmp_path):
    folder = tmp_path / "mine.gpl"
    folder.mkdir()
    with pytest.raises(PaletteError, match=rf"^{re.escape(str(folder))} is a folder, not [\w ]+$"):
        load_palette(folder)


def test_where_the_users_folder_is(tmp_path, monkeypatch):
    assert user_folder() == tmp_path / "home" / "palettes"
    monkeypatch.setenv("KPALETTE_HOME", "")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    assert user_folder() == tmp_path / "xdg" / "kpalette" / "palettes"
    user_folder().mkdir(parents=True)
    save_palette(user_folder() / "mine.txt", STUDY)
    assert find_palette("mine").hex == STUDY.hex
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    assert user_folder() == tmp_path / "me" / ".config" / "kpalette" / "palettes"
    assert len(list_presets()) == 24


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nrod", "unknown colour or preset 'nrod': did you mean the preset 'nord'?"),
        ("Game Byo", "unknown colour or preset 'Game Byo': did you mean the preset 'gameboy'?"),
        ("nrod, red", "unknown colour 'nrod': did you mean 'goldenrod'?"),
        ("xyzzy", "unknown colour or preset 'xyzzy'"),
        ("red", "a palette has 2 to 8 colours, 1 given: 'red'"),
        ("oragne red", "unknown colour 'oragne': did you mean 'orange'?"),
        ("", "a palette has 2 to 8 colours, 0 given: ''"),
        ("nord.gpl", "nord.gpl does not exist"),
    ],
)
def test_what_is_not_found_is_told_with_what_is_near(text, message):
    with pytest.raises(PaletteError) as error:
        find_palette(text)
    assert str(error.value) == message


def test_a_size_must_be_that_of_the_colours_typed():
    assert len(find_palette("red blue", size=2)) == 2
    with pytest.raises(PaletteError, match="'red blue' has 2 colours, 3 asked for"):
        find_palette("red blue", size=3)
    with pytest.raises(ArgumentError):
        find_palette(STUDY)


def test_about_suggests_too():
    with pytest.raises(PaletteError, match="unknown preset 'drakula': did you mean the preset 'dracula'?"):
        preset_about("drakula")
