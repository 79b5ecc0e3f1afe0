import pytest

from kpalette.search.published import PUBLISHED, claims, is_study
from kpalette.search.records import FIGURES, SearchRecord, ranked
from kpalette.search.space import STUDY, Dimension


def runs(mse, *, seeds=3, failed=()) -> list[SearchRecord]:
    found = []
    for number, (rate, batch, shuffle) in enumerate(PUBLISHED):
        for seed in range(seeds):
            bad = (rate, batch, shuffle) in failed
            figures = {} if bad else dict.fromkeys(FIGURES, mse(rate, batch, shuffle) * (1 + seed / 1000))
            values = {"learning_rate": rate, "batch_size": batch, "shuffle": shuffle}
            found.append(SearchRecord(f"{number:02}", seed, values, 60, figures, "diverged" if bad else ""))
    return found


def verdicts(records) -> list[str]:
    return [claim.verdict for claim in claims(ranked(records))]


def test_the_published_figures_bear_out_what_they_are_said_to():
    assert len(PUBLISHED) == 12
    assert min(PUBLISHED, key=PUBLISHED.__getitem__) == (0.0002, 8, False)
    found = claims(ranked(runs(lambda *key: PUBLISHED[key])))
    assert [claim.verdict for claim in found] == ["holds", "undecided", "holds", "holds"]
    assert "higher in 6 of 6 pairs" in found[0].evidence
    assert "next is 0.0002/8/on, 0.005160" in found[3].evidence


def test_other_worlds_give_other_verdicts():
    assert verdicts(runs(lambda rate, batch, shuffle: 1 / rate + 1 / batch - shuffle / 100)) == ["does not hold"] * 4
    constant = verdicts(runs(lambda rate, batch, shuffle: 1 + (batch == 16) / 9))
    assert constant[0] == constant[2] == "undecided"


def test_what_failed_is_left_out_and_told():
    found = claims(ranked(runs(lambda *key: PUBLISHED[key], failed=[key for key in PUBLISHED if key[0] == 0.01])))
    assert found[0].verdict == "undecided"
    assert "6 pairs with a failed run left out" in found[0].evidence
    assert found[3].verdict == "holds"


def test_one_seed_tells_nothing_of_chance():
    claim = claims(ranked(runs(lambda *key: PUBLISHED[key], seeds=1)))[3]
    assert claim.verdict == "undecided"
    assert "nan" not in claim.evidence


@pytest.mark.parametrize(
    ("space", "same"),
    [(STUDY, True), (STUDY[::-1], True), (STUDY[:2], False), ((*STUDY, Dimension("clip", (1.0,))), False)],
)
def test_which_space_is_the_studys(space, same):
    assert is_study(space) == same
