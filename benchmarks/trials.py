"""What each choice of the design is worth: small runs of phase 1 from nothing, each without one of them.

    python benchmarks/trials.py TRAIN.TAR PALETTES.JSON RUNS [--steps 800] [--seeds 1] [NAME ...]

Filters 16, 64x64, batch 8: what is small enough for many runs, and large enough to rank the choices. Figures are over
the whole selection split. Rows that exist are not run again; the table of all of them is printed as markdown.
"""

import argparse
import csv
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import keras
from keras import ops

from kpalette.data import pairs, samples
from kpalette.models import generator
from kpalette.models.swatch_layers import SwatchMoves, SwatchNearness
from kpalette.training.config import TrainConfig
from kpalette.training.run import train

COLUMNS = ("val_ab_error", "val_ab_error_unrelated", "val_ssim", "val_palette_de_ab", "val_richness", "val_false_edges")


class Unmoved(SwatchMoves):
    """Swatches that shift their colours and never turn them."""

    def call(self, source: Any, target: Any, keys: Any, code: Any, present: Any) -> Any:
        """Offsets T - C, factors 0."""
        shift = target[..., 1:] - source[..., 1:]
        return ops.concatenate([shift, ops.zeros_like(shift)], axis=-1)


class Unknown(SwatchNearness):
    """Nearness that has to be learned."""

    def call(self, lab: Any, swatches: Any) -> Any:
        """Zeros."""
        return ops.zeros_like(super().call(lab, swatches))


class Deaf(keras.layers.Layer):
    """FiLM that does not hear of the palette."""

    def __init__(self, *, regularizer: Any = None, **kwargs: Any) -> None:
        """Takes what FiLM takes."""
        super().__init__(**kwargs)

    def call(self, x: Any, code: Any) -> Any:
        """`x` as it is."""
        return x


SHIFTING = partial(pairs.turned_target, teacher=pairs.Teacher(slack=1e12))

TRIALS: dict[str, tuple[dict[str, Any], list[tuple[Any, str, Any]]]] = {
    "as it is": ({}, []),
    "clusters shift, no turns": ({}, [(generator, "SwatchMoves", Unmoved)]),
    "`soft` for a teacher": (
        {},
        [(pairs, "turned_target", partial(pairs.turned_target, teacher=pairs.Teacher(slack=1e12)))],
    ),
    "nearness to be learned": ({}, [(generator, "SwatchNearness", Unknown), (generator, "_FAINT", 1.0)]),
    "no attention in the decoder": ({}, [(generator._Blocks, "attend", lambda self, x, pair, mask, name: x)]),
    "no FiLM": ({}, [(generator, "FiLM", Deaf)]),
    "conditioning `target`": ({"conditioning": "target"}, []),
    "no unrelated palettes": ({"unrelated": 0.0}, []),
    "unrelated 0.25": ({"unrelated": 0.25}, []),
    "unrelated 0.75": ({"unrelated": 0.75}, []),
    "always four colours": ({}, [(samples, "_FOUR", 1.0)]),
    "no averaged weights": ({"ema": 0.0}, []),
}
"""Options of the run, and what is replaced in the code, by name."""


@contextmanager
def replaced(changes: list[tuple[Any, str, Any]]) -> Iterator[None]:
    """Puts other things in the place of attributes for a while."""
    with ExitStack() as stack:
        for owner, name, value in changes:
            stack.enter_context(mock.patch.object(owner, name, value))
        yield


def figures(run: Path) -> dict[str, float]:
    """The last row of a run's log."""
    with (run / "log.csv").open() as stream:
        row = list(csv.DictReader(stream))[-1]
    return {name: float(row[name]) for name in COLUMNS}


def main() -> None:
    """Runs what is missing, and prints all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images")
    parser.add_argument("palettes")
    parser.add_argument("runs", type=Path)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(TRIALS))
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--seeds", type=int, default=1)
    options = parser.parse_intermixed_args()  # names may stand behind options
    print("| trial | " + " | ".join(name.removeprefix("val_") for name in COLUMNS) + " |")
    print("|---|" + "---|" * len(COLUMNS), flush=True)
    for name in options.names or TRIALS:
        settings, changes = TRIALS[name]
        found = []
        for seed in range(options.seeds):
            run = options.runs / f"{list(TRIALS).index(name)}-{seed}"
            config = TrainConfig(
                images=options.images, palettes=options.palettes, run=str(run), filters=16, crop=64, epochs=1,
                steps_per_epoch=options.steps, seed=seed, resume=(run / "config.json").exists(), **settings,
            )  # fmt: skip
            with replaced(changes):
                train(config)
            keras.backend.clear_session()
            found.append(figures(run))
        means = [sum(row[column] for row in found) / len(found) for column in COLUMNS]
        print(f"| {name} | " + " | ".join(f"{mean:.4g}" for mean in means) + " |", flush=True)


if __name__ == "__main__":
    main()
