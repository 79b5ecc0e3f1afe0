"""Errors of the library: their messages, and their way back from a worker process."""

import pickle
from pathlib import Path

import pytest

from kpalette.errors import ExistsError, KPaletteError, OutputError, PaletteError, TooManyColorsError, TransparencyError

ERRORS = [
    (ExistsError(Path("out", "a.png")), OutputError, "out/a.png exists already: use overwrite=True to replace it"),
    (
        TransparencyError("JPEG cannot hold it"), OutputError,
        "JPEG cannot hold it: write .png or .webp, or use background='white'",
    ),
    (
        TooManyColorsError("x has 9 colours: a palette has 2 to 8"), PaletteError,
        "x has 9 colours: a palette has 2 to 8, size=N takes the N that represent it best",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("error", "base", "message"), ERRORS)
def test_errors_come_back_from_a_worker_process_as_they_were(error, base, message):
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), vars(again)) == (type(error), message, vars(error))
    assert isinstance(again, base)
    assert isinstance(again, KPaletteError)
    assert str(error) == message
