import subprocess
import sys

import pytest

from kpalette.kernels import loader
from kpalette.kernels.loader import LEAST, VARIABLE, kernels_for, using_kernels


@pytest.fixture
def afresh(monkeypatch):
    """Loads anew in the test, and forgets what the test has loaded."""
    monkeypatch.setenv(VARIABLE, "1")
    loader._load.cache_clear()
    yield
    loader._load.cache_clear()


def test_large_pictures_get_kernels(kernels):
    assert kernels_for(LEAST) is None
    assert kernels_for(LEAST + 1) is kernels


def test_small_pictures_get_them_where_a_server_asks(kernels, monkeypatch):
    with using_kernels(True):
        assert kernels_for(1) is kernels
        monkeypatch.setenv(VARIABLE, "0")
        assert kernels_for(1) is None
    monkeypatch.setenv(VARIABLE, "1")
    assert kernels_for(1) is None
    with using_kernels(False):
        assert kernels_for(LEAST + 1) is None


def test_a_variable_forbids_them(kernels, monkeypatch):
    monkeypatch.setenv(VARIABLE, "0")
    assert kernels_for(10 * LEAST) is None


def test_without_numba_there_are_none(afresh, monkeypatch, caplog):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert kernels_for(LEAST + 1) is None
    assert not caplog.messages


@pytest.mark.parametrize(
    "error", [ImportError("Numba needs NumPy 2.3 or less"), RuntimeError("cannot cache function: no locator available")]
)
def test_a_numba_that_cannot_serve_is_named_once(afresh, monkeypatch, caplog, error):
    def fail(name):
        raise error

    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    monkeypatch.setattr("importlib.import_module", fail)
    assert [kernels_for(LEAST + 1) for _ in range(2)] == [None, None]
    assert caplog.messages == [f"no compiled kernels, large pictures take longer: {error}"]


def test_small_pictures_do_not_load_numba():
    code = (
        "import sys, numpy, kpalette\n"
        "kpalette.recolor(numpy.zeros((512, 512, 3), numpy.uint8) + numpy.arange(3, dtype=numpy.uint8), 'red blue')\n"
        "assert 'numba' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
