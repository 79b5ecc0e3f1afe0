"""What the documents say: no placeholders, links that lead somewhere, snippets that run."""

import re

import numpy as np

import kpalette
from kpalette.images.files import write_image
from tests.conftest import ROOT


def test_documents_hold_no_placeholders():
    for path in (ROOT / "README.md", ROOT / "CHANGELOG.md"):
        text = path.read_text()
        assert not re.findall(r"TODO|TBD|FIXME|XXX|\b[A-Z]+_TABLE\b|@[A-Z_]+@", text), path.name
        for link in re.findall(r"\]\(([^)#]+)\)", text):
            assert (ROOT / link).exists(), f"{path.name} links to {link}"


def test_the_readmes_python_runs(tmp_path, monkeypatch, photo):
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert blocks
    monkeypatch.chdir(tmp_path)
    write_image("photo.jpg", photo)
    write_image("photo.recolored.jpg", photo)  # the shell commands above them were there first
    names: dict = {}
    for block in blocks:
        exec(block, names)
    assert isinstance(names["result"], kpalette.Picture)
    assert not np.array_equal(names["recolored"], names["array"])
