"""Programs that tests run: skipped without them, except in continuous integration."""

import os

import pytest

from tests.conftest import PROGRAMS, find_program, program


def test_imagemagick_is_known_by_its_version(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    for name, text in (("magick", "another program"), ("convert", "Version: ImageMagick 6.9")):
        (tmp_path / name).write_text(f"#!/bin/sh\necho '{text}'\n")
        os.chmod(tmp_path / name, 0o755)
    assert find_program("imagemagick") == str(tmp_path / "convert")
    assert program("imagemagick") == str(tmp_path / "convert")


@pytest.mark.parametrize("name", [name for name in PROGRAMS if name != "ffmpeg"])  # which a package may bring
def test_a_missing_program_skips_a_test_and_fails_it_in_continuous_integration(name, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CI", raising=False)
    assert find_program(name) is None
    with pytest.raises(pytest.skip.Exception, match=f"{name} is not installed"):
        program(name)
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match=f"{name} is not installed"):
        program(name)
