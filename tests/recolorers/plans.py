from typing import Any

from kpalette.palettes.palette import Palette
from kpalette.recolorers.base import Plan


def plan(source: Palette, target: Palette, lightness: float, *, recolorer: Any = None) -> Plan:
    """A plan for a recolorer that is called by hand; lightness moves by a curve."""
    return Plan(recolorer, source, target, lightness, "curve")
