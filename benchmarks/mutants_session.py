"""Copies of the tree, and pytest sessions in them, for mutants.py: mutants_session.py OUT.json CHOSEN.json PYTEST...

CHOSEN.json holds "order", the tests to run, and "known", all tests of the unchanged tree; without them all run.
"""

import contextlib
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
from importlib.util import cache_from_source
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
MEMORY = 24 * 2**30  # of addresses: a mutant may ask for more than there is
WRONG_COPY = 99
# Tests that load TensorFlow, JAX or Keras, which takes seconds.
HEAVY_FILE = re.compile(r"^(\w+ = load\(|from kpalette\.(models|training|search|page|data|runtimes))", re.MULTILINE)
HEAVY_CASE = re.compile(r"\[.*\b(tensorflow|tf\.data|jax|keras)\b")


class Copy:
    """A worker's copy of a commit."""

    def __init__(self, folder: Path, commit: str) -> None:
        """Lays it below `folder`, as the checkout lies: beside `shared`, where there is one."""
        self.folder, self.root = folder, folder / "tree"
        for made in (self.root, folder / "temporary"):
            made.mkdir(parents=True)
        archive = subprocess.run(["git", "archive", commit], cwd=ROOT, check=True, capture_output=True).stdout
        subprocess.run(["tar", "-x"], cwd=self.root, input=archive, check=True)
        if (ROOT.parent / "shared").exists():
            (folder / "shared").symlink_to(ROOT.parent / "shared")

    def session(self, chosen: dict[str, Any], *arguments: str, limit: float) -> tuple[int | None, dict[str, Any]]:
        """Runs a pytest session in processes of its own; its exit code, None if ended by time, and what it kept."""
        out, order = self.folder / "out.json", self.folder / "chosen.json"
        order.write_text(json.dumps(chosen), encoding="utf-8")
        out.unlink(missing_ok=True)
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        environment |= {"PYTHONPATH": str(self.root), "TMPDIR": str(self.folder / "temporary")}
        environment["KPALETTE_REQUIRE_BACKENDS"] = "1"
        command = [sys.executable, __file__, out, order, *arguments]
        with (self.folder / "log.txt").open("wb") as log:
            process = subprocess.Popen(
                command, cwd=self.root, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        try:
            code: int | None = process.wait(limit)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if code == WRONG_COPY:
            raise RuntimeError(f"the tests in {self.root} import another kpalette")
        return code, json.loads(out.read_text(encoding="utf-8")) if out.exists() else {"tests": {}, "failure": None}

    def write(self, file: str, text: str) -> None:
        """Changes a module, and removes what would outlast it: Python knows a stale .pyc by size and second alone."""
        shutil.rmtree(self.root / ".hypothesis", ignore_errors=True)
        (self.root / file).write_text(text, encoding="utf-8")
        Path(cache_from_source(str(self.root / file))).unlink(missing_ok=True)


class Session:
    """Runs the chosen tests in their order; keeps what each took, and the first failure."""

    def __init__(self, chosen: dict[str, list[str]]) -> None:
        """`chosen`: what CHOSEN.json holds."""
        self._order = {name: place for place, name in enumerate(chosen.get("order", ()))}
        self._known = set(chosen.get("known", ()))
        self.tests: dict[str, dict[str, Any]] = {}
        self.failure: tuple[str, str] | None = None

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Leaves tests out that are known and not chosen: one that only the mutant has runs too."""
        kept = [item for item in items if item.nodeid in self._order or item.nodeid not in self._known]
        items[:] = sorted(kept, key=lambda item: self._order.get(item.nodeid, -1))
        for item in items:
            heavy = HEAVY_FILE.search(item.path.read_text(encoding="utf-8")) or HEAVY_CASE.search(item.nodeid)
            heavy = heavy or "tiny_checkpoint" in getattr(item, "fixturenames", ())
            self.tests[item.nodeid] = {"seconds": 0.0, "passed": False, "heavy": bool(heavy)}

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A mutant may fail where a test file is imported."""
        self._keep(report)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A test is over, or its fixtures."""
        test = self.tests[report.nodeid]
        test["seconds"] += report.duration
        test["passed"] = report.passed and (test["passed"] or report.when == "call")
        self._keep(report)

    def _keep(self, report: Any) -> None:
        if report.failed and self.failure is None:
            crash = getattr(report.longrepr, "reprcrash", None)
            lines = (crash.message if crash else str(report.longrepr)).splitlines()
            self.failure = report.nodeid, next((line for line in lines if line.strip()), "")[:200]


def main() -> int:
    """Runs pytest, and writes what the session kept."""
    out, chosen, *arguments = sys.argv[1:]
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    sys.path.insert(0, str(Path.cwd()))
    import kpalette

    if not Path(kpalette.__file__).is_relative_to(Path.cwd()):
        return WRONG_COPY
    session = Session(json.loads(Path(chosen).read_text(encoding="utf-8")))
    code = pytest.main([*arguments, "-p", "no:cacheprovider", "--hypothesis-seed=0"], plugins=[session])
    Path(out).write_text(json.dumps({"tests": session.tests, "failure": session.failure}), encoding="utf-8")
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
