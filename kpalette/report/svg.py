"""SVG figures of studies and searches, all in one style."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kpalette.errors import ArgumentError

_SETTINGS = {"svg.fonttype": "none", "svg.hashsalt": "kpalette", "font.family": "sans-serif", "font.size": 9.0}


def import_matplotlib() -> Any:
    """Imports Matplotlib; an ArgumentError says how to install it if it is missing."""
    try:
        import matplotlib
    except ImportError:
        raise ArgumentError("the figure needs matplotlib: pip install 'kpalette[study]'") from None
    return matplotlib


@contextmanager
def svg_axes(width: float, height: float) -> Iterator[tuple[Any, io.BytesIO]]:
    """Opens axes to draw on; when the block ends, the figure is written to the stream.

    Args:
        width: width of the figure in inches.
        height: height of the figure in inches.

    Yields:
        Matplotlib's axes, and the stream that gets the SVG file: the same bytes for the same drawing and the same
        version of Matplotlib.

    Raises:
        ArgumentError: if Matplotlib is not installed.
    """
    matplotlib = import_matplotlib()
    from matplotlib.figure import Figure

    stream = io.BytesIO()
    with matplotlib.rc_context(_SETTINGS):
        figure = Figure(figsize=(width, height), layout="constrained")
        axes = figure.add_subplot()
        axes.grid(color="#e4e4e0", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        yield axes, stream
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": "kpalette"})
