"""Tables of figures on standard output."""

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from kpalette.recolorers.strength import lightness_text
from kpalette.study.compare import MethodResult
from kpalette.study.records import StudyRecord
from kpalette.study.statistics import by_method, center, groups_of
from kpalette.study.tables import DIGITS
from kpalette.types import TONES

COLUMNS = ("ssim", "palette_de", "palette_de_ab", "richness", "false_edges")
_DIGITS = {"ssim": 3, "palette_de": 1, "palette_de_ab": 1, "richness": 2, "false_edges": 3, "seconds": 2}


def print_figures(rows: Iterable[MethodResult]) -> None:
    """Prints the figures of results, a line for each."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("method", no_wrap=True)
    for name in ("lightness", *COLUMNS, "seconds"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        figures = {**row.figures, "seconds": row.seconds}
        by = "" if row.lightness is None else _strength(row)
        table.add_row(row.method, by, *(f"{figures[name]:.{_DIGITS[name]}f}" for name in _DIGITS))
    console = Console()
    if not console.is_terminal:
        console.width = 100
    console.print(table)


def _strength(row: MethodResult) -> str:
    """The lightness strength of a recolorer's row, and the tone if that is another than the default."""
    tone = f" {row.tone}" if row.tone != TONES[0] and row.lightness else ""
    return f"{lightness_text(row.lightness or 0.0)}{tone}"


def study_table(records: Iterable[StudyRecord], figures: tuple[str, ...], *, statistic: str) -> Table:
    """A table of some figures of a study, a line for each method; see `kpalette.study.statistics.center`."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("method", no_wrap=True)
    for name in figures:
        table.add_column(name, justify="right", no_wrap=True)
    for method, own in by_method(records).items():
        values = [center(groups_of(own, name), statistic=statistic) for name in figures]
        table.add_row(Text(method), *(f"{value:.{DIGITS[name]}f}" for name, value in zip(figures, values, strict=True)))
    return table


def label(row: MethodResult) -> tuple[str, str]:
    """The name of a result for a sheet, and its figures in one short line."""
    figures = row.figures
    name = row.method if row.lightness is None else f"{row.method}  (lightness {_strength(row)})"
    return name, (
        f"ssim {figures['ssim']:.3f}   palette dE {figures['palette_de']:.1f}   "
        f"(ab {figures['palette_de_ab']:.1f})   richness {figures['richness']:.2f}"
    )
