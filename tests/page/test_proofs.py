import numpy as np
import pytest

from kpalette.images.picture import Picture
from kpalette.metrics.measure import measure
from kpalette.page.proofs import Proofs
from kpalette.page.results import page_recipe
from kpalette.page.warmup import WarmUp
from kpalette.recolorers import base, tone

SOURCE, TARGET, OTHER = (
    ["#2b1d1a", "#94512f", "#d8a76b"],
    ["#191970", "#c71585", "#fffacd"],
    ["#101010", "#2e8b57", "#eee"],
)


@pytest.mark.parametrize("hidden", [False, True])
def test_results_share_work_and_are_the_same_as_alone(photo, hidden):
    alpha = np.where(np.arange(photo.shape[0])[:, None] < 9, 0, 255).repeat(photo.shape[1], 1).astype(np.uint8)
    picture = Picture(photo, alpha if hidden else None)
    proofs = Proofs(picture)
    for target, strength in ((TARGET, "auto"), (OTHER, 0.5), (OTHER, 1.0), (OTHER, 0.0)):
        for method in ("soft", "fitted", "baseline"):
            recipe = page_recipe(method, SOURCE, target, strength)
            done, alone = proofs.result(recipe), recipe.plan(picture)
            assert done.recipe.lightness == alone.lightness
            assert np.array_equal(done.picture.rgb, alone.apply(picture).image)
            assert done.figures == measure(photo, done.picture.rgb, alone.target, alpha=picture.alpha)
            assert (done.ssim, done.palette_de) == (done.figures["ssim"], done.figures["palette_de"])


def test_a_picture_is_relit_once_for_all_recolorers(photo, monkeypatch):
    calls = []
    genuine = tone.Relit.__init__
    monkeypatch.setattr(base.Relit, "__init__", lambda *args, **options: calls.append(1) or genuine(*args, **options))
    proofs = Proofs(Picture(photo))
    for method in ("soft", "fitted", "baseline", "soft"):
        proofs.result(page_recipe(method, SOURCE, TARGET, 1.0))
    assert len(calls) == 1
    proofs.result(page_recipe("soft", SOURCE, OTHER, 1.0))
    assert len(calls) == 2


def test_flat_art_is_not_relit(monkeypatch):
    monkeypatch.setattr(base.Relit, "__init__", lambda *args, **options: pytest.fail("flat art was relit"))
    flat = Picture(np.repeat(np.eye(3, dtype=np.uint8) * 200, 16, axis=0)[None].repeat(9, 0))
    done = Proofs(flat).result(page_recipe("soft", ["#c80000", "#00c800", "#0000c8"], TARGET, 1.0))
    assert {tuple(color) for color in done.picture.rgb.reshape(-1, 3)} == {
        (25, 25, 112),
        (199, 21, 133),
        (255, 250, 205),
    }


def test_kernels_are_compiled_in_the_background(no_networks, caplog):
    warm_up = WarmUp()
    warm_up.thread.join(120)
    assert warm_up.done
    assert not caplog.messages


def test_kernels_that_fail_are_not_used(no_networks, monkeypatch, caplog):
    monkeypatch.setattr(Proofs, "result", lambda *args: 1 / 0)
    warm_up = WarmUp()
    warm_up.thread.join(120)
    assert not warm_up.done
    assert "kernels cannot be used" in caplog.text
