"""What a search varies, and what all of its runs share: the study's twelve, or a JSON file."""

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
"""Options of a run that the search itself decides."""

SHARED = ("crop", "image_size", "selection_share", "devices", "threads", "previews", "precision")
"""Options that all runs of a search share: what is measured, or how it is computed, depends on them."""

OF_THE_START = ("filters", "conditioning")
"""What runs that start from weights take from those."""

OF_PHASE_2 = ("adversarial_weight", "discriminator", "discriminator_rate")
"""What plays no part in phase 1."""

_SHORT = {
    "learning_rate": "lr",
    "batch_size": "batch",
    "palette_weight": "palette",
    "adversarial_weight": "adversarial",
}
_LOOKED_AT = 10_000  # configurations, for one that a run can have
_PRECISE = 6  # digits of a drawn number: KerasTuner's gRPC carries float32


@dataclass(frozen=True)
class Dimension:
    """An option that is varied: over `values`, or, where those are none, from `low` to `high`.

    Attributes:
        name: a field of `TrainConfig`.
        values: each that is tried.
        low: least of a range; whole numbers are drawn where both ends are whole.
        high: greatest of a range.
        log: whether a range is drawn by its logarithm.
    """

    name: str
    values: tuple[Any, ...] = ()
    low: float = 0.0
    high: float = 0.0
    log: bool = False

    @property
    def whole(self) -> bool:
        """Whether a range is of whole numbers."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    @property
    def ends(self) -> tuple[Any, ...]:
        """The values, or both ends of a range."""
        return self.values or (self.low, self.high)

    @property
    def texts(self) -> list[str]:
        """The values as KerasTuner holds them: text, which gRPC carries exactly."""
        return [json.dumps(value) for value in self.values]

    def read(self, held: Any) -> Any:
        """A value, from what KerasTuner holds of it."""
        if self.values:
            return json.loads(held)
        return round(held) if self.whole else float(f"{held:.{_PRECISE}g}")


STUDY = (
    Dimension("learning_rate", (0.01, 0.0002)),
    Dimension("batch_size", (8, 16, 32)),
    Dimension("shuffle", (True, False)),
)
"""The published study's twelve."""


def combinations(space: tuple[Dimension, ...]) -> Iterator[dict[str, str]]:
    """Every combination of a space without ranges, as KerasTuner holds it."""
    for texts in product(*(dimension.texts for dimension in space)):
        yield dict(zip((dimension.name for dimension in space), texts, strict=True))


def label(values: Mapping[str, Any]) -> str:
    """A configuration in a few words: "lr 0.0002, batch 8, shuffle off"."""
    return ", ".join(f"{_SHORT.get(name, name.replace('_', ' '))} {shown(value)}" for name, value in values.items())


def shown(value: Any) -> str:
    """A value of a dimension as people read it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)


def read_space(path: Path) -> tuple[tuple[Dimension, ...], dict[str, Any]]:
    """Reads a space, {"learning_rate": [0.01, 0.001], "clip": {"min": 0.1, "max": 10, "log": true}, "filters": 16}.

    Args:
        path: a JSON file of options of `kpalette.train`: a list or a range for what is varied, a plain value for what
            all runs share.

    Returns:
        The dimensions, and the shared options.

    Raises:
        ArgumentError: names the file and what is wrong with it.
    """
    data = read_file(path, error=ArgumentError, what="a file of a search's space")
    try:
        entries = json.loads(data, parse_constant=_no_number, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise ArgumentError(f"{path} is no JSON: {reason(error)}") from None
    try:
        if not isinstance(entries, dict):
            raise ArgumentError('it is not of the form {"learning_rate": [...], ...}')
        varied = {name: entry for name, entry in entries.items() if isinstance(entry, list | dict)}
        space = tuple(_dimension(name, entry) for name, entry in varied.items())
        if not space:
            raise ArgumentError("it varies nothing: give an option a list of values or a range")
        return space, {name: entry for name, entry in entries.items() if name not in varied}
    except ArgumentError as error:
        raise ArgumentError(f"{path} is no space: {error}") from None


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is no number")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """JSON's own reader keeps the last of equal names, without a word."""
    found = dict(pairs)
    for name in found:
        if sum(name == other for other, _ in pairs) > 1:
            raise ValueError(f"`{name}` stands in it twice")
    return found


def _dimension(name: str, entry: Any) -> Dimension:
    if isinstance(entry, list):
        numbers = any(isinstance(value, float) for value in entry)
        values = tuple(float(v) if numbers and type(v) is int else v for v in entry)
        if not entry or len({json.dumps(value) for value in values}) < len(entry):
            raise ArgumentError(f"`{name}` must have at least one value, and none twice. Received: {entry}")
        if None in entry:
            raise ArgumentError(f"`{name}` must have values that can be compared, and null is none")
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
    """ArgumentError, one line, for an option that cannot be varied or shared, or a value that no run can have.

    Args:
        space: what is varied.
        settings: what is shared.
        phase: of the runs.
    """
    started = phase == "adversarial"
    known = {field.name: field for field in fields(TrainConfig)}
    for name in (*settings, *(dimension.name for dimension in space)):
        if name not in known:
            raise ArgumentError(f"`{name}` is no option of a run (python -m kpalette.train --help lists them)")
        if name in OWN:
            raise ArgumentError(f"`{name}` is decided by the search: it has an option of its own, or none")
        if started and name in OF_THE_START:
            raise ArgumentError(f"`{name}` is that of the weights that phase 2 starts from")
        if not started and name in OF_PHASE_2:
            raise ArgumentError(f"`{name}` plays no part in phase 1: give --phase adversarial")
    both = [dimension.name for dimension in space if dimension.name in settings]
    if both:
        raise ArgumentError(f"`{both[0]}` is varied and given for all runs")
    for name, value in (*settings.items(), *((d.name, value) for d in space for value in d.ends)):
        if isinstance(known[name].default, bool) and not isinstance(value, bool):
            raise ArgumentError(f"`{name}` must be true or false. Received: {value!r}")
    base = {**settings, "phase": phase, "start_from": "a run" if started else None}
    for dimension in space:
        if dimension.name in SHARED:
            raise ArgumentError(f"`{dimension.name}` must be the same for all runs: figures would not compare")
        for value in dimension.ends:
            possible(tuple(replace(d, values=(value,)) if d is dimension else d for d in space), base)


def possible(space: tuple[Dimension, ...], base: Mapping[str, Any]) -> dict[str, Any]:
    """The first configuration that a run can have: some values are right by themselves, and not with one another.

    Args:
        space: what is varied.
        base: all other options that are given.

    Returns:
        Values by dimension.

    Raises:
        ArgumentError: if there is none; says why the first one is not.
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
    """A space as JSON knows it."""
    return [asdict(dimension) for dimension in space]


def from_entries(entries: list[dict[str, Any]]) -> tuple[Dimension, ...]:
    """The space of what `to_entries` gave, read from JSON."""
    return tuple(Dimension(**{**entry, "values": tuple(entry["values"])}) for entry in entries)
