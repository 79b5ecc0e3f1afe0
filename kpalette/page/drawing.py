"""What the page draws itself: swatches as HTML, and the chart of both figures as a Vega-Lite description."""

import html
import re
from collections.abc import Sequence
from typing import Any

from kpalette.color.names import color_name
from kpalette.page.results import Result, title_of

_POINTS = ["#2f7fc1", "#c9730f", "#2a9d7f", "#b5518f", "#808080"]  # plain to see on light and on dark

# Two lines, whatever the name, so that what stands below is in line.
_LABEL = "font-size:.78rem;line-height:1.2;min-height:2.4em;overflow-wrap:anywhere"


def swatch_html(color: str, *, share: float | None = None) -> str:
    """A swatch with its name, and its share of the picture if told.

    Args:
        color: `#rrggbb`.
        share: 0..1.

    Returns:
        HTML; screen readers hear the name, the code and the share.
    """
    name = html.escape(color_name(color))
    told = "" if share is None else f"{share:.0%}"
    spoken = f"{name}, {html.escape(color)}" + (f", {told} of the picture" if told else "")
    return (
        f'<div role="img" aria-label="{spoken}" title="{spoken}" style="background:{html.escape(color)};height:2.6rem;'
        f'border-radius:.4rem;border:1px solid rgba(128,128,128,.5)"></div>'
        f'<div aria-hidden="true" style="{_LABEL};margin-top:.25rem">'
        f"{f'<b>{told}</b> ' if told else ''}{name}</div>"
    )


def becomes_html(color: str) -> str:
    """The name of what a colour becomes, as high as that of a swatch beside it."""
    return f'<div style="{_LABEL}">→ {html.escape(color_name(color))}</div>'


def strip_html(colors: Sequence[str]) -> str:
    """A palette as one strip of colours; screen readers hear their names."""
    spoken = html.escape(", ".join(color_name(color) for color in colors))
    parts = "".join(f'<span style="flex:1;background:{html.escape(color)}"></span>' for color in colors)
    return (
        f'<div role="img" aria-label="Palette: {spoken}" style="display:flex;height:1.1rem;border-radius:.3rem;'
        f'overflow:hidden;border:1px solid rgba(128,128,128,.5)">{parts}</div>'
    )


def chart(results: Sequence[Result]) -> dict[str, Any]:
    """Structure against palette distance, a point for each result, as a Vega-Lite description with its data."""
    rows = [
        {"method": title_of(r.recipe.recolorer.name), "ssim": round(r.ssim, 3), "palette_de": round(r.palette_de, 1)}
        for r in results
    ]
    spoken = "; ".join(f"{r['method']}: structure {r['ssim']}, distance {r['palette_de']}" for r in rows)
    widest = max((r.palette_de for r in results), default=1.0)
    x: dict[str, Any] = {
        "field": "palette_de",
        "type": "quantitative",
        "title": "distance to your palette (0 is exact)",
    }
    x["scale"] = {"domain": [0, max(5.0, widest * 1.35)]}
    y: dict[str, Any] = {"field": "ssim", "type": "quantitative", "title": "structure kept (1 is all)"}
    lowest = min((r.ssim for r in results), default=0.0)
    y["scale"] = {"domain": [lowest - max(0.002, (1 - lowest) * 0.5), 1.0], "nice": False}
    y["axis"] = {"format": ".3~f", "tickCount": 5}
    # A legend, not names beside the points: near points would write over each other. Colour and shape both tell.
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
    """Text for a place that reads Markdown, so that a file's name cannot be taken for any."""
    return re.sub(r"([\\`*_{}\[\]()#+.!|~$:<>-])", r"\\\1", text)
