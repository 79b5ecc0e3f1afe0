"""`TrainConfig`: everything that decides a training run, as it is written to the run's config.json."""

import ast
import inspect
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from kpalette.data.pairs import hue_rows
from kpalette.errors import ArgumentError
from kpalette.files import read_file

CONFIG = "config.json"
"""What a run folder's config is called."""

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
"""What an option is if None; in phase 2 what `palettenet` was trained with, but for its length."""

_WINDOW = 7  # pixels a side, of SSIM in `kpalette.training.losses.structure_term`
_LAST_SEED = 2**32 - 1
CHOICES = {
    "phase": PHASES, "precision": PRECISIONS, "schedule": SCHEDULES, "conditioning": ("pairs", "target"),
}  # fmt: skip
"""Options of a few words, and which."""

_WHOLE = ("filters", "batch_size", "crop", "epochs", "previews", "threads")
_SHARES = ("unrelated", "selection_share", "natural")
_POSITIVE = ("learning_rate", "discriminator_rate")
_NOT_NEGATIVE = (
    "sharpen",
    "l2",
    "mse_weight",
    "palette_weight",
    "spread_weight",
    "edges_weight",
    "structure_weight",
    "adversarial_weight",
    "clip",
    "seed",
    "patience",
)


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """A training run. Raises ArgumentError, one line, for a value out of range."""

    phase: str = "pretrain"
    """"pretrain" (encoder and decoder, squared error) or "adversarial" (decoder and discriminator)."""
    run: str | None = None
    """Folder of the run: config.json, log.csv, tensorboard/, previews/, backup/, best/; runs/<phase> if None."""
    start_from: str | None = None
    """A run or checkpoint whose weights training starts from; phase 2 needs one of phase 1."""
    discriminator: bool = True
    """Whether phase 2 has one; without, all else equal, is the arm that tells what it adds."""
    resume: bool = False
    """Whether a run that exists goes on from its last whole epoch."""

    images: str | None = None
    """A folder of pictures, a tar of them, or ArtBench-10 in any of its forms; the embedded pictures if None."""
    limit: int | None = None
    """So many pictures, spread evenly over all; every picture if None."""
    palettes: str | None = None
    """Designed palettes, a JSON file {"palettes": [{"name": ..., "colors": [...]}]}; kpalette's presets if None."""
    selection_share: float = 0.1
    """Share of the artists whose pictures choose the best weights."""
    crop: int = 96
    """Side of the squares that training sees, pixels."""
    image_size: int | None = None
    """What the pictures' short side is brought to before; a third more than `crop` if None."""
    unrelated: float = 0.5
    """Share of each batch that asks for an unrelated palette; the rest are hue pairs."""
    natural: float = 0.5
    """Share of samples that show the picture in its own hues."""
    shuffle: bool = True
    """Whether every pass over the pictures has an order of its own."""

    filters: int = 32
    """Channels of the first level of new networks."""
    conditioning: str = "pairs"
    """What the network hears of: "pairs" of source and target swatches, or the "target" alone."""
    dropout: float = 0.0
    """Share of features dropped in the decoder."""
    l2: float = 0.0
    """Weight of the L2 penalty on the generator's kernels."""
    smooth: bool = True
    """Whether what the head moves is smoothed where the picture is; whatever training starts from."""
    sharpen: float | None = None
    """What the choice among pairs is sharpened by before training, a natural logarithm: 0.69 cuts reach 10 to 7. 0, or
    0.9 (phase 2, by pairs) if None; give 0 where training starts from weights that are sharpened already."""

    batch_size: int = 8
    """Samples of a step, over all devices."""
    epochs: int | None = None
    """Epochs of the run, counted from its start; 100 or 20 (phase 2) if None."""
    steps_per_epoch: int | None = None
    """Steps between validations; one pass over the pictures if None."""
    learning_rate: float | None = None
    """Of the generator's Adam; 4e-4 or 5e-4 (phase 2) if None."""
    discriminator_rate: float = 2e-4
    """Of the discriminator's Adam."""
    schedule: str = "cosine"
    """"constant", "cosine" (to nothing at the end) or "step" (a tenth after each third)."""
    clip: float = 1.0
    """Norm that gradients are clipped to; 0 leaves them."""
    ema: float = 0.999
    """Momentum of the averaged weights, which are what is validated and kept, less in short runs; 0 for none."""
    precision: str = "auto"
    """"float32", "mixed_bfloat16", or "auto": the second on accelerators and on CPUs that compute in it."""

    mse_weight: float | None = None
    """What the squared error where the answer is known counts in the generator's loss; 100 if None."""
    palette_weight: float | None = None
    """What the way of the clusters' means from their swatches counts; 0, or 100 (phase 2) if None."""
    spread_weight: float | None = None
    """What lost or gained spread within clusters counts; 0, or 0.3 (phase 2) if None."""
    edges_weight: float | None = None
    """What torn smooth places count; 0, or 20 (phase 2) if None."""
    structure_weight: float | None = None
    """What lost SSIM of grey counts; 0, or 8 (phase 2) if None."""
    adversarial_weight: float | None = None
    """What the discriminator's judgement counts; 0, or 0.05 (phase 2) if None."""

    patience: int | None = None
    """Epochs without a better validation after which the run stops, 0 for never; 0 or 5 (phase 2) if None."""
    previews: int = 6
    """Pictures of each preview."""
    devices: int = 1
    """Accelerators, or logical CPU devices, to share the batch among."""
    threads: int = 2
    """Threads that prepare samples."""
    seed: int = 0
    """Of initialisation, order, crops, shifts and palettes."""

    def __post_init__(self) -> None:
        """Puts the phase's own values in for None, and checks every value."""
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
        if self.phase == "adversarial" and not self.start_from and not self.resume:
            raise ArgumentError("phase `adversarial` starts from phase 1: give its run folder (--from RUN)")
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
        """Of the run."""
        return Path(self.run or "")

    @property
    def teach(self) -> bool:
        """Whether rows of unrelated palettes have an answer, the teacher's."""
        return self.phase == "pretrain"

    @property
    def adversarial(self) -> bool:
        """Whether there is a discriminator."""
        return self.phase == "adversarial" and self.discriminator

    def to_json(self) -> str:
        """The config as it is written to a run folder."""
        return json.dumps(asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, path: Path) -> "TrainConfig":
        """Reads the config.json of a run; ArgumentError names the file and what is wrong with it."""
        try:
            return cls(**read_entries(path))
        except (ValueError, TypeError) as error:
            raise error if str(path) in str(error) else _no_config(path, error) from None


def read_entries(path: Path) -> dict[str, Any]:
    """What a config's file holds, by field; ArgumentError names the file and what is wrong with it."""
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
    return ArgumentError(f"{path} is no config of a run: {str(error).splitlines()[0]}")


def describe() -> dict[str, str]:
    """What each field of `TrainConfig` is, one line each, as its source says."""
    body = ast.parse(inspect.getsource(TrainConfig)).body[0]
    assert isinstance(body, ast.ClassDef)
    found: dict[str, str] = {}
    names: list[str] = []
    for node in body.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.append(node.target.id)
        elif names and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            # One text may stand for several fields above it.
            found |= dict.fromkeys(names, " ".join(str(node.value.value).split()))
            names = []
    return found


def _check(name: str, value: Any, wanted: str, fits: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not fits(value):
        raise _wrong(name, wanted, value)


def _wrong(name: str, wanted: str, value: Any) -> ArgumentError:
    return ArgumentError(f"`{name}` must be {wanted}. Received: {value!r}")
