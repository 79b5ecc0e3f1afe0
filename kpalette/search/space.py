"""The space of a search: the options that it varies, from a JSON file or the study's twelve configurations."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from itertools import islice, product
from pathlib import Path
from typing import Any

from kpalette.errors import ArgumentError, reason
from kpalette.files import read_file
from kpalette.training.config import TrainConfig

OWN = (
    "phase", "run", "start_from", "resume", "images", "limit", "palettes", "epochs", "steps_per_epoch", "seed",
    "patience",
)  # fmt: skip
"""Options of a run that the search itself sets."""

SHARED = ("crop", "image_size", "selection_share", "devices", "threads", "previews", "precision")
"""Options that must be the same in all runs, since figures depend on them."""

OF_THE_START = ("filters", "conditioning")
"""Options that starting weights decide."""

OF_PHASE_2 = ("adversarial_weight", "discriminator", "discriminator_rate")
"""Options without effect in phase 1."""

_SHORT = {
    "learning_rate": "lr",
    "batch_size": "batch",
    "palette_weight": "palette",
    "adversarial_weight": "adversarial",
}
_LOOKED_AT = 10_000  # configurations that are searched for a valid one
_PRECISE = 6  # digits of a drawn number, since KerasTuner sends float32 over gRPC


@dataclass(frozen=True)
class Dimension:
    """An option that is varied: over `values`, or from `low` to `high` if there are none.

    Attributes:
        name: a field of `TrainConfig`.
        values: the values to try.
        low: lower end of a range; if both ends are whole, whole numbers are drawn.
        high: upper end of a range.
        log: whether a range is drawn on a logarithmic scale.

    Example:
        >>> Dimension("clip", (), 0.1, 10.0, True).ends
        (0.1, 10.0)
    """

    name: str
    values: tuple[Any, ...] = ()
    low: float = 0.0
    high: float = 0.0
    log: bool = False

    @property
    def whole(self) -> bool:
        """Whether a range has whole numbers."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    @property
    def ends(self) -> tuple[Any, ...]:
        """The values, or both ends of a range."""
        return self.values or (self.low, self.high)

    @property
    def texts(self) -> list[str]:
        """The values as KerasTuner stores them: as text, which gRPC sends exactly."""
        return [json.dumps(value) for value in self.values]

    def read(self, held: Any) -> Any:
        """The value that KerasTuner stores as `held`."""
        if self.values:
            return json.loads(held)
        return round(held) if self.whole else float(f"{held:.{_PRECISE}g}")


STUDY = (
    Dimension("learning_rate", (0.01, 0.0002)),
    Dimension("batch_size", (8, 16, 32)),
    Dimension("shuffle", (True, False)),
)
"""The twelve configurations of the published study."""


def combinations(space: tuple[Dimension, ...]) -> Iterator[dict[str, str]]:
    """All combinations of a space without ranges, as KerasTuner stores them."""
    for texts in product(*(dimension.texts for dimension in space)):
        yield dict(zip((dimension.name for dimension in space), texts, strict=True))


def label(values: Mapping[str, Any]) -> str:
    """A short name of a configuration: "lr 0.0002, batch 8, shuffle off"."""
    return ", ".join(f"{_SHORT.get(name, name.replace('_', ' '))} {shown(value)}" for name, value in values.items())


def shown(value: Any) -> str:
    """A value of a dimension as readable text."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)


def read_space(path: Path) -> tuple[tuple[Dimension, ...], dict[str, Any]]:
    """Reads a space, {"learning_rate": [0.01, 0.001], "clip": {"min": 0.1, "max": 10, "log": true}, "filters": 16}.

    Args:
        path: a JSON file of options of `kpalette.train`: a list or a range for an option that is varied, a plain
            value for one that all runs share.

    Returns:
        The dimensions, and the shared options.

    Raises:
        ArgumentError: names the file and what is wrong with it.
    """
    data = read_file(path, error=ArgumentError, what="a file of a search's space")
    try:
        entries = json.loads(data, parse_constant=_no_number, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise ArgumentError(f"{path} is not JSON: {reason(error)}") from None
    try:
        if not isinstance(entries, dict):
            raise ArgumentError('it is not of the form {"learning_rate": [...], ...}')
        varied = {name: entry for name, entry in entries.items() if isinstance(entry, list | dict)}
        space = tuple(_dimension(name, entry) for name, entry in varied.items())
        if not space:
            raise ArgumentError("it varies nothing: give an option a list of values or a range")
        return space, {name: entry for name, entry in entries.items() if name not in varied}
    except ArgumentError as error:
        raise ArgumentError(f"{path} is not a space: {error}") from None


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is not a number")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuses equal names, of which JSON's own reader silently keeps the last."""
    found = dict(pairs)
    for name in found:
        if sum(name == other for other, _ in pairs) > 1:
            raise ValueError(f"`{name}` occurs twice")
    return found


def _dimension(name: str, entry: Any) -> Dimension:
    if isinstance(entry, list):
        numbers = any(isinstance(value, float) for value in entry)
        values = tuple(float(v) if numbers and type(v) is int else v for v in entry)
        if not entry or len({json.dumps(value) for value in values}) < len(entry):
            raise ArgumentError(f"`{name}` must have at least one value, and none twice. Received: {entry}")
        if None in entry:
            raise ArgumentError(f"`{name}` must have values other than null")
        return Dimension(name, values)
    wanted = '{"min": A, "max": B}, A below B, and perhaps "log": true with A above 0'
    low, high, log = entry.get("min"), entry.get("max"), entry.get("log", False)
    numbers = all(isinstance(x, int | float) and not isinstance(x, bool) and math.isfinite(x) for x in (low, high))
    if not entry.keys() <= {"min", "max", "log"} or not numbers or not isinstance(log, bool):
        raise ArgumentError(f"the range of `{name}` must be {wanted}. Received: {json.dumps(entry)}")
    if not low < high or (log and low <= 0):
        raise ArgumentError(f"the range of `{name}` must be {wanted}. Received: {json.dumps(entry)}")
    return Dimension(name, (), low, high, log)


def check_space(space: tuple[Dimension, ...], settings: Mapping[str, Any], *, phase: str) -> None:
    """Checks that the options can be varied or shared, and that runs can have the values.

    Args:
        space: options that are varied.
        settings: options that all runs share.
        phase: phase of the runs.

    Raises:
        ArgumentError: names the first option that is wrong.
    """
    started = phase == "adversarial"
    known = {field.name: field for field in fields(TrainConfig)}
    for name in (*settings, *(dimension.name for dimension in space)):
        if name not in known:
            raise ArgumentError(f"`{name}` is not an option of a run (python -m kpalette.train --help lists them)")
        if name in OWN:
            raise ArgumentError(f"`{name}` is set by the search: give an option of the search, or leave it out")
        if started and name in OF_THE_START:
            raise ArgumentError(f"`{name}` is decided by the weights that phase 2 starts from")
        if not started and name in OF_PHASE_2:
            raise ArgumentError(f"`{name}` has no effect in phase 1: give --phase adversarial")
    both = [dimension.name for dimension in space if dimension.name in settings]
    if both:
        raise ArgumentError(f"`{both[0]}` is varied and given for all runs")
    for name, value in (*settings.items(), *((d.name, value) for d in space for value in d.ends)):
        if isinstance(known[name].default, bool) and not isinstance(value, bool):
            raise ArgumentError(f"`{name}` must be true or false. Received: {value!r}")
    base = {**settings, "phase": phase, "start_from": "a run" if started else None}
    for dimension in space:
        if dimension.name in SHARED:
            raise ArgumentError(f"`{dimension.name}` must be the same in all runs: figures depend on it")
        for value in dimension.ends:
            possible(tuple(replace(d, values=(value,)) if d is dimension else d for d in space), base)


def possible(space: tuple[Dimension, ...], base: Mapping[str, Any]) -> dict[str, Any]:
    """The first valid configuration of a space; valid values can be invalid together.

    Args:
        space: options that are varied.
        base: all other options that are given.

    Returns:
        Values by dimension.

    Raises:
        ArgumentError: if there is none; it says why the first one is invalid.
    """
    wrong: ArgumentError | None = None
    for values in islice(product(*(dimension.ends for dimension in space)), _LOOKED_AT):
        found = dict(zip((dimension.name for dimension in space), values, strict=True))
        try:
            TrainConfig(**{**base, **found})
        except ArgumentError as error:
            wrong = wrong or error
        else:
            return found
    raise wrong or ArgumentError("it varies nothing")


def to_entries(space: tuple[Dimension, ...]) -> list[dict[str, Any]]:
    """A space as JSON values."""
    return [asdict(dimension) for dimension in space]


def from_entries(entries: list[dict[str, Any]]) -> tuple[Dimension, ...]:
    """The space of the JSON values from `to_entries`."""
    return tuple(Dimension(**{**entry, "values": tuple(entry["values"])}) for entry in entries)
