"""The registry of recolorers, by name."""

from collections.abc import Callable

from kpalette.errors import ArgumentError
from kpalette.recolorers.base import Recolorer
from kpalette.recolorers.baseline import BaselineRecolorer
from kpalette.recolorers.fitted import FittedRecolorer
from kpalette.recolorers.network import NetworkRecolorer
from kpalette.recolorers.soft import SoftRecolorer
from kpalette.weights.presets import list_checkpoints

DEFAULT_MODEL = "palettenet"
DEFAULT_LATTICE = "soft"
"""Who makes tables of colours: a network is no colour mapping."""

_FACTORIES: dict[str, Callable[[], Recolorer]] = {
    "soft": SoftRecolorer,
    "fitted": FittedRecolorer,
    "baseline": BaselineRecolorer,
}
NETWORKS = {
    "palettenet": "PaletteNet: a network that recolours by pairs of source and target colours",
    "ablated": "PaletteNet after the first phase of its training: no discriminator, no loss on the palette",
}
"""Recolourers that are presets of `NetworkRecolorer`, with their titles."""

_made: dict[tuple[str, str], Recolorer] = {}


def list_recolorers() -> tuple[str, ...]:
    """Names of all recolourers, the default first; networks whose weights are not there are among them."""
    return (*NETWORKS, *_FACTORIES)


def missing_recolorers() -> tuple[str, ...]:
    """Names of the networks whose weights are not there: they can do nothing but say so."""
    return tuple(name for name in NETWORKS if name not in list_checkpoints())


def get_recolorer(name: str, *, runtime: str = "auto") -> Recolorer:
    """Returns a recolourer by name.

    Args:
        name: one of `list_recolorers()`.
        runtime: of a network, one of `network.RUNTIMES`.

    Returns:
        The recolourer, the same object at every call. A network loads nothing before its first picture.

    Raises:
        ArgumentError: if there is none of that name, or `runtime` is unknown or asked of one that is no network.
    """
    if name not in list_recolorers():
        raise ArgumentError(f"`model` must be one of {', '.join(list_recolorers())}. Received: {name!r}")
    if name not in NETWORKS and runtime != "auto":
        raise ArgumentError(f"`runtime` is for {' and '.join(NETWORKS)} alone. Received: {runtime!r} for {name}")
    if (name, runtime) not in _made:
        _made[name, runtime] = (
            _FACTORIES[name]() if name in _FACTORIES else NetworkRecolorer(name, runtime=runtime, title=NETWORKS[name])
        )
    return _made[name, runtime]
