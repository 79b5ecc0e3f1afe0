"""Quality of all recolourers and reference rows: three of scikit-image's pictures, six palettes, medians of 18.

    python benchmarks/quality.py [--intervals]

These pictures are for reporting: nothing is tuned on them.
"""

import argparse
from collections.abc import Callable, Iterator

import cv2
import numpy as np

from kpalette.evaluation import Row, compare, compare_references, summarize
from kpalette.extract import METHODS
from kpalette.images import SAMPLES, Picture, as_picture, sample_image
from kpalette.metrics import bootstrap_interval
from kpalette.palette import Palette
from kpalette.recolorer import LatticeRecolorer
from kpalette.recoloring import get_recolorer

PALETTES = (
    "rgb(255,165,0) rgb(139,69,19) rgb(128,0,128) rgb(0,128,0)",
    "rgb(46,52,64) rgb(94,129,172) rgb(163,190,140) rgb(236,239,244)",
    "rgb(45,27,78) rgb(181,48,94) rgb(245,133,73) rgb(249,220,92)",
    "rgb(3,4,94) rgb(0,119,182) rgb(0,180,216) rgb(202,240,248)",
    "rgb(26,26,26) rgb(92,92,92) rgb(168,168,168) rgb(242,242,242)",
    "rgb(13,2,33) rgb(255,56,100) rgb(45,226,230) rgb(246,247,64)",
)
STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
SIDE = 512
COLUMNS = ("ssim", "palette_de", "palette_de_ab", "richness", "false_edges")


def pictures() -> list[Picture]:
    """The sample pictures, resized to 512x512 as in the published comparisons."""
    size = (SIDE, SIDE)
    return [as_picture(cv2.resize(sample_image(name), size, interpolation=cv2.INTER_AREA)) for name in SAMPLES]


def settings() -> Iterator[tuple[str, LatticeRecolorer, str, float]]:
    """Every label, recolourer, extraction and lightness strength of the table."""
    for name, extractions in (("soft", ("kmeans",)), ("fitted", ("kmeans",)), ("baseline", METHODS)):
        recolorer = get_recolorer(name)
        assert isinstance(recolorer, LatticeRecolorer)
        for extraction in extractions:
            for strength in STRENGTHS:
                yield f"{name} ({extraction}), lightness {strength:g}", recolorer, extraction, strength


def rows() -> Iterator[Row]:
    """One row for each method, picture and palette."""
    for picture in pictures():
        for target in map(Palette.parse, PALETTES):
            yield from compare_references(picture, target)
            for label, recolorer, extraction, strength in settings():
                own, recolorer.extraction = recolorer.extraction, extraction
                row = list(compare(picture, target, models=[recolorer], lightness=strength))[1]
                recolorer.extraction = own
                yield Row(label, row.image, row.figures, row.seconds)


def print_table(table: dict[str, dict[str, float]], cell: Callable[[str, str], str]) -> None:
    """Prints GitHub markdown."""
    print("| method | " + " | ".join(COLUMNS) + " |\n|---|" + "---|" * len(COLUMNS))
    for method in table:
        print(f"| {method} | " + " | ".join(cell(method, name) for name in COLUMNS) + " |")


def main() -> None:
    """Measures, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--intervals", action="store_true", help="bootstrap 95 %% intervals of the medians")
    options = parser.parse_args()
    measured = list(rows())
    table = summarize(measured)

    def cell(method: str, name: str) -> str:
        digits = {"palette_de": 1, "palette_de_ab": 1, "richness": 2}.get(name, 3)
        text = f"{table[method][name]:.{digits}f}"
        if options.intervals:
            values = [row.figures[name] for row in measured if row.method == method]
            low, high = bootstrap_interval(values, statistic=np.median)
            text += f" ({low:.{digits}f}-{high:.{digits}f})"
        return text

    print_table(table, cell)


if __name__ == "__main__":
    main()
