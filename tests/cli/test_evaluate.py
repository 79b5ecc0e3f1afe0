import os

import numpy as np
import pytest
from PIL import Image

from kpalette.errors import ImageError
from kpalette.images.files import read_image, write_image
from kpalette.images.samples import SAMPLES
from kpalette.study import cases as study_cases
from kpalette.study import compare as study_compare
from kpalette.study.cases import REPORT_PALETTES
from kpalette.study.compare import compare
from kpalette.study.records import Study
from kpalette.study.run import evaluate
from kpalette.study.statistics import center, groups_of
from kpalette.study.tables import styles_table

BLOCKS = "".join(f"<!-- {name} -->\n<!-- end {name} -->\n" for name in ("x-figures", "x-styles", "x-probes"))
SOFT = ("-m", "soft", "-j", "1")


@pytest.fixture
def pictures(tmp_path, photo):
    """A folder of two small PNGs in the working folder."""
    (tmp_path / "in").mkdir()
    for i in range(2):
        write_image(tmp_path / f"in/{i}.png", np.ascontiguousarray(photo[40 * i : 40 * i + 40, :40]))
    return "in"


def test_evaluate_prints_means_and_writes_its_files(kp, pictures):
    result = kp("evaluate", pictures, *SOFT, "-m", "baseline", "--per-picture", "2", "-o", "out")
    assert result.code == 0, result.err
    assert sorted(os.listdir("out")) == ["figures.csv", "plane.svg", "tables.md"]
    study = Study.from_csv("out/figures.csv")
    again = evaluate(pictures, models=["soft"], per_picture=2, workers=1)
    assert study.records[0].figures == pytest.approx(again.records[0].figures, rel=1e-5)
    assert len({r.palette for r in study.records}) == 4
    table, probes = (block.splitlines() for block in result.text.split("\n\n"))
    assert table[0].split()[:3] == ["method", "ssim", "palette_de"]
    assert [line.split("  ")[0] for line in table[1:]] == list(study.methods)
    own = [r for r in study.records if r.method == "baseline (lightness 1, curve)"]
    assert f" {center(groups_of(own, 'ssim'), statistic='mean'):.3f} " in table[-1]
    assert [line.split()[0] for line in probes] == ["method", "source", "soft", "baseline"]
    assert result.err.splitlines()[:2] == ["[1/2] pictures", "[2/2] pictures"]
    text = open("out/tables.md").read()
    assert text.startswith("2 pictures, 4 palettes; means")
    assert styles_table(study) in text
    again = kp("evaluate", pictures, *SOFT, "-o", "out")
    assert (again.code, again.out) == (1, b"")
    assert again.err == "kpalette: error: out/figures.csv exists already: use --force to replace it\n"
    assert kp("evaluate", pictures, *SOFT, "--per-picture", "1", "-o", "out", "--force").code == 0
    assert Study.from_csv("out/figures.csv").methods[-1] == "soft (lightness auto)"


def test_evaluate_of_a_sample_shows_examples_and_fills_a_document(kp, tmp_path, monkeypatch):
    monkeypatch.setattr(study_cases, "SAMPLE_SIDE", 64)
    monkeypatch.setattr(study_cases, "REPORT_PALETTES", REPORT_PALETTES[:3])
    shown = []

    def compared(*arguments, **options):
        assert options["match"] == "lightness"  # as the rows of a strength were
        shown.extend(compare(*arguments, **options))
        return shown[-2:]

    monkeypatch.setattr(study_compare, "compare", compared)
    (tmp_path / "s.md").write_text("# t\n" + BLOCKS.replace("x-", "samples-") + "end\n")
    result = kp("evaluate", *SOFT, "--limit", "1", "-o", "out", "--into", "s.md")
    assert result.code == 0, result.err
    study = Study.from_csv("out/figures.csv")
    assert {(r.name, r.palette) for r in study.records} == {(SAMPLES[0], i) for i in range(3)}
    text = (tmp_path / "s.md").read_text()
    assert f"<!-- samples-styles -->\n{styles_table(study, statistic='median', heading='picture')}<!-- end" in text
    assert text.startswith("# t\n<!-- samples-figures -->\n| method | ssim")
    assert text.endswith("<!-- end samples-probes -->\nend\n")
    height, width, _ = read_image("out/examples.webp").rgb.shape
    assert height > 3 * 64
    assert width > 2 * 64
    # What is shown is what was measured.
    measured = [record.figures["ssim"] for record in study.records if record.method == "soft"]
    assert sorted(float(f"{row.figures['ssim']:.6g}") for row in shown[1::2]) == sorted(measured)


def test_a_document_without_its_blocks_is_an_error_before_any_work(kp, pictures, tmp_path):
    (tmp_path / "s.md").write_text(BLOCKS.replace("x-", "samples-"))
    result = kp("evaluate", pictures, *SOFT, "--into", "s.md", "-o", "out")
    assert (result.code, result.out) == (1, b"")
    assert result.err == "kpalette: error: the document has no line <!-- pictures-figures -->\n"
    assert not os.path.exists("out")
    assert "none.md does not exist" in kp("evaluate", pictures, "--into", "none.md").err
    (tmp_path / "s.md").write_bytes(b"\xff\xfe")
    assert kp("evaluate", pictures, "--into", "s.md").err == "kpalette: error: s.md is not text in UTF-8\n"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nowhere"], 1, "nowhere does not exist"),
        (["in", "-m", "sofd"], 1, "or checkpoint folders. Received: 'sofd'"),
        (["in", "-m", "in"], 1, "in is no checkpoint: it has no config.json"),
        (["in", "--palettes", "p.json"], 1, "p.json does not exist"),
        (["--palettes", "p.json"], 2, "--palettes needs IMAGES"),
        (["in", "--lightness", "2"], 2, "Invalid value for '--lightness'"),
        (["in", "-o", ""], 2, "an empty name"),
        (["in", "-o", "in/0.png"], 1, "cannot write to in/0.png: it is not a folder"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line(kp, pictures, arguments, code, message):
    before = sorted(os.listdir("."))
    result = kp("evaluate", *arguments, *(() if "-m" in arguments else SOFT))
    assert (result.code, result.out) == (code, b"")
    assert message in result.err
    assert code == 2 or len([line for line in result.err.splitlines() if line.startswith("kpalette: error")]) == 1
    assert sorted(os.listdir(".")) == before


def test_a_folder_that_cannot_be_written_is_an_error_before_any_work(kp, pictures, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    result = kp("evaluate", "in", "-o", "out", *SOFT)
    assert (result.code, result.err) == (1, f"kpalette: error: cannot write to {os.getcwd()}: Permission denied\n")


def test_evaluate_keeps_a_c_library_from_printing(kp, tmp_path, capfd):
    (tmp_path / "in").mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "in/a.tif", compression="tiff_adobe_deflate")
    damaged = bytearray((tmp_path / "in/a.tif").read_bytes())
    damaged[200:400] = bytes(200)
    (tmp_path / "in/a.tif").write_bytes(damaged)
    with pytest.raises(ImageError):
        read_image(tmp_path / "in/a.tif")
    assert "ZIPDecode" in capfd.readouterr().err  # libtiff prints, if one lets it
    result = kp("evaluate", "in", *SOFT)
    assert (result.code, result.err.splitlines()[-1].split(",")[0]) == (1, "kpalette: error: cannot read a.tif")
    assert capfd.readouterr().err == ""
