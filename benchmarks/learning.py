"""Whether PaletteNet learns: 4,000 steps of phase 1 from nothing, filters 32, 96x96, batch 8.

    python benchmarks/learning.py TRAIN.TAR PALETTES.JSON RUN

The goal is an ab_error of at most 10.5 on the selection split, both on hue pairs (doing nothing: about 25) and on
unrelated palettes (about 22). A run that was killed goes on when the command is given again.
"""

import argparse
from pathlib import Path

import numpy as np

from kpalette.data.image_set import split
from kpalette.data.samples import Sampler
from kpalette.data.sources import open_images
from kpalette.training.config import TrainConfig
from kpalette.training.run import train
from kpalette.training.validation import validate

GOAL = 10.5


def main() -> None:
    """Trains, and prints what came of it beside doing nothing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images")
    parser.add_argument("palettes")
    parser.add_argument("run", type=Path)
    options = parser.parse_args()
    data = {"images": options.images, "palettes": options.palettes, "crop": 96}
    config = TrainConfig(
        **data, filters=32, batch_size=8, epochs=8, steps_per_epoch=500, run=str(options.run),
        resume=(options.run / "config.json").exists(),
    )  # fmt: skip
    train(config)
    _, selection = split(open_images(options.images), share=config.selection_share)
    nothing = validate(
        Sampler.of(selection, crop=96, palettes=options.palettes),
        lambda inputs: np.asarray(inputs["lab"][..., 1:]),
        batch_size=16,
    )
    rows = (options.run / "log.csv").read_text().splitlines()
    last = dict(zip(rows[0].split(","), rows[-1].split(","), strict=True))
    for name in ("val_ab_error", "val_ab_error_unrelated"):
        value = float(last[name])
        verdict = "met" if value <= GOAL else "missed"
        print(f"{name} {value:.2f} (doing nothing {nothing[name]:.1f}; goal {GOAL}: {verdict})")


if __name__ == "__main__":
    main()
