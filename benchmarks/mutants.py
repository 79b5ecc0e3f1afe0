"""Mutation testing of kpalette/color, palettes, images and recolorers: does a test fail where the code is wrong?

    .venv/bin/pip install cosmic-ray==8.7.0 pytest-cov==7.1.0
    .venv/bin/python benchmarks/mutants.py [--count 200] [--seed 0] [--workers 2] [--commit HEAD]

The mutants are those of all operators of cosmic-ray that take no argument (two do, and change variables at random), in
the order of file, line, column, operator; numpy.random.default_rng(seed) draws from that list. Left out are those that
no test can see by construction, in annotations, type aliases and under `if TYPE_CHECKING` (docstrings have no
mutants), and those that are no Python, which every test would see.

All happens in copies of one commit, a copy a worker, never in the working tree. First every test runs once, for its
seconds and lines. A mutant then meets, up to the first failure: the tests of its own room, then those of the others
that run its file; those that run its line first, then the fastest, as many as take --budget seconds; those that load
TensorFlow, JAX or Keras in a session of their own. A kill counts only if the test fails alone too. A session that
takes START seconds and SLOWER times what its tests took is ended: killed by time, counted apart. Survivors that were
judged to change nothing stand in equivalent_mutants.json (file, operator, diff, reason) and are counted apart.

Called again, it goes on. In runs/mutants/COMMIT: lines/, results-SEED.jsonl and table-SEED.md, which it prints.
"""

import argparse
import ast
import contextlib
import difflib
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import groupby, islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.provider import OperatorProvider
from coverage import CoverageData
from mutants_session import ROOT, Copy

EQUIVALENT = Path(__file__).with_name("equivalent_mutants.json")
MOST_EQUIVALENT = 10
ROOMS = ("color", "palettes", "images", "recolorers")
NOT_RUN = {"tests/browser", "tests/test_wheel.py"}  # they install, and test another copy
_TRAINING = ("training", "search", "models", "runtimes", "test_examples.py", "test_mission.py")
TRAIN = {f"tests/{name}" for name in _TRAINING}
"""Tests that take minutes and reach these rooms by way of networks: left out, so that the score is a lower bound."""
KINDS = {name: kind for name in OperatorProvider() if not (kind := OperatorProvider()[name]).arguments()}
START, SLOWER = 60, 5


class Mutant(NamedTuple):
    """One change: the place number `occurrence` of an operator in a file."""

    file: str
    line: int
    column: int
    operator: str
    occurrence: int

    def text(self, source: str) -> str | None:
        """The file with the change, or None if that is no Python."""
        changed = str(mutate_code(source, KINDS[self.operator](), self.occurrence))
        with contextlib.suppress(SyntaxError):
            compile(changed, self.file, "exec")
            return changed
        return None


def unseen(source: str) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Where no test can see a change: first and last position of annotations, type aliases, `if TYPE_CHECKING`."""
    parts: list[Any] = []
    for node in ast.walk(ast.parse(source)):
        parts += [getattr(node, "annotation", None), getattr(node, "returns", None)]
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.annotation) == "TypeAlias":
            parts.append(node.value)
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            parts += [node.test, *node.body]
    return [((p.lineno, p.col_offset), (p.end_lineno, p.end_col_offset)) for p in parts if p is not None]


def every_mutant(root: Path) -> list[Mutant]:
    """All mutants of the rooms, in order."""
    found = []
    for path in sorted(path for room in ROOMS for path in (root / "kpalette" / room).rglob("*.py")):
        source, file = path.read_text(encoding="utf-8"), path.relative_to(root).as_posix()
        nodes, hidden = list(ast_nodes(get_ast(source))), unseen(source)
        for name, kind in KINDS.items():
            places = [start for node in nodes for start, _ in kind().mutation_positions(node)]
            seen = [not any(first <= place < last for first, last in hidden) for place in places]
            found += [Mutant(file, *place, name, n) for n, place in enumerate(places) if seen[n]]
    return sorted(found)


def draw(root: Path, *, count: int, seed: int) -> list[tuple[Mutant, str]]:
    """Mutants with their texts; none is drawn twice."""
    every = every_mutant(root)
    print(f"{count} of {len(every)} mutants, seed {seed}", file=sys.stderr)
    order = (every[number] for number in np.random.default_rng(seed).permutation(len(every)))
    texts = ((mutant, mutant.text((root / mutant.file).read_text(encoding="utf-8"))) for mutant in order)
    return list(islice(((mutant, text) for mutant, text in texts if text is not None), count))


def record(copy: Copy, unit: str, folder: Path) -> None:
    """Runs tests once, and keeps their seconds as UNIT.json, their lines as UNIT.coverage."""
    kept = folder / f"{unit.replace('/', '-')}.json"
    if kept.exists():
        return
    settings = copy.folder / "coverage.ini"
    rooms = ",".join(str(copy.root / "kpalette" / room) for room in ROOMS)
    settings.write_text(f"[run]\nsource = {rooms}\ndata_file = {kept.with_suffix('.coverage')}\n", encoding="utf-8")
    measure = ("--cov", f"--cov-config={settings}", "--cov-context=test", "--cov-report=")
    code, found = copy.session({}, unit, *measure, limit=3600)
    failed = [name for name, test in found["tests"].items() if not test["passed"]]
    print(f"{unit}: exit code {code}, {len(found['tests'])} tests, not passed: {failed}", file=sys.stderr)
    if code not in (0, 1) or not found["tests"]:
        raise SystemExit((copy.folder / "log.txt").read_text(encoding="utf-8", errors="replace")[-2000:])
    kept.write_text(json.dumps({"root": str(copy.root), **found}), encoding="utf-8")


class Tests:
    """What each test runs and takes."""

    def __init__(self, folder: Path) -> None:
        """`folder`: what `record` filled."""
        self.tests: dict[str, dict[str, Any]] = {}
        self.lines: dict[str, dict[str, set[int]]] = {}  # by file and test; "" is what importing runs
        for path in sorted(folder.glob("*.json")):
            kept = json.loads(path.read_text(encoding="utf-8"))
            self.tests |= kept["tests"]
            data = CoverageData(str(path.with_suffix(".coverage")))
            data.read()
            for file in data.measured_files():
                tests = self.lines.setdefault(Path(file).relative_to(kept["root"]).as_posix(), {})
                for line, contexts in data.contexts_by_lineno(file).items():
                    for context in contexts:
                        tests.setdefault(context.rsplit("|", 1)[0], set()).add(line)

    def sessions(self, mutant: Mutant, source: str, *, budget: float) -> Iterable[list[str]]:
        """The tests for a mutant, session by session."""
        wanted = statement(source, mutant.line)
        lines = self.lines.get(mutant.file, {})
        imported = bool(wanted & lines.get("", set()))
        keys = {}
        for name, test in self.tests.items():
            own = name.split("/")[1] == mutant.file.split("/")[1]
            if test["passed"] and (own or name in lines):
                direct = name in lines and (imported or bool(wanted & lines[name]))
                keys[name] = (not own, test["heavy"], not direct, test["seconds"], name)
        for _, names in groupby(sorted(keys, key=keys.__getitem__), key=lambda name: keys[name][:2]):
            chosen = list(names)
            total = np.cumsum([self.tests[name]["seconds"] for name in chosen])
            yield chosen[: max(1, int(np.searchsorted(total, budget)))]

    def run(self, copy: Copy, names: list[str]) -> tuple[int | None, dict[str, Any]]:
        """Runs some, up to the first failure."""
        limit = START + SLOWER * sum(self.tests[name]["seconds"] for name in names)
        files = dict.fromkeys(name.split("::")[0] for name in names)
        return copy.session({"order": names, "known": list(self.tests)}, "-x", *files, limit=limit)


def statement(source: str, line: int) -> set[int]:
    """The lines of the smallest statement around a line; of one with a body, those of its head."""
    spans = [range(line, line + 1000)]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.stmt | ast.ExceptHandler):
            first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))])
            body = getattr(node, "body", None)
            spans.append(range(first, max(node.lineno + 1, body[0].lineno) if body else node.end_lineno + 1))
    best = min((span for span in spans if line in span), key=len)
    return {line} if len(best) == 1000 else set(best)


def judge(copy: Copy, tests: Tests, mutant: Mutant, text: str, *, budget: float) -> dict[str, Any]:
    """Runs the tests for one mutant; "verdict" is killed, timeout or survived."""
    start, ran, unsteady = time.monotonic(), 0, []
    source = (copy.root / mutant.file).read_text(encoding="utf-8")
    diff = difflib.unified_diff(source.splitlines(), text.splitlines(), n=0, lineterm="")
    result = {**mutant._asdict(), "diff": list(diff)[3:], "verdict": "survived"}
    copy.write(mutant.file, text)
    for names in tests.sessions(mutant, source, budget=budget):
        code, found = tests.run(copy, names)
        ran += len(names)
        by, why = found["failure"] or ("", f"exit code {code}")
        if code is None:
            result |= {"verdict": "timeout", "why": f"{len(names)} tests took too long, {names[0]} the first"}
        elif by in tests.tests and tests.run(copy, [by])[0] == 0:
            unsteady.append(by)
        elif code not in (0, 5):
            result |= {"verdict": "killed", "by": by, "why": why}
        if result["verdict"] != "survived":
            break
    copy.write(mutant.file, source)
    return result | {"chosen": ran, "unsteady": unsteady, "seconds": round(time.monotonic() - start, 1)}


def table(results: list[dict[str, Any]]) -> str:
    """Counts, and every survivor with its change, as Markdown."""
    judged = json.loads(EQUIVALENT.read_text(encoding="utf-8"))
    assert len(judged) <= MOST_EQUIVALENT, f"more than {MOST_EQUIVALENT} in {EQUIVALENT.name}"
    reasons = {(one["file"], one["operator"], *one["diff"]): one["reason"] for one in judged}
    counts, rows = Counter(), []
    for one in sorted(results, key=lambda one: (one["file"], one["line"], one["column"], one["operator"])):
        reason = reasons.get((one["file"], one["operator"], *one["diff"]))
        verdict = "equivalent" if reason and one["verdict"] == "survived" else one["verdict"]
        counts[verdict] += 1
        if one["verdict"] == "survived":
            change = "<br>".join(f"`{line}`" for line in one["diff"]).replace("|", "\\|")
            rows.append(f"| {one['file']}:{one['line']} | {one['operator']} | {change} | {reason or ''} |")
    head = ["killed", "timeout", "survived", "equivalent"]
    lines = ["| " + " | ".join(head) + " |", "|---" * 4 + "|", "| " + " | ".join(str(counts[n]) for n in head) + " |"]
    unsteady = sorted({name for one in results for name in one["unsteady"]})
    lines += ["", f"Tests that failed, and then passed alone: {unsteady}"]
    return "\n".join(
        [*lines, "", "| survived | operator | change | equivalent, because |", "|---" * 4 + "|", *rows, ""]
    )


def keep_on(options: argparse.Namespace, commit: str, folder: Path) -> list[dict[str, Any]]:
    """Records and judges what is not done yet; all results."""
    local, kept = threading.local(), folder / f"results-{options.seed}.jsonl"
    with tempfile.TemporaryDirectory(prefix="mutants-") as temporary:

        def lay() -> None:
            local.copy = Copy(Path(tempfile.mkdtemp(dir=temporary)), commit)

        root = Copy(Path(temporary, "listed"), commit).root
        found = [path.parent for path in (root / "tests").glob("*/__init__.py")] + [*(root / "tests").glob("test_*.py")]
        units = sorted({path.relative_to(root).as_posix() for path in found} - NOT_RUN - TRAIN)
        pool = ThreadPoolExecutor(options.workers, initializer=lay)
        try:
            list(pool.map(lambda unit: record(local.copy, unit, folder / "lines"), units))
            tests = Tests(folder / "lines")
            done = [json.loads(line) for line in kept.read_text().splitlines()] if kept.exists() else []
            over = {tuple(one[key] for key in Mutant._fields) for one in done}
            drawn = [one for one in draw(root, count=options.count, seed=options.seed) if one[0] not in over]
            for future in as_completed(
                pool.submit(lambda one=one: judge(local.copy, tests, *one, budget=options.budget)) for one in drawn
            ):
                done.append(future.result())
                with kept.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(done[-1]) + "\n")
                said = (done[-1][key] for key in ("verdict", "seconds", "file", "line", "operator"))
                print(f"{len(done)}/{options.count}", *said, file=sys.stderr)
        finally:
            pool.shutdown(cancel_futures=True)  # Ctrl-C: after the sessions that run
    return done


def main() -> None:
    """Goes on with a run and prints its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--budget", type=float, default=60, help="seconds of tests in a session")
    parser.add_argument("--commit", default="HEAD", help="what is tested; to go on with a run, its commit")
    options = parser.parse_args()
    name = ["git", "rev-parse", "--short=10", options.commit]
    commit = subprocess.run(name, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()
    folder = ROOT / "runs" / "mutants" / commit
    (folder / "lines").mkdir(parents=True, exist_ok=True)
    text = table(keep_on(options, commit, folder))
    (folder / f"table-{options.seed}.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
