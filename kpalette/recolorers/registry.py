"""The registry: every recolorer by name, with its titles and descriptions.

One entry is one recolorer. Command line, page, study, demo and documents take names and titles from here: a new
recolorer is one file and one entry. Other packages add recolorers by an entry point of the group `kpalette.recolorers`
that names a `RecolorerEntry` (see examples/recolorer_plugin).
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from importlib.metadata import entry_points
from multiprocessing import parent_process

from kpalette.errors import ArgumentError, one_line
from kpalette.recolorers.base import Recolorer
from kpalette.recolorers.baseline import BaselineRecolorer
from kpalette.recolorers.fitted import FittedRecolorer
from kpalette.recolorers.network import NetworkRecolorer
from kpalette.recolorers.soft import SoftRecolorer
from kpalette.weights.presets import list_checkpoints

DEFAULT_MODEL = "palettenet"
DEFAULT_COLOR_MAP = "soft"
"""Default of look-up tables, which only colour maps can write; the default recolorer is a network."""

ENTRY_POINTS = "kpalette.recolorers"
"""The group of entry points by which other packages add recolorers."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RecolorerEntry:
    """One recolorer in the registry.

    Attributes:
        name: the name by which `recolor` and the command line choose it.
        title: its name for artists.
        about: a sentence for artists.
        method: a line for experts.
        factory: makes the recolorer; that of a network takes the keyword `runtime`.
        is_color_map: whether it is a `ColorMapRecolorer`, which can be written as a look-up table.
        is_network: whether it is a network; its weights are the checkpoint of the same name.

    Example:
        >>> from kpalette import RecolorerEntry
        >>> from kpalette.recolorers.soft import SoftRecolorer
        >>> RecolorerEntry("mine", "Mine", "Much like soft.", "soft cluster shift, tau 5", SoftRecolorer).is_network
        False
    """

    name: str
    title: str
    about: str
    method: str
    factory: Callable[..., Recolorer]
    is_color_map: bool = False
    is_network: bool = False


_BUILT_IN = (
    RecolorerEntry(
        "palettenet",
        "PaletteNet",
        "A trained network. It looks at the whole picture before it decides.",
        "PaletteNet: a network that recolours by pairs of source and target colours",
        partial(NetworkRecolorer, "palettenet"),
        is_network=True,
    ),
    RecolorerEntry(
        "ablated",
        "PaletteNet, first phase",
        "The network without the second, adversarial phase of its training.",
        "PaletteNet after the first phase of its training: no discriminator, no loss on the palette",
        partial(NetworkRecolorer, "ablated"),
        is_network=True,
    ),
    RecolorerEntry(
        "soft",
        "Soft shift",
        "Colours move gently with their neighbours. Quick, smooth, the safe choice.",
        "soft cluster shift: each colour moves with the swatches near it",
        SoftRecolorer,
        is_color_map=True,
    ),
    RecolorerEntry(
        "fitted",
        "Fitted shift",
        "Soft shift, adjusted to this picture so that its colours land on yours.",
        "soft cluster shift, solved so that the picture's clusters land on the palette",
        FittedRecolorer,
        is_color_map=True,
    ),
    RecolorerEntry(
        "baseline",
        "Baseline",
        "Each colour moves as the nearest colours of the picture do (Chang et al. 2015).",
        "Chang et al. 2015: rays to the gamut border, blended by radial basis functions",
        BaselineRecolorer,
        is_color_map=True,
    ),
)


@cache
def registry() -> dict[str, RecolorerEntry]:
    """All entries by name, the default first: kpalette's own, then those of other packages, sorted by name.

    An entry point that cannot be used is left out, with a logged warning.
    """
    found = {entry.name: entry for entry in _BUILT_IN}
    for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda point: point.name):
        try:
            entry = point.load()
            if not isinstance(entry, RecolorerEntry):
                raise TypeError(f"{point.value} is not a RecolorerEntry")
            if entry.name in found:
                raise ValueError(f"there already is a recolorer {entry.name!r}")
        except Exception as error:  # an error in another package must not stop the recolorers that work
            if parent_process() is None:  # workers would repeat the note of their parent
                _log.warning("left out the recolorer %s: %s", one_line(point.name), one_line(error))
            continue
        found[entry.name] = entry
    return found


def list_recolorers() -> tuple[str, ...]:
    """Names of all recolorers, the default first; networks whose weights are missing are among them.

    Example:
        >>> from kpalette import list_recolorers
        >>> list_recolorers()[:5]
        ('palettenet', 'ablated', 'soft', 'fitted', 'baseline')
    """
    return tuple(registry())


def list_color_maps() -> tuple[str, ...]:
    """Names of the recolorers that are colour maps, and so can be written as look-up tables."""
    return tuple(name for name, entry in registry().items() if entry.is_color_map)


def list_networks() -> tuple[str, ...]:
    """Names of the recolorers that are networks."""
    return tuple(name for name, entry in registry().items() if entry.is_network)


def missing_recolorers() -> tuple[str, ...]:
    """Names of the networks whose weights are missing. They raise an error when they are to recolour."""
    present = list_checkpoints()
    return tuple(name for name in list_networks() if name not in present)


def get_recolorer(name: str, *, runtime: str = "auto") -> Recolorer:
    """Returns a recolorer by name.

    Args:
        name: one of `list_recolorers()`.
        runtime: what computes a network, one of `kpalette.runtimes.network.RUNTIMES`.

    Returns:
        The recolorer, the same object at every call. A network loads its weights with its first picture.

    Raises:
        ArgumentError: if there is none of that name, `runtime` is unknown, or given for one that is not a network.

    Example:
        >>> from kpalette import get_recolorer
        >>> get_recolorer("soft").extraction
        'kmeans'
    """
    if name not in registry():
        raise ArgumentError(f"`model` must be one of {', '.join(registry())}. Received: {name!r}")
    if runtime != "auto" and not registry()[name].is_network:
        raise ArgumentError(f"`runtime` is for {' and '.join(list_networks())} alone. Received: {runtime!r} for {name}")
    return made(name, runtime)


@cache
def made(name: str, runtime: str) -> Recolorer:
    """The one recolorer of a name and runtime in this process."""
    entry = registry()[name]
    return entry.factory(runtime=runtime) if entry.is_network else entry.factory()
