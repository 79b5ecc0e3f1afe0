import json
import math

from kpalette.training.scores import Best


def figures(score=9.0, palette=5.0, ssim=0.98, richness=1.2, edges=0.004) -> dict[str, float]:
    return {
        "val_score": score, "val_palette_de_ab": palette, "val_ssim": ssim, "val_richness": richness,
        "val_false_edges": edges,
    }  # fmt: skip


def test_phase_1_wants_the_least_error():
    best = Best("pretrain")
    assert [best.update(i, figures(score)) for i, score in enumerate([9, 8, 8.5, 7], 1)] == [True, True, False, True]
    assert best.epoch == 4


def test_phase_2_wants_the_palette_at_no_cost_of_structure():
    best = Best("adversarial")
    assert best.update(0, figures())
    assert not best.update(1, figures(palette=3.0, ssim=0.974))
    assert not best.update(2, figures(palette=3.0, richness=0.9))
    assert not best.update(3, figures(palette=5.1))
    assert not best.update(3, figures(palette=3.0, edges=0.0041))
    assert best.epoch == 0
    assert best.update(4, figures(palette=4.5, ssim=0.976, richness=1.0))
    assert not best.update(5, figures(palette=math.nan))


def test_a_phase_1_that_is_flat_already_need_not_be_bettered_in_richness():
    best = Best("adversarial")
    best.update(0, figures(richness=0.8))
    assert best.update(1, figures(palette=4.0, richness=0.85))


def test_patience():
    best = Best("adversarial")
    best.update(0, figures())
    assert not best.should_stop(2, 3)
    assert best.should_stop(3, 3)
    assert not best.should_stop(100, 0)


def test_the_summary(tmp_path):
    best = Best("adversarial")
    best.update(0, figures())
    assert "no epoch is better than phase 1" in best.summary(tmp_path)
    best.update(7, figures(palette=1.0))
    assert best.summary(tmp_path) == f"best: epoch 7, in {tmp_path}"


def test_it_goes_on_from_its_notes():
    for history in ([], [figures(), figures(palette=4.0)]):
        best, again = Best("adversarial"), Best("adversarial")
        for epoch, found in enumerate(history):
            best.update(epoch, found)
        again.restore(json.loads(json.dumps(best.notes())))
        assert (again.first, again.score, again.epoch) == (best.first, best.score, best.epoch)
