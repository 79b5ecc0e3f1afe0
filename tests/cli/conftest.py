import io
import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from kpalette import write_image
from kpalette.cli import app
from kpalette.recolorers.registry import list_recolorers, missing_recolorers

MISSING = missing_recolorers()
ROWS = ["source", *(name for name in list_recolorers() if name not in MISSING)]
"""The rows of `compare` and `demo`."""
NOTES = [f"kpalette: note: left out {' and '.join(MISSING)}: the weights are missing"] if MISSING else []


@dataclass
class Result:
    code: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        return self.out.decode()


class Stream(io.TextIOWrapper):
    """Standard input or output in memory, a terminal or not."""

    def __init__(self, data: bytes = b"", *, terminal: bool = False) -> None:
        super().__init__(io.BytesIO(data), encoding="utf-8", write_through=True)
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal


@pytest.fixture
def kp(monkeypatch, tmp_path) -> Callable[..., Result]:
    """Runs the command line in an empty folder, as `main` does, and returns what it prints."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")

    def run(*arguments: str, stdin: bytes = b"", terminal: bool = False) -> Result:
        out, err = Stream(terminal=terminal), io.StringIO()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", ["kpalette", *map(str, arguments)])
            patch.setattr(sys, "stdin", Stream(stdin, terminal=terminal))
            patch.setattr(sys, "stdout", out)
            patch.setattr(sys, "stderr", err)
            code = 0
            try:
                app.main()
            except SystemExit as stop:
                code = int(stop.code or 0)
        assert "Traceback" not in err.getvalue()
        return Result(code, out.buffer.getvalue(), err.getvalue())

    return run


@pytest.fixture
def small(tmp_path, photo) -> np.ndarray:
    """A picture of 64x64 pixels, which is a.png in the working folder."""
    image = np.ascontiguousarray(photo[:64, :64])
    write_image(tmp_path / "a.png", image)
    return image
