from kpalette.search.progress import Progress
from kpalette.search.records import Record


def test_it_tells_where_the_search_is():
    lines: list[str] = []
    progress = Progress(4, [Record("9", 0, {}, 5, {}, "diverged")], say=lines.append)
    progress.started -= 200
    progress.begin("lr 0.01, seed 0")
    progress.end(Record("0", 0, {}, 5, {"mse": 0.5}, seconds=3.0), True)
    progress.end(Record("1", 0, {}, 5, {}, "diverged", seconds=2.0), True)
    progress.end(Record("2", 0, {}, 5, {"mse": 0.6}), False)
    assert lines == [
        "run 2 of 4: lr 0.01, seed 0",
        "run 2 of 4: mse 0.500000 (best), 3 s; about 7 minutes left",
        "run 3 of 4: failed: diverged, 2 s; about 2 minutes left",
        "run 4 of 4: mse 0.600000, 0 s",
    ]


def best(earlier: list[Record], *found: Record) -> list[bool]:
    lines: list[str] = []
    progress = Progress(9, earlier, say=lines.append)
    for record in found:
        progress.end(record, True)
    return ["(best)" in line for line in lines]


def test_the_best_is_that_of_all_sessions_and_of_the_most_updates():
    earlier = [Record("0", 0, {}, 9, {"mse": 0.5}), Record("1", 0, {}, 9, {}, "diverged")]
    better = Record("3", 0, {}, 9, {"mse": 0.4})
    assert best(earlier, Record("2", 0, {}, 9, {"mse": 0.6}), better) == [False, True]
    # Hyperband's: fewer updates are never better.
    assert best([], Record("0", 0, {}, 1, {"mse": 0.1}), better, Record("4", 0, {}, 3, {"mse": 0.2})) == [
        True, True, False,
    ]  # fmt: skip
