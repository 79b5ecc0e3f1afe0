import json
import os
import subprocess
import sys

import pytest

import kpalette
from kpalette import read_image
from kpalette.recolorers.registry import list_recolorers
from tests.cli.conftest import NOTES, ROWS


def test_demo_prints_the_table_and_the_path_of_the_sheet(kp, tmp_path):
    result = kp("demo", "--sample", "chelsea")
    assert result.code == 0
    assert [line.split()[0] for line in result.text.splitlines()] == ["method", *ROWS]
    assert result.err.splitlines() == [*NOTES, f"sheet: {tmp_path / 'kpalette-demo.png'}"]
    assert read_image("kpalette-demo.png").rgb.shape[1] > 2 * 451  # two tiles a row
    assert "exists already" in kp("demo").err
    assert kp("demo", "--sample", "chelsea", "-p", "red blue", "--force").code == 0


def test_info_prints_versions_limits_and_recolorers(kp):
    facts = json.loads(kp("info", "--json").text)
    assert facts["kpalette"] == kpalette.__version__
    assert list(facts["recolorers"]) == list(list_recolorers())
    assert facts["max_pixels"] == 100_000_000
    assert facts["packages"]["numpy"]
    text = kp("info").text
    assert "default_model:  palettenet" in text
    assert "not installed" in text or "tensorflow" in text


def test_version_and_unknown_commands(kp):
    assert kp("--version").text == f"kpalette, version {kpalette.__version__}\n"
    result = kp("recolour")
    assert result.code == 2
    assert "No such command 'recolour'" in result.err


def test_python_dash_m():
    done = subprocess.run([sys.executable, "-m", "kpalette", "--version"], capture_output=True, text=True, check=True)
    assert kpalette.__version__ in done.stdout


def test_a_reader_that_stops_is_not_an_error(tmp_path, photo):
    kpalette.write_image(tmp_path / "a.png", photo)
    script = f"{sys.executable} -m kpalette palette a.png | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert done.stdout.strip() in ("0", "1")


@pytest.mark.parametrize("redirect", ["> /dev/full", ">&-"])
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_standard_output_that_cannot_be_written(tmp_path, photo, redirect):
    kpalette.write_image(tmp_path / "a.png", photo)
    for command in ("palette a.png", "recolor a.png -p 'red blue' -o -"):
        script = f"{sys.executable} -m kpalette {command} {redirect}"
        done = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert "Traceback" not in done.stderr
        if "full" in redirect:
            assert done.returncode == 1
            assert done.stderr == "kpalette: error: standard output: No space left on device\n"


def test_ctrl_c_prints_a_line_and_exits_130(kp, monkeypatch):
    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("kpalette.cli.about.max_pixels", interrupt)
    result = kp("info")
    assert (result.code, result.err.strip()) == (130, "kpalette: stopped")
