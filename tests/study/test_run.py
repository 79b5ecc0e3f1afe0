import dataclasses
import json
import xml.etree.ElementTree
from collections import Counter

import numpy as np
import pytest

import kpalette
from kpalette.color.spaces import hsv_to_rgb, rgb_to_hsv, rgb_to_lab
from kpalette.data.sources import open_images
from kpalette.errors import ArgumentError, ImageError, KPaletteError, OutputError, PaletteError
from kpalette.images.files import write_image
from kpalette.images.picture import as_picture, image_to_rgb, lab_to_image
from kpalette.metrics.figures import FIGURES
from kpalette.palettes.palette import Palette
from kpalette.recolorers.base import Recolored
from kpalette.recolorers.network import NetworkRecolorer
from kpalette.recolorers.recolor import recolor
from kpalette.recolorers.registry import get_recolorer
from kpalette.report.markdown import replace_block
from kpalette.study.cases import REPORT_PALETTES, SIDE, UNLABELLED, deal, deal_cases, report_palettes, sample_cases
from kpalette.study.compare import compare, compare_references
from kpalette.study.plane import draw_plane, plane_points
from kpalette.study.probes import PROBES, hue_error, hue_pair, own_error, probe, response
from kpalette.study.records import COLUMNS, Study, StudyRecord
from kpalette.study.run import evaluate, find_models
from kpalette.study.statistics import center, estimate, groups_of
from kpalette.study.tables import figures_table, probes_table, ranked, ranks_table, styles_table


@pytest.fixture
def pictures(tmp_path, photo):
    """Two small pictures with a table of their styles."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    write_image(folder / "a.png", np.ascontiguousarray(photo[:40, :48]))
    write_image(folder / "b.png", np.ascontiguousarray(photo[40:80, 60:108]))
    (folder / "manifest.csv").write_text("file,artist,style\na.png,Ann,baroque\nb.png,Bob,unlabelled\n")
    return folder


@pytest.fixture
def palettes(tmp_path):
    """Eight designed palettes, one of them of three colours."""
    colors = np.random.default_rng(3).integers(0, 256, (8, 6, 3))
    entries = [
        {"name": f"p{i}", "colors": ["#%02x%02x%02x" % tuple(c) for c in (six if i else six[:3])]}
        for i, six in enumerate(colors)
    ]
    path = tmp_path / "palettes.json"
    path.write_text(json.dumps({"palettes": entries}))
    return path


def record(name, model, value, *, style="s", palette=0, lightness=0.0, **figures):
    return StudyRecord(name, style, palette, model, lightness, {**dict.fromkeys(FIGURES, value), **figures}, value)


@pytest.fixture
def study():
    """Two pictures: 1 and 3 of the first, 6 and 10 of the second; its median is 4.5, its mean 5."""
    values = {("x", 0): 1.0, ("x", 1): 3.0, ("y", 0): 6.0, ("y", 1): 10.0}
    return Study(
        [
            made
            for (name, palette), value in values.items()
            for made in (
                record(name, "source", 1.0, style=f"of {name}", palette=palette, lightness=None),
                record(name, "m", value, style=f"of {name}", palette=palette, clipped=value / 10),
                record(name, "m", value / 2, style=f"of {name}", palette=palette, lightness=0.5),
            )
        ],
        [
            StudyRecord("x", "of x", None, "m", 0.0, {"ab_error": 4.0, "own": 0.0, "response": float("nan")}),
            StudyRecord("y", "of y", None, "m", 0.0, {"ab_error": 8.0, "own": 0.0, "response": 0.5}),
        ],
    )


def cells(table, method):
    """The cells of a method's line of a markdown table, by column."""
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    return dict(zip(lines[0], next(line for line in lines if line[0] == method), strict=True))


def test_palettes_are_dealt_equally_often():
    for per_picture, count in ((4, 40), (3, 7), (5, 3)):
        hands = [deal(number, per_picture=per_picture, count=count) for number in range(count)]
        assert {len(set(hand)) for hand in hands} == {min(per_picture, count)}
        assert set(Counter(i for hand in hands for i in hand).values()) == {min(per_picture, count)}
        assert hands[1][0] == min(per_picture, count) % count


def test_report_palettes_are_four_colours_of_the_file_each_time_the_same(palettes):
    found = report_palettes(palettes, part="all")
    assert len(found) == 7
    entries = [set(entry["colors"]) for entry in json.loads(palettes.read_text())["palettes"]]
    owners = [next(i for i, colors in enumerate(entries) if set(palette.hex) <= colors) for palette in found]
    assert sorted(owners) == list(range(1, 8))
    assert owners != sorted(owners)
    assert report_palettes(palettes, part="all") == found
    assert report_palettes(palettes, part="all", count=3) == found[:3]
    assert report_palettes(palettes, part="all", seed=1) != found
    half = report_palettes(palettes)
    assert 0 < len(half) < 7
    with pytest.raises(ArgumentError, match="`count` must be at least 1. Received: 0"):
        report_palettes(None, count=0)
    palettes.write_text('{"palettes": [{"name": "a", "colors": ["red", "blue"]}]}')
    with pytest.raises(PaletteError, match="no palette of the part 'all' has 4 colours"):
        report_palettes(palettes, part="all")


def test_cases_of_a_set_are_shrunk_and_have_a_style(pictures, photo):
    write_image(pictures / "c.png", np.repeat(photo, 3, axis=1))
    asked = report_palettes(None, part="all", count=5)
    cases = list(deal_cases(open_images(pictures), asked, per_picture=2))
    assert [[case.palette for case in of_picture] for of_picture in cases] == [[0, 1], [2, 3], [4, 0]]
    assert [of_picture[0].style for of_picture in cases] == ["baroque", UNLABELLED, UNLABELLED]
    assert [of_picture[0].picture.rgb.shape[:2] for of_picture in cases] == [(40, 48), (40, 48), (85, SIDE)]
    assert all(case.target == asked[case.palette] for of_picture in cases for case in of_picture)


def test_the_samples_are_three_pictures_with_six_palettes():
    cases = list(sample_cases())
    assert [len(of_picture) for of_picture in cases] == [len(REPORT_PALETTES)] * 3
    assert {case.picture.rgb.shape for of_picture in cases for case in of_picture} == {(512, 512, 3)}


def test_the_picture_itself_is_off_by_the_turn_on_a_hue_pair(photo):
    picture = as_picture(photo)
    first, second = np.random.default_rng([0, 7]).random(2)

    def turned(turn):
        hsv = np.array(rgb_to_hsv(image_to_rgb(photo)))
        hsv[..., 0] += turn
        return rgb_to_lab(hsv_to_rgb(hsv))[..., 1:]

    pair = hue_pair(picture, 7)
    distance = np.linalg.norm(turned(first) - turned(second), axis=-1)
    assert 0.5 < pair.known.mean() < 1
    # The shown picture is rounded to 8 bits.
    assert hue_error(pair, None) == pytest.approx(distance[pair.known].mean(), abs=0.05)
    assert hue_error(pair, None) != pytest.approx(distance.mean(), abs=0.05)
    np.testing.assert_allclose(pair.truth[..., 0], rgb_to_lab(image_to_rgb(photo))[..., 0], atol=1e-3)
    assert hue_error(hue_pair(picture, 8), None) != hue_error(pair, None)


def test_the_right_answer_to_a_hue_pair_has_no_error(photo):
    pair = hue_pair(as_picture(photo), 7)

    class Knowing:
        def apply(self, picture, plan):
            assert (picture, plan.source, plan.target, plan.lightness) == (pair.shown, pair.source, pair.target, 0)
            return Recolored(lab_to_image(pair.truth), lambda: 0.0)

    assert hue_error(pair, Knowing()) < 0.6  # 8 bits
    np.testing.assert_allclose(pair.source.lab[:, 0], pair.target.lab[:, 0], atol=1e-6)
    assert hue_error(pair, get_recolorer("soft")) < 0.6 * hue_error(pair, None)


def test_with_the_own_palette_soft_changes_nothing_and_a_network_is_really_run(photo, tiny_checkpoint):
    picture = as_picture(photo)
    assert own_error(picture, get_recolorer("soft")) == 0
    assert own_error(picture, None) == 0
    assert own_error(picture, NetworkRecolorer(tiny_checkpoint, runtime="onnx")) > 0.01


def test_response_is_0_of_the_picture_itself_and_about_1_of_soft(photo):
    picture = as_picture(photo)
    base = np.array([[25.0, 0, 0], [45, 0, 0], [65, 0, 0], [85, 0, 0]])
    one, other = Palette(base), Palette(base + np.array([0, 6.0, 0]))
    assert response(picture, one, other, None) == 0
    assert response(picture, one, other, get_recolorer("soft")) == pytest.approx(1, abs=0.15)
    assert np.isnan(response(picture, one, one, get_recolorer("soft")))
    found = probe(picture, get_recolorer("soft"), pair=hue_pair(picture, 0), targets=[one])
    assert tuple(found) == tuple(PROBES)
    assert np.isnan(found["response"])


def test_evaluate_and_compare_measure_alike_in_one_process_and_in_two(pictures, palettes):
    options = {"palettes": palettes, "models": ["soft"], "lightness": [0, 0.5], "per_picture": 2}
    seen = []
    one = evaluate(pictures, **options, workers=1, progress=lambda *count: seen.append(count))
    two = evaluate(pictures, **options, workers=2)
    assert seen == [(1, 2), (2, 2)]
    assert one.methods == ("source", "reachable", "nearest", "nearest-ab", "soft", "soft (lightness 0.5)")
    assert len(one.records) == 2 * 2 * 6
    timeless = [[dataclasses.replace(r, seconds=0) for r in (*s.records, *s.probes)] for s in (one, two)]
    assert timeless[0] == timeless[1]
    cases = [
        case for cases in deal_cases(open_images(pictures), report_palettes(palettes), per_picture=2) for case in cases
    ]
    for i, case in enumerate(cases):
        own = one.records[6 * i : 6 * i + 6]
        rows = [*compare_references(case.picture, case.target)]
        rows += [
            list(compare(case.picture, case.target, models=["soft"], match="lightness", lightness=x))[1]
            for x in (0, 0.5)
        ]
        assert own == [dataclasses.replace(r, figures=row.figures) for r, row in zip(own, rows, strict=True)]
        assert {(r.name, r.style, r.palette) for r in own} == {(case.name, case.style, case.palette)}
    assert [(r.name, r.method, r.palette) for r in one.probes] == [
        ("a.png", "source", None), ("a.png", "soft", None), ("b.png", "source", None), ("b.png", "soft", None)
    ]  # fmt: skip
    assert [r.figures["response"] for r in one.probes if r.model == "source"] == [0, 0]
    assert len({r.name for r in evaluate(pictures, models=["soft"], per_picture=1, limit=1, workers=1).records}) == 1


def test_models_are_names_and_folders_with_unique_names(tiny_checkpoint, tmp_path, caplog):
    (tmp_path / "other").mkdir()
    twin = tmp_path / "other" / tiny_checkpoint.name
    twin.symlink_to(tiny_checkpoint)
    alone, *_ = find_models([str(tiny_checkpoint)])
    assert (alone.name, alone.settings) == ("tiny", ((0.0, "local"), ("auto", "local")))
    assert alone.recolorer().name == "tiny"
    names = [model.name for model in find_models([str(tiny_checkpoint), str(twin)])]
    assert names == [f"{tiny_checkpoint.parent.name}/tiny", "other/tiny"]
    soft = tmp_path / "soft"
    soft.symlink_to(tiny_checkpoint)
    assert find_models([str(soft)])[0].name == f"{tmp_path.name}/soft"
    assert find_models(["baseline"])[0].settings == ((0, "local"), ("auto", "local"), (1, "curve"))
    assert find_models(["baseline"], lightness=[0.5, 0.5])[0].settings == ((0.5, "local"),)
    both = find_models(["soft"], lightness=[0, 1], tones=["curve", "local"])[0]
    assert both.settings == ((0, "curve"), (1, "curve"), (1, "local"))
    assert find_models(["soft"], tones=["curve"])[0].settings == ((0, "curve"), ("auto", "curve"))
    for tones in ([], ["soft"]):
        with pytest.raises(ArgumentError, match="`tones` must hold at least one of local, curve, smooth, and no"):
            find_models(["soft"], tones=tones)
    assert find_models(None)[0].name == "palettenet"


def test_a_network_is_one_of_the_methods(pictures, palettes, tiny_checkpoint):
    study = evaluate(pictures, palettes=palettes, models=[str(tiny_checkpoint)], per_picture=1, limit=1, workers=1)
    assert study.methods[-2:] == ("tiny", "tiny (lightness auto)")
    case = next(deal_cases(open_images(pictures), report_palettes(palettes), per_picture=1))[0]
    image = recolor(case.picture.rgb, case.target, model=NetworkRecolorer(tiny_checkpoint))
    assert study.records[-1].figures["ssim"] == float(f"{kpalette.ssim(case.picture.rgb, image):.6g}")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"models": ["sofd"]}, "or checkpoint folders. Received: 'sofd'"),
        ({"models": []}, "`models` must be a list of at least one recolorer"),
        ({"models": "soft"}, "`models` must be a list of at least one recolorer. Received: 'soft'"),
        ({"models": ["soft", "soft"]}, "`models` must hold each recolorer once. Received twice: 'soft'"),
        ({"models": ["."]}, ". is no checkpoint: it has no config.json"),
        ({"lightness": [2.0]}, "Received: 2.0"),
        ({"lightness": []}, "`lightness` must hold at least one strength"),
        ({"workers": 0}, "`workers` must be a positive whole number. Received: 0"),
        ({"per_picture": 1.5}, "`per_picture` must be a positive whole number. Received: 1.5"),
        ({"palettes": "x.json"}, "`palettes` needs `images`: the sample pictures have palettes of their own"),
        ({"images": "nowhere"}, "nowhere"),
        ({"images": ".", "palettes": "x.json"}, "."),
    ],
)  # fmt: skip
def test_wrong_arguments(options, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(KPaletteError) as raised:
        evaluate(options.pop("images", None), **options)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_damaged_picture_is_named(pictures):
    (pictures / "b.png").write_bytes((pictures / "a.png").read_bytes()[:200])
    with pytest.raises(ImageError, match="b.png"):
        evaluate(pictures, models=["soft"], per_picture=1, workers=1)


def test_figures_are_rounded_as_in_the_file(tmp_path):
    study = Study([StudyRecord("a", "s", 0, "soft", 0.0, {"ssim": 0.98650049})])
    study.to_csv(tmp_path / "f.csv")
    again = Study.from_csv(tmp_path / "f.csv")
    assert again.records == study.records
    assert study.records[0].figures == {"ssim": 0.9865}


def test_a_csv_file_read_again_gives_the_same_study(study, tmp_path):
    study.records[0] = dataclasses.replace(study.records[0], name='a "b", ü', seconds=1 / 3)
    path = tmp_path / "f.csv"
    study.to_csv(path)
    again = Study.from_csv(path)
    for found, was in zip(again.records, study.records, strict=True):
        assert dataclasses.replace(found, figures={}, seconds=0) == dataclasses.replace(was, figures={}, seconds=0)
        assert found.figures == pytest.approx(was.figures, rel=1e-5)
    assert again.records[0].seconds == 0.333333
    assert again.csv() == study.csv()
    assert np.isnan(again.probes[0].figures["response"])
    assert path.read_text().splitlines()[0].split(",") == list(COLUMNS)
    with pytest.raises(OutputError, match="exists already"):
        study.to_csv(path)
    study.to_csv(path, overwrite=True)


def test_other_csv_files_are_refused(study, tmp_path):
    path = tmp_path / "f.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(ArgumentError, match="f.csv is not a file of figures of a study: it has no column name"):
        Study.from_csv(path)
    path.write_text(study.csv().replace(",3,", ",three,", 1))
    with pytest.raises(ArgumentError, match="f.csv, line 6: could not convert string to float: 'three'"):
        Study.from_csv(path)
    path.write_text(study.csv().splitlines()[0] + "\nx,s,0\n")
    with pytest.raises(ArgumentError, match="f.csv, line 2"):
        Study.from_csv(path)
    with pytest.raises(ArgumentError, match="does not exist"):
        Study.from_csv(tmp_path / "none.csv")


def test_tables_hold_means_and_medians_in_order_of_methods(study):
    table = figures_table(study)
    assert [line.split("|")[1].strip() for line in table.splitlines()[2:]] == ["source", "m", "m (lightness 0.5)"]
    # The mean of 2 and 8, and of the resamples (2, 2), (2, 8), (8, 8).
    assert cells(table, "m")["ssim"] == "5.000 (2.000-8.000)"
    assert cells(table, "m")["clipped"] == "0.500 (0.200-0.800)"
    assert cells(table, "source")["clipped"] == ""
    assert cells(table, "m (lightness 0.5)")["palette_de"] == "2.50 (1.00-4.00)"
    assert cells(figures_table(study, statistic="median"), "m")["ssim"] == "4.500 (2.000-8.000)"
    assert cells(probes_table(study), "m") == {
        "method": "m", "ab_error": "6.00 (4.00-8.00)", "own": "0.00 (0.00-0.00)", "response": "0.50 (0.50-0.50)",
    }  # fmt: skip
    by_style = styles_table(study, heading="kind")
    assert cells(by_style, "of x") == {
        "kind": "of x", "pictures": "1", "source": "1.00, 1.000", "m": "2.00, 2.000",
        "m (lightness 0.5)": "1.00, 1.000",
    }  # fmt: skip


def test_a_picture_of_many_cases_counts_once():
    records = [record("x", "m", 1.0, palette=i) for i in range(9)] + [record("y", "m", 3.0)]
    assert center(groups_of(records, "ssim"), statistic="mean") == 2
    assert center(groups_of(records, "ssim"), statistic="median") == 1
    assert np.isnan(center(groups_of(records, "clipped"), statistic="mean"))
    assert center(groups_of(records, "seconds"), statistic="mean") == 2
    with pytest.raises(ArgumentError, match="`statistic` must be one of mean, median. Received: 'mode'"):
        center([], statistic="mode")


@pytest.mark.parametrize("statistic", ["mean", "median"])
def test_intervals_contain_their_centre_and_narrow_with_more_pictures(statistic):
    generator = np.random.default_rng(0)
    widths = []
    for pictures in (10, 160):
        found = estimate([generator.normal(5, 1, 4) for _ in range(pictures)], statistic=statistic)
        assert found.low < found.value < found.high
        widths.append(found.high - found.low)
    assert widths[1] < widths[0] / 2


def test_ranks_are_by_palette_de_ab(study):
    found = ranked(study, "m")
    assert {rank: (r.name, r.palette) for rank, r in found.items()} == {
        "best": ("x", 0), "median": ("x", 1), "worst": ("y", 1),
    }  # fmt: skip
    assert cells(ranks_table(study, "m"), "worst")["palette_de_ab"] == "10.00"
    with pytest.raises(ArgumentError, match="`method` must be one of source, m, m \\(lightness 0.5\\). Received: 'n'"):
        ranked(study, "n")


def test_blocks_of_documents_are_replaced():
    text = "# t\n<!-- a -->\nold\n<!-- end a -->\nbetween\n<!-- b -->\n<!-- end b -->\nlast\n"
    once = replace_block(text, "a", "| new |\n")
    assert once == text.replace("old", "| new |")
    assert replace_block(once, "a", "| new |\n") == once
    assert replace_block(text, "b", "x") == text.replace("<!-- b -->\n", "<!-- b -->\nx\n")
    with pytest.raises(ArgumentError, match="the document has no line <!-- c -->$"):
        replace_block(text, "c", "")
    with pytest.raises(ArgumentError, match="the document has no line <!-- end a --> behind its start"):
        replace_block("<!-- end a -->\n<!-- a -->\n", "a", "")


def test_the_plane_has_every_method_and_is_the_same_each_time(study):
    study.records += [record("x", "a$b_{1}$<&", 2.0)]
    points = {point.method: point for point in plane_points(study, statistic="median")}
    assert points["m"][1:] == ("m", 0.0, "", 4.5, 4.5, 4.5)
    assert points["source"][1:3] == ("source", 0.0)
    data = draw_plane(study, statistic="median")
    assert data == draw_plane(study, statistic="median")
    assert draw_plane(study) != data
    texts = {
        "".join(e.itertext()).strip() for e in xml.etree.ElementTree.fromstring(data).iter() if e.tag.endswith("}text")
    }
    assert {"source", "m", "m 0.5", "a$b_{1}$<&", "area: richness"} <= texts
    assert b"<dc:date>" not in data


def test_without_matplotlib_the_figure_says_what_to_install(study, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    with pytest.raises(ArgumentError, match=r"the figure needs matplotlib: pip install 'kpalette\[study\]'"):
        draw_plane(study)


def test_a_local_tone_is_a_row_of_its_own(pictures, palettes, tmp_path):
    settings = {"per_picture": 1, "limit": 1, "workers": 1, "lightness": [0, 1], "tones": ["curve", "local"]}
    study = evaluate(pictures, palettes=palettes, models=["soft"], **settings)
    assert study.methods[-3:] == ("soft", "soft (lightness 1, curve)", "soft (lightness 1)")
    case = next(deal_cases(open_images(pictures), report_palettes(palettes), per_picture=1))[0]
    image = recolor(case.picture.rgb, case.target, model="soft", match="lightness", lightness=1.0)
    assert study.records[-1].figures["ssim"] == float(f"{kpalette.ssim(case.picture.rgb, image):.6g}")
    study.to_csv(tmp_path / "figures.csv")
    assert [r.tone for r in Study.from_csv(tmp_path / "figures.csv").records] == [r.tone for r in study.records]


def test_figures_without_a_tone_are_read(study, tmp_path):
    lines = [line.split(",") for line in study.csv().splitlines()]
    place = lines[0].index("tone")
    text = "\n".join(",".join(line[:place] + line[place + 1 :]) for line in lines)
    (tmp_path / "old.csv").write_text(text)
    assert Study.from_csv(tmp_path / "old.csv").methods == study.methods
