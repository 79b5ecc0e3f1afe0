"""Runs a study: all recolorers and reference rows on all pictures and palettes, in several processes."""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from pathlib import Path

import numpy as np

from kpalette.data.image_set import ImageSet
from kpalette.data.sources import open_images
from kpalette.errors import ArgumentError, KPaletteError
from kpalette.metrics.references import REFERENCES
from kpalette.parallel import MAX_WORKERS, in_order, thread_count, worker_pool
from kpalette.recolorers.base import Recolorer
from kpalette.recolorers.network import NetworkRecolorer
from kpalette.recolorers.recipe import Recipe
from kpalette.recolorers.registry import get_recolorer, list_networks, list_recolorers
from kpalette.recolorers.strength import check_lightness
from kpalette.study.cases import Case, deal_cases, report_palettes, sample_cases
from kpalette.study.compare import MethodResult, compare_references, run_recipe, usable_recolorers
from kpalette.study.probes import hue_pair, probe
from kpalette.study.records import Study, StudyRecord
from kpalette.types import AUTO, TONES
from kpalette.weights.folder import read_checkpoint

PER_PICTURE = 4
"""Number of palettes for each picture of a set."""

_DEFAULT = ((0.0, TONES[0]), (AUTO, TONES[0]))
_PUBLISHED = ((1.0, "curve"),)  # as `baseline` was published

_QUEUED = 2  # pictures, running or waiting, for each worker; they are in memory


Setting = tuple[float | str, str]
"""A lightness strength, 0..1 or "auto", and a tone."""


@dataclass(frozen=True)
class Model:
    """A recolorer of a study, in a form that pickle can send to other processes.

    Attributes:
        name: its name in tables.
        settings: lightness strengths, 0..1, each with its tone; each is a row.
        folder: folder of a checkpoint; None for the recolorer of that name in the registry.
        stamp: changes when the weights of the checkpoint change.

    Example:
        >>> Model("soft", ((0.0, "local"), (0.5, "local"))).recolorer().name
        'soft'
    """

    name: str
    settings: tuple[Setting, ...]
    folder: str | None = None
    stamp: str = ""

    def recolorer(self) -> Recolorer:
        """The recolorer. A process makes it once, and again if its weights change."""
        return get_recolorer(self.name) if self.folder is None else _network(self.name, self.folder, self.stamp)


@lru_cache(maxsize=8)
def _network(name: str, folder: str, stamp: str) -> Recolorer:
    return NetworkRecolorer(folder, name=name)


def evaluate(
    images: str | os.PathLike[str] | ImageSet | None,
    *,
    palettes: str | os.PathLike[str] | None = None,
    models: Sequence[str] | None = None,
    lightness: Sequence[float | str] | None = None,
    tones: Sequence[str] | None = None,
    per_picture: int = PER_PICTURE,
    limit: int | None = None,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Study:
    """Measures recolorers and reference rows on the same pictures and palettes.

    Args:
        images: a folder or tar of pictures, or an `ImageSet`. If None, the three sample pictures, with the six palettes
            `kpalette.study.cases.REPORT_PALETTES`.
        palettes: a file of palettes; its report half is used. If None, kpalette's presets.
        models: names of recolorers, and checkpoint folders. If None, all recolorers; networks whose weights are missing
            are left out, with a logged warning.
        lightness: lightness strengths, 0..1 or "auto". If None, 0 and "auto"; and for `baseline` also 1 by a curve, as
            it was published.
        tones: how lightness moves, of `TONES`; "local" if None, but "curve" for `baseline` at 1. Each strength above
            0 is a row for each tone.
        per_picture: number of palettes for each picture of `images`; see `kpalette.study.cases.deal`.
        limit: number of pictures, spread evenly over `images`; all if None.
        workers: number of processes; one a core if None.
        progress: called with (pictures done, pictures in all).

    Returns:
        The records of all cases and methods, and of all probes.

    Raises:
        ArgumentError: if an argument is out of range, or a model is neither a recolorer nor a checkpoint folder.
        KPaletteError: if pictures, palettes or weights cannot be read, or a worker process dies.

    Example:
        >>> study = kpalette.evaluate(".", models=["soft"], per_picture=1, workers=1)
        >>> study.methods
        ('source', 'reachable', 'nearest', 'nearest-ab', 'soft', 'soft (lightness auto)')
    """
    for name, value in (("per_picture", per_picture), ("limit", limit), ("workers", workers)):
        if value is not None and (not isinstance(value, int) or value < 1):
            raise ArgumentError(f"`{name}` must be a positive whole number. Received: {value!r}")
    found = find_models(models, lightness=lightness, tones=tones)
    if images is None:
        if palettes is not None:
            raise ArgumentError("`palettes` needs `images`: the sample pictures have palettes of their own")
        cases = list(islice(sample_cases(), limit))
        return _collect(cases, len(cases), found, workers, progress)
    if not isinstance(images, ImageSet):
        images = open_images(Path(images))
    if limit is not None and limit < len(images):
        images = images.subset(np.linspace(0, len(images) - 1, limit).astype(int))
    targets = report_palettes(palettes, part="all" if palettes is None else "report")
    return _collect(deal_cases(images, targets, per_picture=per_picture), len(images), found, workers, progress)


def find_models(
    models: Sequence[str] | None, *, lightness: Sequence[float | str] | None = None, tones: Sequence[str] | None = None
) -> tuple[Model, ...]:
    """Finds the recolorers of a study.

    Args:
        models: as in `evaluate`. A folder gets its own name; if that is not unique, with the folders above it.
        lightness: as in `evaluate`.
        tones: as in `evaluate`.

    Returns:
        At least one model, none twice.

    Raises:
        ArgumentError: if one is neither a recolorer nor a folder, or is given twice.
        KPaletteError: if a network's weights are missing or damaged.

    Example:
        >>> [model.settings for model in find_models(["soft", "baseline"], lightness=[0, 1])]
        [((0.0, 'local'), (1.0, 'local')), ((0.0, 'local'), (1.0, 'curve'))]
    """
    if models is None:
        models = usable_recolorers()
    if not models or isinstance(models, str):
        raise ArgumentError(f"`models` must be a list of at least one recolorer. Received: {models!r}")
    settings = _settings(lightness, tones)
    given = list(map(os.fspath, models))
    names = _names([model for model in given if model not in list_recolorers()])
    found = [_model(model, names.get(model, model), settings) for model in given]
    if not tones:
        found = [_as_published(model) for model in found]
    twice = [model for i, model in enumerate(given) if found[i].name in {m.name for m in found[:i]}]
    if twice:
        raise ArgumentError(f"`models` must hold each recolorer once. Received twice: {twice[0]!r}")
    return tuple(found)


def _settings(lightness: Sequence[float | str] | None, tones: Sequence[str] | None) -> tuple[Setting, ...] | None:
    """The rows of each recolorer; None for its default ones."""
    tones = TONES[:1] if tones is None else tuple(dict.fromkeys(tones))
    if not tones or not set(tones) <= set(TONES):
        raise ArgumentError(f"`tones` must hold at least one of {', '.join(TONES)}, and no others. Received: {tones!r}")
    if lightness is None:
        return None if tones == TONES[:1] else _settings((0.0, AUTO), tones)
    strengths = dict.fromkeys(check_lightness(x) for x in lightness)
    if not strengths:
        raise ArgumentError("`lightness` must hold at least one strength. Received: none")
    # Lightness that stays does so by any tone.
    return tuple((x, tone) for x in strengths for tone in (tones if x else tones[:1]))


def _as_published(model: Model) -> Model:
    """`baseline` at strength 1 by a curve, as it was published."""
    if model.name != "baseline":
        return model
    return replace(model, settings=tuple(_PUBLISHED[0] if x == _PUBLISHED[0][0] else (x, t) for x, t in model.settings))


def _model(text: str, name: str, settings: tuple[Setting, ...] | None) -> Model:
    if text in list_recolorers():
        if text in list_networks():
            read_checkpoint(text)
        return Model(name, settings or (_DEFAULT + _PUBLISHED if text == "baseline" else _DEFAULT))
    if not os.path.isdir(text):
        raise ArgumentError(
            f"`models` must be among {', '.join(list_recolorers())}, or checkpoint folders. Received: {text!r}"
        )
    checkpoint = read_checkpoint(Path(text))
    return Model(name, settings or _DEFAULT, text, json.dumps(checkpoint.config["files"]))


def _names(folders: list[str]) -> dict[str, str]:
    """Names of folders: the last parts of each path, as many as make the names unique among all rows."""
    parts = {folder: Path(os.path.abspath(folder)).parts for folder in folders}
    taken = {*list_recolorers(), *REFERENCES}
    names: dict[str, str] = {}
    for depth in range(1, max(map(len, parts.values()), default=0) + 1):
        names = {folder: "/".join(path[-depth:]) for folder, path in parts.items()}
        if len(set(names.values())) == len(set(parts.values())) and not taken & set(names.values()):
            break
    return names


def _collect(
    cases: Iterable[tuple[Case, ...]],
    total: int,
    models: tuple[Model, ...],
    workers: int | None,
    progress: Callable[[int, int], None] | None,
) -> Study:
    workers = min(workers or thread_count(), total, MAX_WORKERS)
    study = Study()
    done = 0
    try:
        for records, probes in _in_order(cases, models, workers):
            study.records += records
            study.probes += probes
            done += 1
            if progress is not None:
                progress(done, total)
    except BrokenProcessPool:
        raise KPaletteError("a worker process died, perhaps out of memory: use fewer `workers`") from None
    return study


_Found = tuple[list[StudyRecord], list[StudyRecord]]


def _in_order(cases: Iterable[tuple[Case, ...]], models: tuple[Model, ...], workers: int) -> Iterator[_Found]:
    with worker_pool(workers, preload=__name__, set_up=_limit_tensorflow_threads) as submit:

        def begin(numbered: tuple[int, tuple[Case, ...]]) -> Future[_Found]:
            return submit(_study_picture, *numbered, models)

        for _, future in in_order(begin, enumerate(cases), window=_QUEUED * workers):
            yield future.result()


def _limit_tensorflow_threads() -> None:
    """Limits TensorFlow, in case it is imported later, to the worker's share of threads."""
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ.setdefault(name, str(thread_count()))


def _study_picture(number: int, cases: tuple[Case, ...], models: tuple[Model, ...]) -> _Found:
    recolorers = [(model.recolorer(), model.settings) for model in models]
    records = []
    for case in cases:
        rows = list(compare_references(case.picture, case.target))
        for recolorer, settings in recolorers:
            recipes = [_recipe(case, recolorer, *setting) for setting in settings]
            # Of "auto", each picture has another strength, and all are one method.
            rows += [replace(run_recipe(case.picture, recipe), lightness=recipe.lightness) for recipe in recipes]
        records += [_record(case, row) for row in rows]
    first, targets = cases[0], [case.target for case in cases]
    pair = hue_pair(first.picture, number)
    probed: list[tuple[str, Recolorer | None]] = [("source", None), *((r.name, r) for r, _ in recolorers)]
    probes = [
        StudyRecord(
            first.name, first.style, None, name, None if recolorer is None else 0.0,
            probe(first.picture, recolorer, pair=pair, targets=targets),
        )
        for name, recolorer in probed
    ]  # fmt: skip
    return records, probes


def _recipe(case: Case, recolorer: Recolorer, lightness: float | str, tone: str) -> Recipe:
    return Recipe(case.target, recolorer, match=match_of(lightness), lightness=lightness, tone=tone)


def match_of(lightness: float | str | None) -> str:
    """How a row of a study is matched: those of "auto" are the defaults, all others are as they were published.

    Example:
        >>> match_of("auto"), match_of(1.0)
        ('auto', 'lightness')
    """
    return AUTO if lightness == AUTO else "lightness"


def _record(case: Case, row: MethodResult) -> StudyRecord:
    return StudyRecord(
        case.name, case.style, case.palette, row.method, row.lightness, row.figures, row.seconds, row.tone
    )  # fmt: skip
