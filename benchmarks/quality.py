"""Quality of all recolorers and reference rows: medians over three pictures of scikit-image x six palettes.

    python benchmarks/quality.py [--intervals]
    python benchmarks/quality.py --tar TRAIN.TAR --palettes PALETTES.JSON [--count 40]

The sample pictures are for reporting: nothing is tuned on them. The second form, where settings are chosen, takes a
seeded choice of pictures from a tar of images, each with four palettes of a file {"palettes": [{"colors": ["#..."]}]}.
"""

import argparse
import io
import json
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from kpalette.images.files import read_image
from kpalette.images.picture import Picture
from kpalette.metrics.intervals import bootstrap_interval
from kpalette.palettes.extract import METHODS, extract_palette
from kpalette.palettes.palette import Palette
from kpalette.recolorers.base import ColorMapRecolorer
from kpalette.recolorers.registry import get_recolorer
from kpalette.study.cases import sample_cases
from kpalette.study.compare import MethodResult, compare, compare_references

STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
NO_IMAGE = np.zeros((0, 0, 3), np.uint8)
PUBLISHED = {"match": "lightness", "tone": "curve"}
COLUMNS = ("ssim", "palette_de", "palette_de_ab", "richness", "false_edges")


def settings() -> Iterator[tuple[str, ColorMapRecolorer, str, float]]:
    """Every label, recolorer, extraction and lightness strength of the table."""
    for name, extractions in (("soft", ("kmeans",)), ("fitted", ("kmeans",)), ("baseline", METHODS)):
        recolorer = get_recolorer(name)
        assert isinstance(recolorer, ColorMapRecolorer)
        for extraction in extractions:
            for strength in STRENGTHS:
                yield f"{name} ({extraction}), lightness {strength:g}", recolorer, extraction, strength


def tar_pairs(tar: str, palettes: str, count: int) -> Iterator[tuple[Picture, Palette]]:
    """A seeded choice of pictures of a tar, each with four palettes of four colours."""
    generator = np.random.default_rng(7)
    with open(palettes, encoding="utf-8") as stream:
        colors = [entry["colors"] for entry in json.load(stream)["palettes"]]
    with tarfile.open(tar) as archive:
        members = [member for member in archive.getmembers() if member.isfile()]
        for member in generator.choice(np.array(members, dtype=object), count, replace=False):
            data = archive.extractfile(member)
            assert data is not None
            picture = read_image(io.BytesIO(data.read()), name=member.name)
            for chosen in generator.choice(len(colors), 4, replace=False):
                four = sorted(generator.choice(len(colors[chosen]), 4, replace=False))
                yield picture, Palette.from_hex([colors[chosen][i] for i in four])


def rows(pairs: Iterator[tuple[Picture, Palette]]) -> Iterator[MethodResult]:
    """One row for each method, picture and palette; images are dropped, figures kept."""
    for picture, target in pairs:
        for row in compare_references(picture, target):
            yield replace(row, image=NO_IMAGE)
        for label, recolorer, extraction, strength in settings():
            source = extract_palette(picture, size=len(target), method=extraction)
            row = list(compare(picture, target, models=[recolorer], source=source, lightness=strength, **PUBLISHED))[1]
            yield replace(row, method=label, image=NO_IMAGE)


def medians(measured: list[MethodResult]) -> dict[str, dict[str, float]]:
    """The median of each figure over all rows of a method."""
    grouped: dict[str, list[MethodResult]] = {}
    for row in measured:
        grouped.setdefault(row.method, []).append(row)
    return {
        method: {name: float(np.median([row.figures[name] for row in group])) for name in COLUMNS}
        for method, group in grouped.items()
    }


def print_table(table: dict[str, dict[str, float]], cell: Callable[[str, str], str]) -> None:
    """Prints GitHub markdown."""
    print("| method | " + " | ".join(COLUMNS) + " |\n|---|" + "---|" * len(COLUMNS))
    for method in table:
        print(f"| {method} | " + " | ".join(cell(method, name) for name in COLUMNS) + " |")


def main() -> None:
    """Measures, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--intervals", action="store_true", help="bootstrap 95 %% intervals of the medians")
    parser.add_argument("--tar", help="a tar of pictures")
    parser.add_argument("--palettes", help="a JSON file of palettes, with --tar")
    parser.add_argument("--count", type=int, default=40, help="how many pictures of the tar")
    options = parser.parse_args()
    if (options.tar is None) != (options.palettes is None):
        parser.error("--tar and --palettes go together")
    samples = ((case.picture, case.target) for cases in sample_cases() for case in cases)
    pairs = samples if options.tar is None else tar_pairs(options.tar, options.palettes, options.count)
    measured = list(rows(pairs))
    table = medians(measured)

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
