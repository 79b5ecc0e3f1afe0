import xml.etree.ElementTree as ElementTree

from kpalette.search.figure import draw_runs
from kpalette.search.records import ranked
from tests.conftest import load
from tests.search.test_published import runs

load("matplotlib")


def test_every_configuration_has_a_line_and_every_run_a_dot():
    found = ranked(runs(lambda rate, batch, shuffle: rate + batch / 1000, failed=[(0.01, 16, True)]))
    data = draw_runs(found)
    assert data == draw_runs(found)
    text = data.decode()
    ElementTree.fromstring(text)
    assert text.count("lr 0.0002, batch") == 6
    assert text.count("lr 0.01, batch") == 6
    assert "3 of 3 failed: diverged" in text
    # Dots are markers that are used by reference.
    assert sum(text.count(f"fill: {color}; fill-opacity: 0.75") for color in ("#2f6db3", "#c2451e")) == 33
