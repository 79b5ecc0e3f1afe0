"""How far the 65-node lattice is from mapping every pixel by itself: dE00 over the pictures and palettes of quality.py.

    python benchmarks/lattice.py [--size 33]

For each picture the median over six palettes of the mean and of the 99th percentile, and the worst palette of each;
then the same medians where lattice and exact mapping both give 8 bits, as files do. The row `rounding` is what 8 bits
alone cost: the exact result, rounded, against itself unrounded.
"""

import argparse

import numpy as np

from kpalette.color.difference import delta_e
from kpalette.color.gamut import reduce_chroma
from kpalette.color.spaces import lab_to_rgb, rgb_to_lab
from kpalette.images.picture import Picture, image_to_rgb, rgb_to_image
from kpalette.recolorers.base import ColorMapRecolorer
from kpalette.recolorers.lattice import LATTICE_SIZE
from kpalette.recolorers.recipe import make_recipe
from kpalette.study.cases import REPORT_PALETTES, sample_pictures
from kpalette.types import FloatArray

SETTINGS = (("soft", 0.0), ("soft", 1.0), ("fitted", 0.0), ("fitted", 1.0), ("baseline", 0.0), ("baseline", 1.0))


def figures(a: FloatArray, b: FloatArray) -> tuple[float, float]:
    """Mean and 99th percentile of dE00 between two rgb arrays."""
    difference = delta_e(rgb_to_lab(a), rgb_to_lab(b))
    return float(difference.mean()), float(np.percentile(difference, 99))


def compare(picture: Picture, model: str, strength: float, palette: str, size: int) -> tuple[list[float], list[float]]:
    """Figures of the lattice, unrounded and by 8 bits, and of rounding alone, against the exact colour map."""
    plan = make_recipe(palette, model=model, lightness=strength).plan(picture)
    recolorer = plan.recolorer
    assert isinstance(recolorer, ColorMapRecolorer)
    color_map = recolorer.color_map_for(picture, plan)
    raw = color_map(rgb_to_lab(image_to_rgb(picture.rgb)).reshape(-1, 3))
    exact = np.clip(lab_to_rgb(reduce_chroma(raw)), 0.0, 1.0).reshape(picture.rgb.shape)
    rounded = image_to_rgb(rgb_to_image(exact))
    lattice = recolorer.lattice(picture, plan, size=size)
    through = figures(lattice.apply_float(image_to_rgb(picture.rgb)), exact)
    in_bytes = figures(image_to_rgb(lattice.apply(picture.rgb)), rounded)
    return [*through, *in_bytes], list(figures(rounded, exact))


def main() -> None:
    """Measures, and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=LATTICE_SIZE, help="nodes a side")
    size = parser.parse_args().size
    print("| recolorer, lightness | picture | mean | 99th % | worst mean | worst 99th % | 8 bits: mean | 99th % |")
    print("|---" * 8 + "|")
    rounding = []
    for model, strength in SETTINGS:
        for name, picture in sample_pictures().items():
            measured = [compare(picture, model, strength, palette, size) for palette in REPORT_PALETTES]
            rounding += [noise for _, noise in measured]
            values = np.array([lattice for lattice, _ in measured])
            middle, worst = np.median(values, axis=0), values.max(axis=0)
            cells = [*middle[:2], *worst[:2], *middle[2:]]
            print(f"| {model}, {strength:g} | {name} | " + " | ".join(f"{cell:.2f}" for cell in cells) + " |")
    cells = [*np.median(rounding, axis=0), *np.max(rounding, axis=0)]
    print("| rounding | all | " + " | ".join(f"{cell:.2f}" for cell in cells) + " | | |")


if __name__ == "__main__":
    main()
