"""Figures as a table for people: on standard output, coloured where it is a terminal."""

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table

COLUMNS = ("ssim", "palette_de", "palette_de_ab", "richness", "false_edges")
_DIGITS = {"ssim": 3, "palette_de": 1, "palette_de_ab": 1, "richness": 2, "false_edges": 3, "seconds": 2}


def print_figures(rows: Iterable[tuple[str, dict[str, float]]]) -> None:
    """Prints a line for each (method, figures and seconds)."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("method", no_wrap=True)
    for name in (*COLUMNS, "seconds"):
        table.add_column(name, justify="right", no_wrap=True)
    for method, figures in rows:
        table.add_row(method, *(f"{figures[name]:.{_DIGITS[name]}f}" for name in (*COLUMNS, "seconds")))
    console = Console()
    if not console.is_terminal:
        console.width = 100
    console.print(table)


def caption(figures: dict[str, float]) -> str:
    """The figures of a tile in one short line."""
    return (
        f"ssim {figures['ssim']:.3f}   palette dE {figures['palette_de']:.1f}   "
        f"(ab {figures['palette_de_ab']:.1f})   richness {figures['richness']:.2f}"
    )
