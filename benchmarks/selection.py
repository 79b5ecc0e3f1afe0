"""Figures on the selection split: doing nothing, soft clusters of several reaches, networks; where choices are made.

    python benchmarks/selection.py TRAIN.TAR PALETTES.JSON [CHECKPOINT ...] [--crop 128] [--checkpoints-only]
                                   [--sharpen 0.9] [--free-slopes]

Squares from the middle of all pictures of the split, as in training: a turn of hue for each, and a palette of four
colours that another picture or a designer chose, lightness kept. `shift` moves each cluster by T - C
(`soft`, at reach 10), `turn` turns and scales it too (the teacher, at reach 8.5). Answers of networks have
their slopes limited, as `recolor` does it, unless they are asked for free.
"""

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np

from kpalette.data.image_set import split
from kpalette.data.pairs import TEACHER, Teacher, turned_target
from kpalette.data.samples import Sampler
from kpalette.data.sources import open_images
from kpalette.models.ranges import from_network_range, to_network_range
from kpalette.training.validation import Predict, validate

COLUMNS = ("val_ab_error", "val_ssim", "val_palette_de_ab", "val_richness", "val_false_edges")
REACHES = (10.0, TEACHER.tau, 7.0, 5.0, 3.0)
NO_TURN = 1e12


def soft(tau: float, **turns: float) -> Predict:
    """Soft clusters of a reach, shifted or turned."""

    def predict(inputs: dict[str, Any]) -> np.ndarray:
        lab, source, target = (
            np.asarray(from_network_range(inputs[name])) for name in ("lab", "source_palette", "target_palette")
        )
        answer = turned_target(lab, source, target, inputs["mask"], teacher=Teacher(tau, **turns))
        return np.asarray(to_network_range(answer))[..., 1:].astype(np.float32)

    return predict


def network(folder: str, sharpen: float) -> Predict:
    """A checkpoint's answers, its choice among the swatches sharpened as phase 2 does it before training."""
    from kpalette.models.checkpoint import load_checkpoint
    from kpalette.training.networks import sharpen_choice

    model = load_checkpoint(folder)
    sharpen_choice(model, sharpen)
    return lambda inputs: np.asarray(model({name: inputs[name] for name in model.input}))


def digits(figure: float) -> str:
    """Four digits that count, and no exponent."""
    return np.format_float_positional(figure, precision=4, fractional=False, trim="-")


def options() -> argparse.Namespace:
    """What is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images")
    parser.add_argument("palettes")
    parser.add_argument("checkpoints", nargs="*", metavar="CHECKPOINT")
    parser.add_argument("--crop", type=int, default=96, help="pixels a side of the squares (default: 96)")
    parser.add_argument("--checkpoints-only", action="store_true", help="no rows of what is no network")
    parser.add_argument("--sharpen", type=float, default=0.0, help="of the networks' choice (default: 0, as they are)")
    parser.add_argument("--free-slopes", action="store_true", help="measure the networks' answers as they are")
    return parser.parse_args()


def main() -> None:
    """Measures, and prints a table."""
    asked = options()
    _, selection = split(open_images(asked.images), share=0.1)
    sampler = Sampler.of(selection, crop=asked.crop, palettes=asked.palettes)
    rows: dict[str, Callable[[], Predict]] = {}
    if not asked.checkpoints_only:
        rows["nothing"] = lambda: lambda inputs: np.asarray(inputs["lab"][..., 1:])
        for tau in REACHES:
            rows[f"shift, reach {tau:g}"] = lambda tau=tau: soft(tau, slack=NO_TURN)
            rows[f"turn, reach {tau:g}"] = lambda tau=tau: soft(tau)
    rows |= {folder: lambda folder=folder: network(folder, asked.sharpen) for folder in asked.checkpoints}
    print("| method | " + " | ".join(name.removeprefix("val_") for name in COLUMNS) + " |")
    print("|---|" + "---|" * len(COLUMNS), flush=True)
    for name, make in rows.items():
        limited = name in asked.checkpoints and not asked.free_slopes
        figures = validate(sampler, make(), batch_size=16, slopes=limited)
        print(f"| {name} | " + " | ".join(digits(figures[column]) for column in COLUMNS) + " |", flush=True)


if __name__ == "__main__":
    main()
