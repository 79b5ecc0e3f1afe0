import numpy as np
import pytest

from kpalette.data.builtin import embedded
from kpalette.data.pairs import make_pair
from kpalette.data.samples import Sampler, stack
from kpalette.models.ranges import AB_SCALE
from kpalette.training.previews import preview
from kpalette.training.validation import fixed_draw, validate


@pytest.fixture(scope="module")
def sampler() -> Sampler:
    sampler = Sampler.of(embedded().subset([0, 2, 12, 15, 30]), crop=32)
    return Sampler(sampler.images.held(short_side=48), *(getattr(sampler, n) for n in ("swatches", "designed")), 32, 48)


def nothing(inputs):
    return inputs["lab"][..., 1:]


def perfect(sampler, *, hue):
    """Answers as the truth does, whichever pictures are shown."""
    pair = make_pair(stack([fixed_draw(sampler, i, hue=hue) for i in range(5)]), hue_rows=5 if hue else 0)

    def predict(inputs):
        rows = [int(np.argmin([np.abs(lab - other).sum() for other in pair.inputs["lab"]])) for lab in inputs["lab"]]
        return pair.ab[rows]

    return predict


def test_doing_nothing(sampler):
    figures = validate(sampler, nothing, batch_size=2)
    assert set(figures) == {
        "val_score", "val_mse", "val_ab_error", "val_ab_error_unrelated", "val_ssim", "val_palette_de_ab",
        "val_richness", "val_false_edges", "val_palette_mse",
    }  # fmt: skip
    assert figures["val_ssim"] == pytest.approx(1.0)
    assert figures["val_richness"] == pytest.approx(1.0)
    assert figures["val_ab_error"] > 5
    assert figures["val_ab_error_unrelated"] > 5
    assert figures["val_score"] == pytest.approx((figures["val_ab_error"] + figures["val_ab_error_unrelated"]) / 2)


def test_the_truth_has_no_error(sampler):
    assert validate(sampler, perfect(sampler, hue=True), batch_size=2)["val_ab_error"] == pytest.approx(0, abs=1e-4)
    figures = validate(sampler, perfect(sampler, hue=False), batch_size=3)
    assert figures["val_ab_error_unrelated"] == pytest.approx(0, abs=1e-4)
    assert figures["val_palette_de_ab"] < validate(sampler, nothing, batch_size=3)["val_palette_de_ab"] - 3


def test_the_error_is_a_distance_in_lab(sampler):
    truth = perfect(sampler, hue=True)
    figures = validate(sampler, lambda inputs: truth(inputs) + np.array([3.0, 4.0]) / AB_SCALE, batch_size=5)
    assert figures["val_ab_error"] == pytest.approx(5.0, rel=1e-3)
    assert figures["val_mse"] == pytest.approx((3**2 + 4**2) / 2 / AB_SCALE**2, rel=1e-3)


def test_it_is_of_all_pictures_whatever_the_batch(sampler):
    seen = []

    def predict(inputs):
        seen.append(len(inputs["lab"]))
        return nothing(inputs)

    first = validate(sampler, predict, batch_size=2)
    assert sum(seen) == 2 * len(sampler.images)
    assert first == pytest.approx(validate(sampler, nothing, batch_size=5), rel=1e-6)


def test_figures_are_of_what_users_see(sampler):
    """Networks' answers have their slopes limited; `slopes=False` is for what is no network."""

    def torn(inputs):
        return inputs["lab"][..., 1:] + np.where(inputs["lab"][..., :1] > 0, 10, -10) / AB_SCALE

    limited, plain = (validate(sampler, torn, batch_size=5, slopes=slopes) for slopes in (True, False))
    assert plain["val_false_edges"] > 10 * limited["val_false_edges"]
    assert plain["val_ab_error"] == limited["val_ab_error"]
    assert limited["val_false_edges"] == validate(sampler, torn, batch_size=5)["val_false_edges"]


def test_judgements_are_averaged(sampler):
    figures = validate(sampler, nothing, batch_size=2, judge=lambda pair, ab: {"d_real": float(len(ab))})
    assert figures["val_d_real"] == pytest.approx((2 + 2 + 1) / 3)


def test_previews_show_picture_answer_and_truth(sampler):
    sheet, data = preview(sampler, nothing, count=3)
    assert data.startswith(b"\x89PNG")
    assert sheet.shape == (3 * (32 + 12), 3 * 32, 3)
    tile = sheet[12:44]
    assert np.array_equal(tile[:, :32], tile[:, 32:64])
    assert not np.array_equal(tile[:, :32], tile[:, 64:])
    assert preview(sampler, nothing, count=100)[0].shape[0] == 5 * 44
