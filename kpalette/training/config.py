"""`TrainConfig`: all options of a training run, as stored in the run's config.json."""

import ast
import inspect
import json
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from kpalette.data.pairs import hue_rows
from kpalette.errors import ArgumentError
from kpalette.files import read_file
from kpalette.weights.config import BEST

CONFIG = "config.json"
"""Name of the options' file in a run folder."""

PRETRAIN = "pretrain"
"""Name of the folder, inside a run folder, of a phase 1 that is trained first."""

PHASES = ("pretrain", "adversarial")
PRECISIONS = ("auto", "float32", "mixed_bfloat16")
SCHEDULES = ("constant", "cosine", "step")

_PHASE_DEFAULTS: dict[str, dict[str, Any]] = {
    "pretrain": {
        "run": "runs/pretrain", "epochs": 100, "learning_rate": 4e-4, "mse_weight": 100.0, "palette_weight": 0.0,
        "spread_weight": 0.0, "edges_weight": 0.0, "structure_weight": 0.0, "adversarial_weight": 0.0, "patience": 0,
        "sharpen": 0.0,
    },
    "adversarial": {
        "run": "runs/adversarial", "epochs": 20, "learning_rate": 5e-4, "mse_weight": 100.0, "palette_weight": 100.0,
        "spread_weight": 0.3, "edges_weight": 20.0, "structure_weight": 8.0, "adversarial_weight": 0.05,
        "patience": 5, "sharpen": 0.9,
    },
}  # fmt: skip
"""Values that stand in for None, by phase; `palettenet` was trained with those of phase 2, but for longer."""

_WINDOW = 7  # pixels a side, of SSIM in `kpalette.training.losses.structure_term`
_LAST_SEED = 2**32 - 1
CHOICES = {
    "phase": PHASES, "precision": PRECISIONS, "schedule": SCHEDULES, "conditioning": ("pairs", "target"),
}  # fmt: skip
"""Options with a fixed list of values."""

_WHOLE = ("filters", "batch_size", "crop", "epochs", "previews", "threads")
_SHARES = ("unrelated", "selection_share", "natural")
_POSITIVE = ("learning_rate", "discriminator_rate")
_TERMS = ("mse", "palette", "spread", "edges", "structure", "adversarial")
_NOT_NEGATIVE = ("sharpen", "l2", "clip", "seed", "patience", *(f"{term}_weight" for term in _TERMS))

_NOT_OF_PHASE_1 = {
    *_PHASE_DEFAULTS["adversarial"], "phase", "start_from", "discriminator", "discriminator_rate"
} - {"epochs"}  # fmt: skip
"""Options of a phase 2 that a phase 1 trained before it does not take."""


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Options of a training run; each is an option of `python -m kpalette.train` too.

    Raises:
        ArgumentError: if a value is out of range.

    Example:
        >>> config = TrainConfig(phase="adversarial", batch_size=16)
        >>> config.epochs, str(config.folder)
        (20, 'runs/adversarial')
    """

    phase: str = "pretrain"
    """"pretrain" trains encoder and decoder on squared error; "adversarial" trains the decoder and a discriminator."""
    run: str | None = None
    """Run folder: config.json, log.csv, tensorboard/, previews/, backup/, best/; runs/<phase> if None."""
    start_from: str | None = None
    """Run or checkpoint whose weights training starts from. Without it phase 1 starts from random weights. Phase 2
    starts from the phase-1 checkpoint that ships (`ablated`); where `filters` or `conditioning` differ from that
    checkpoint's, it trains phase 1 first, in <run>/pretrain."""
    discriminator: bool = True
    """Whether phase 2 trains a discriminator. Runs with and without it differ in nothing else."""
    resume: bool = False
    """Whether to continue an existing run after its last complete epoch."""

    images: str | None = None
    """A folder of pictures, a tar of them, or ArtBench-10 in any of its forms; the embedded pictures if None."""
    limit: int | None = None
    """Number of pictures to use, spread evenly over all; every picture if None."""
    palettes: str | None = None
    """JSON file of designed palettes, {"palettes": [{"name": ..., "colors": [...]}]}; kpalette's presets if None."""
    selection_share: float = 0.1
    """Share of the artists whose pictures choose the best weights; training does not use these pictures."""
    crop: int = 96
    """Side of the training squares, pixels."""
    image_size: int | None = None
    """Length that the short side of each picture is resized to before cropping; a third more than `crop` if None."""
    unrelated: float = 0.5
    """Share of each batch with an unrelated target palette; the rest are hue pairs."""
    natural: float = 0.5
    """Share of samples that keep the picture's own hues."""
    shuffle: bool = True
    """Whether each pass over the pictures has a new random order."""

    filters: int = 32
    """Channels of the first level of a new network."""
    conditioning: str = "pairs"
    """Palettes that a new network receives: "pairs" of source and target swatches, or the "target" alone."""
    dropout: float = 0.0
    """Share of features dropped in the decoder."""
    l2: float = 0.0
    """Weight of the L2 penalty on the generator's kernels."""
    smooth: bool = True
    """Whether the head smooths its output where the picture is smooth; also applies to weights that are loaded."""
    sharpen: float | None = None
    """Sharpens the choice among pairs before training, a natural logarithm: 0.69 lowers its reach from 10 to 7. 0, or
    0.9 (phase 2, by pairs) if None; give 0 if training starts from weights that were sharpened before."""

    batch_size: int = 8
    """Samples per step, over all devices."""
    epochs: int | None = None
    """Epochs of the run, counted from its start; 100, or 20 (phase 2) if None. A phase 1 that is trained first has the
    same number."""
    steps_per_epoch: int | None = None
    """Steps between validations; one pass over the pictures if None."""
    learning_rate: float | None = None
    """Learning rate of the generator's Adam; 4e-4, or 5e-4 (phase 2) if None."""
    discriminator_rate: float = 2e-4
    """Learning rate of the discriminator's Adam."""
    schedule: str = "cosine"
    """Schedule of both rates: "constant", "cosine" (to 0 at the end) or "step" (a tenth after each third)."""
    clip: float = 1.0
    """Largest norm of the gradients; larger ones are scaled down. 0 turns this off."""
    ema: float = 0.999
    """Momentum of the averaged weights, which are validated and kept; lower in short runs. 0 turns averaging off."""
    precision: str = "auto"
    """"float32", "mixed_bfloat16", or "auto": bfloat16 on accelerators and on CPUs that compute in it."""

    mse_weight: float | None = None
    """Loss weight of the squared error where the answer is known; 100 if None."""
    palette_weight: float | None = None
    """Loss weight of the distance of the clusters' means from their swatches; 0, or 100 (phase 2) if None."""
    spread_weight: float | None = None
    """Loss weight of lost or gained spread within clusters; 0, or 0.3 (phase 2) if None."""
    edges_weight: float | None = None
    """Loss weight of new edges in smooth places; 0, or 20 (phase 2) if None."""
    structure_weight: float | None = None
    """Loss weight of lost SSIM of grey; 0, or 8 (phase 2) if None."""
    adversarial_weight: float | None = None
    """Loss weight of the discriminator's judgement; 0, or 0.05 (phase 2) if None."""

    patience: int | None = None
    """Epochs without a better validation after which the run stops; 0 never stops early. 0, or 5 (phase 2) if None."""
    previews: int = 6
    """Number of pictures in each preview."""
    devices: int = 1
    """Number of accelerators, or logical CPU devices, that share the batch."""
    threads: int = 2
    """Threads that prepare samples."""
    seed: int = 0
    """Seed of initial weights, order, crops, hue turns and palettes."""

    def __post_init__(self) -> None:
        """Replaces None by the phase's own values, and checks every value."""
        for name, allowed in CHOICES.items():
            if getattr(self, name) not in allowed:
                raise _wrong(name, f"one of {', '.join(allowed)}", getattr(self, name))
        self._fill()
        for name in (*_WHOLE, "devices"):
            _check(name, getattr(self, name), "a positive whole number", lambda v: isinstance(v, int) and v > 0)
        for name in ("image_size", "steps_per_epoch", "limit"):
            if getattr(self, name) is not None:
                _check(name, getattr(self, name), "a positive whole number", lambda v: isinstance(v, int) and v > 0)
        for name in _SHARES:
            _check(name, getattr(self, name), "a number in 0..1", lambda v: 0 <= v <= 1)
        for name in ("ema", "dropout"):
            _check(name, getattr(self, name), "a number from 0 to below 1", lambda v: 0 <= v < 1)
        for name in ("seed", "patience"):
            wanted = f"a whole number from 0 to {_LAST_SEED}"
            _check(name, getattr(self, name), wanted, lambda v: isinstance(v, int) and 0 <= v <= _LAST_SEED)
        for name in _POSITIVE:
            _check(name, getattr(self, name), "a number above 0", lambda v: 0 < v < float("inf"))
        for name in _NOT_NEGATIVE:
            _check(name, getattr(self, name), "a number, not negative", lambda v: 0 <= v < float("inf"))
        if self.start_from == "":
            raise ArgumentError("`start_from` is empty: is a variable unset?")
        if self.sharpen and self.conditioning == "target":
            raise ArgumentError("`sharpen` is for the choice among pairs: `conditioning` target has none")
        if self.structure_weight and self.crop < _WINDOW:
            raise ArgumentError(
                f"`crop` must be {_WINDOW} or more where `structure_weight` is not 0. Received: {self.crop}"
            )
        if self.batch_size % self.devices:
            raise ArgumentError(
                f"`batch_size` must be a multiple of `devices`. Received: {self.batch_size} and {self.devices}"
            )
        rows = self.batch_size // self.devices
        if hue_rows(rows, self.unrelated) * self.devices != hue_rows(self.batch_size, self.unrelated):
            raise ArgumentError(
                f"of the {rows} rows that each of {self.devices} devices gets, a share `unrelated` of "
                f"{self.unrelated:g} is no whole number: give a larger `batch_size`"
            )

    def _fill(self) -> None:
        if self.conditioning == "target" and self.sharpen is None:
            object.__setattr__(self, "sharpen", 0.0)
        for name, value in _PHASE_DEFAULTS[self.phase].items():
            if getattr(self, name) is None:
                object.__setattr__(self, name, value)
        if not self.discriminator:
            object.__setattr__(self, "adversarial_weight", 0.0)

    @property
    def folder(self) -> Path:
        """The run folder."""
        return Path(self.run or "")

    @property
    def teach(self) -> bool:
        """Whether rows with an unrelated palette have an answer to learn from, the teacher's."""
        return self.phase == "pretrain"

    @property
    def adversarial(self) -> bool:
        """Whether the run trains a discriminator."""
        return self.phase == "adversarial" and self.discriminator

    @property
    def trains_both(self) -> bool:
        """Whether the run trains phase 1 before phase 2."""
        return self.phase == "adversarial" and self.start_from is None

    def parts(self) -> tuple["TrainConfig", ...]:
        """The phases that the run trains, in order: itself, or phase 1 and phase 2.

        A phase 1 that is trained first takes all options but those of phase 2: its loss weights, sharpening and
        patience are phase 1's own, and so is its learning rate unless another than phase 2's own is given.
        """
        if not self.trains_both:
            return (self,)
        names = {field.name for field in fields(self)} - _NOT_OF_PHASE_1
        shared = {name: getattr(self, name) for name in names}
        if self.learning_rate != _PHASE_DEFAULTS["adversarial"]["learning_rate"]:
            shared["learning_rate"] = self.learning_rate
        first = TrainConfig(phase="pretrain", run=str(self.folder / PRETRAIN), **shared)
        return first, replace(self, start_from=str(first.folder / BEST))

    def to_json(self) -> str:
        """The text of a run folder's config.json."""
        return json.dumps(asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, path: Path) -> "TrainConfig":
        """Reads the config.json of a run; an ArgumentError names the file and what is wrong with it."""
        try:
            return cls(**read_entries(path))
        except (ValueError, TypeError) as error:
            raise error if str(path) in str(error) else _no_config(path, error) from None


def read_entries(path: Path) -> dict[str, Any]:
    """The options in a config file, by field; an ArgumentError names the file and what is wrong with it."""
    data = read_file(path, error=ArgumentError, what="a run's config.json")
    try:
        values: Any = json.loads(data)
        known = {field.name for field in fields(TrainConfig)}
        if not isinstance(values, dict) or not values.keys() <= known:
            raise ValueError(f"unknown entries: {', '.join(sorted(set(values) - known))}")
    except (ValueError, TypeError, RecursionError) as error:
        raise _no_config(path, error) from None
    return dict(values)


def _no_config(path: Path, error: Exception) -> ArgumentError:
    return ArgumentError(f"{path} is not a config of a run: {str(error).splitlines()[0]}")


def describe() -> dict[str, str]:
    """A line of help for each field of `TrainConfig`, read from its source."""
    body = ast.parse(inspect.getsource(TrainConfig)).body[0]
    assert isinstance(body, ast.ClassDef)
    found: dict[str, str] = {}
    names: list[str] = []
    for node in body.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.append(node.target.id)
        elif names and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            # Several fields may share the text below them.
            found |= dict.fromkeys(names, " ".join(str(node.value.value).split()))
            names = []
    return found


def _check(name: str, value: Any, wanted: str, fits: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not fits(value):
        raise _wrong(name, wanted, value)


def _wrong(name: str, wanted: str, value: Any) -> ArgumentError:
    return ArgumentError(f"`{name}` must be {wanted}. Received: {value!r}")
