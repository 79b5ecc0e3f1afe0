"""The scripts of findings/, read but not run: they need the network."""

import os
import re

import pytest

from tests.conftest import ROOT

FOLDER = ROOT / "findings"
SCRIPTS = sorted(FOLDER.glob("*.sh"))


def commands(path):
    """What a script runs: its lines without comments."""
    return [line for line in path.read_text().splitlines() if not line.lstrip().startswith("#")]


def test_every_script_is_in_the_list_and_nothing_else_lies_there():
    listed = re.findall(r"^\| `(.+?\.sh)` \|", (FOLDER / "README.md").read_text(), re.MULTILINE)
    assert sorted(listed) == [path.name for path in SCRIPTS]
    assert {path.name for path in FOLDER.iterdir()} == {"README.md", *listed}


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
class TestScript:
    def test_is_executable_bash_that_stops_at_an_error(self, path):
        assert os.access(path, os.X_OK)
        assert path.read_text().startswith("#!/usr/bin/env bash\n")
        assert "set -euo pipefail" in commands(path)

    def test_head_says_all_that_the_form_asks(self, path):
        head = path.read_text().split("set -euo pipefail")[0]
        fields = re.findall(r"^# (\w+(?: by)?): ", head, re.MULTILINE)
        assert fields == ["Guess", "Seen", "Version", "Met by", "kpalette"]

    def test_works_in_a_temporary_folder_that_it_removes(self, path):
        lines = commands(path)
        made = lines.index("folder=$(mktemp -d)")
        assert lines[made + 1 : made + 3] == ["trap 'rm -rf \"$folder\"' EXIT", 'cd "$folder"']
        assert not any("install" in line for line in lines[:made])

    def test_installs_exact_versions_by_name(self, path):
        installs = [line for line in commands(path) if re.search(r"\b(pip|npm)\b.* install ", line)]
        assert installs
        packages = [word.strip('"') for line in installs for word in line.split(" install ")[1].split()]
        packages = [word for word in packages if not word.startswith("-")]
        for package in packages:
            assert re.fullmatch(r"[\w-]+==[\d.]+|@?[\w/-]+@[\d.]+|\$version", package), package
        assert "$version" not in packages or re.search(r"for version in( [\w-]+==[\d.]+)+;", path.read_text())

    def test_runs_without_kpalette(self, path):
        assert not any("kpalette" in line for line in commands(path))
        assert not any("://" in line for line in commands(path))
