"""Drawings of the page: swatches in HTML, and the chart of both figures as a Vega-Lite description."""

import html
import re
from collections.abc import Sequence
from typing import Any

from kpalette.color.names import color_name
from kpalette.page.proofs import Result
from kpalette.page.results import title_of

_POINTS = ["#2f7fc1", "#c9730f", "#2a9d7f", "#b5518f", "#808080"]  # visible on light and on dark pages

# Two lines for every name, so that the elements below are aligned.
_LABEL = "font-size:.78rem;line-height:1.2;min-height:2.4em;overflow-wrap:anywhere"


def swatch_html(color: str, *, share: float | None = None) -> str:
    """A swatch with its name, and with its share of the picture if that is given.

    Args:
        color: `#rrggbb`.
        share: share of the picture, 0..1.

    Returns:
        HTML. Screen readers read name, code and share.
    """
    name = html.escape(color_name(color))
    percent = "" if share is None else f"{share:.0%}"
    spoken = f"{name}, {html.escape(color)}" + (f", {percent} of the picture" if percent else "")
    return (
        f'<div role="img" aria-label="{spoken}" title="{spoken}" style="background:{html.escape(color)};height:2.6rem;'
        f'border-radius:.4rem;border:1px solid rgba(128,128,128,.5)"></div>'
        f'<div aria-hidden="true" style="{_LABEL};margin-top:.25rem">'
        f"{f'<b>{percent}</b> ' if percent else ''}{name}</div>"
    )


def becomes_html(color: str) -> str:
    """The name of a target colour, of the same height as the names of swatches."""
    return f'<div style="{_LABEL}">→ {html.escape(color_name(color))}</div>'


def strip_html(colors: Sequence[str]) -> str:
    """A palette as one strip of colours. Screen readers read their names."""
    spoken = html.escape(", ".join(color_name(color) for color in colors))
    parts = "".join(f'<span style="flex:1;background:{html.escape(color)}"></span>' for color in colors)
    return (
        f'<div role="img" aria-label="Palette: {spoken}" style="display:flex;height:1.1rem;border-radius:.3rem;'
        f'overflow:hidden;border:1px solid rgba(128,128,128,.5)">{parts}</div>'
    )


def chart(results: Sequence[Result]) -> dict[str, Any]:
    """A chart of structure and palette distance, a point for each result: a Vega-Lite description with its data."""
    rows = [
        {"method": title_of(r.recipe.recolorer.name), "ssim": round(r.ssim, 3), "palette_de": round(r.palette_de, 1)}
        for r in results
    ]
    spoken = "; ".join(f"{r['method']}: structure {r['ssim']}, distance {r['palette_de']}" for r in rows)
    widest = max((r.palette_de for r in results), default=1.0)
    x: dict[str, Any] = {
        "field": "palette_de",
        "type": "quantitative",
        "title": "distance to your palette (CIEDE2000, 0 is exact)",
    }
    x["scale"] = {"domain": [0, max(5.0, widest * 1.35)]}
    y: dict[str, Any] = {"field": "ssim", "type": "quantitative", "title": "structure kept (SSIM, 1 is all)"}
    lowest = min((r.ssim for r in results), default=0.0)
    y["scale"] = {"domain": [lowest - max(0.002, (1 - lowest) * 0.5), 1.0], "nice": False}
    y["axis"] = {"format": ".3~f", "tickCount": 5}
    # A legend: names beside near points would overlap. Results differ in colour and in shape.
    legend = {"orient": "top", "columns": 2, "title": None, "labelLimit": 0, "symbolSize": 120}
    method = {"field": "method", "type": "nominal", "sort": None, "legend": legend}
    return {
        "description": f"Chart of the results. {spoken}",
        "data": {"values": rows},
        "mark": {"type": "point", "filled": True, "size": 160, "opacity": 0.9},
        "encoding": {
            "x": x, "y": y, "color": {**method, "scale": {"range": _POINTS}}, "shape": method,
            "tooltip": [{"field": "method"}, {"field": "ssim"}, {"field": "palette_de"}],
        },
        "height": 320,
    }  # fmt: skip


def plain(text: str) -> str:
    """Escapes Markdown, for text such as the name of a file."""
    return re.sub(r"([\\`*_{}\[\]()#+.!|~$:<>-])", r"\\\1", text)
