from kpalette.search.progress import SearchProgress
from kpalette.search.records import SearchRecord


def test_it_tells_where_the_search_is():
    lines: list[str] = []
    progress = SearchProgress(4, [SearchRecord("9", 0, {}, 5, {}, "diverged")], say=lines.append)
    progress.started -= 200
    progress.begin("lr 0.01, seed 0")
    progress.end(SearchRecord("0", 0, {}, 5, {"mse": 0.5}, seconds=3.0), True)
    progress.end(SearchRecord("1", 0, {}, 5, {}, "diverged", seconds=2.0), True)
    progress.end(SearchRecord("2", 0, {}, 5, {"mse": 0.6}), False)
    assert lines == [
        "run 2 of 4: lr 0.01, seed 0",
        "run 2 of 4: mse 0.500000 (best), 3 s; about 7 minutes left",
        "run 3 of 4: failed: diverged, 2 s; about 2 minutes left",
        "run 4 of 4: mse 0.600000, 0 s",
    ]


def best(earlier: list[SearchRecord], *found: SearchRecord) -> list[bool]:
    lines: list[str] = []
    progress = SearchProgress(9, earlier, say=lines.append)
    for record in found:
        progress.end(record, True)
    return ["(best)" in line for line in lines]


def test_the_best_is_that_of_all_sessions_and_of_the_most_updates():
    earlier = [SearchRecord("0", 0, {}, 9, {"mse": 0.5}), SearchRecord("1", 0, {}, 9, {}, "diverged")]
    better = SearchRecord("3", 0, {}, 9, {"mse": 0.4})
    assert best(earlier, SearchRecord("2", 0, {}, 9, {"mse": 0.6}), better) == [False, True]
    # Hyperband's: fewer updates are never better.
    assert best([], SearchRecord("0", 0, {}, 1, {"mse": 0.1}), better, SearchRecord("4", 0, {}, 3, {"mse": 0.2})) == [
        True, True, False,
    ]  # fmt: skip
