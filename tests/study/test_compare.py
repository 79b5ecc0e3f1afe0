import numpy as np
import pytest

from kpalette.images.picture import as_picture
from kpalette.metrics.figures import FIGURES
from kpalette.metrics.measure import measure
from kpalette.metrics.references import REFERENCES
from kpalette.palettes.palette import Palette
from kpalette.recolorers.recolor import recolor
from kpalette.recolorers.registry import list_recolorers, missing_recolorers
from kpalette.study.compare import compare, compare_references


def test_compare_measures_the_picture_and_every_recolorer(photo, four):
    rows = list(compare(as_picture(photo), four))
    assert [row.method for row in rows[1:]] == [n for n in list_recolorers() if n not in missing_recolorers()]
    assert rows[0].method == "source"
    np.testing.assert_array_equal(rows[0].image, photo)
    assert rows[0].figures["ssim"] == 1
    for row in rows[1:]:
        np.testing.assert_array_equal(row.image, recolor(photo, four, model=row.method))
        assert {k: row.figures[k] for k in FIGURES} == measure(photo, row.image, four)
        assert 0 <= row.figures["clipped"] <= 1
        assert row.seconds > 0


def test_hidden_pixels_do_not_count(photo, four):
    alpha = np.full(photo.shape[:2], 255, np.uint8)
    alpha[:, :60] = 0
    junk = photo.copy()
    junk[:, :60] = np.random.default_rng(0).integers(0, 256, junk[:, :60].shape)
    pair = [list(compare(as_picture(np.dstack([rgb, alpha])), four)) for rgb in (photo, junk)]
    for one, other in zip(*pair, strict=True):
        assert {k: one.figures[k] for k in FIGURES} == pytest.approx({k: other.figures[k] for k in FIGURES})


def test_compare_passes_its_options_on(photo, four):
    options = {"lightness": 0.3, "match": "nearest", "source": Palette.parse("black gray silver white")}
    row = list(compare(as_picture(photo), four, models=["soft"], **options))[1]
    np.testing.assert_array_equal(row.image, recolor(photo, four, model="soft", **options))


def test_reference_rows_bound_the_others(photo):
    four = Palette.parse("#1a1a1a #5c5c5c #a8a8a8 #f2f2f2")  # greys: some pixel is nearest to each of them
    rows = {row.method: row for row in compare_references(as_picture(photo), four)}
    assert list(rows) == list(REFERENCES)
    assert rows["source"].figures["ssim"] == 1
    # These two keep lightness, up to 8 bits; posterising to the palette is exact.
    assert rows["reachable"].figures["lightness_drift"] < 0.2
    assert rows["nearest-ab"].figures["lightness_drift"] < 0.2
    assert rows["nearest"].figures["palette_de"] < 0.01
    assert rows["nearest"].figures["richness"] < 0.2
    assert rows["reachable"].figures["palette_de_ab"] < rows["source"].figures["palette_de_ab"]
