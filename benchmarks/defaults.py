"""Defaults beside what they replaced: local tone, a strength for each picture, matching of objects, closed loop.

    python benchmarks/defaults.py VAL.TAR PALETTES.JSON [--count 60] [--part report]
    python benchmarks/defaults.py --time

Rows called "before" recolour as kpalette did without these: by a curve, matched by lightness, networks not corrected.
The rival is `benchmarks/rival.py`. `exchanged` is the share of neighbours, dL above 2, that change places in lightness.
The second form times both at 3840x2160, array to array, palette extracted, in pairs.
"""

import argparse
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cv2
import numpy as np
from rival import recolor_as_rival

from kpalette.data.image_set import split
from kpalette.data.sources import open_images
from kpalette.images.picture import Picture, image_to_lab
from kpalette.images.samples import sample_image
from kpalette.metrics.figures import FIGURES
from kpalette.metrics.measure import measure
from kpalette.palettes.palette import Palette
from kpalette.recolorers.network import NetworkRecolorer
from kpalette.recolorers.recipe import Recipe
from kpalette.recolorers.registry import get_recolorer
from kpalette.report.markdown import markdown_table
from kpalette.study.cases import deal, report_palettes

SHOWN = (
    "ssim", "structure", "luminance", "palette_de", "palette_de_ab", "richness", "false_edges", "halo", "halo_99",
    "object_split", "exchanged", "strength",
)  # fmt: skip
DIGITS = {"palette_de": 2, "palette_de_ab": 2, "richness": 2, "false_edges": 4, "halo": 2, "halo_99": 2, "exchanged": 5}


def rows() -> dict[str, tuple[Any, dict[str, Any]]]:
    """Each row's recolorer and options of `Recipe`."""
    before = NetworkRecolorer("palettenet", runtime="onnx", corrections=0)
    now = get_recolorer("palettenet", runtime="onnx")
    old, new = {"match": "lightness", "tone": "curve"}, {"match": "lightness"}
    found: dict[str, tuple[Any, dict[str, Any]]] = {}
    for strength in (0.0, 0.5, 1.0):
        found[f"palettenet before, lightness {strength:g}"] = before, {**old, "lightness": strength}
        found[f"palettenet, lightness {strength:g}"] = now, {**new, "lightness": strength}
    found["palettenet, auto, matched by lightness"] = now, new
    found["palettenet, defaults"] = now, {}
    for name in ("ablated", "soft", "fitted", "baseline"):
        found[f"{name}, lightness 1"] = get_recolorer(name), {**new, "lightness": 1.0}
        found[f"{name}, defaults"] = get_recolorer(name), {}
    return found


def exchanged(before: np.ndarray, after: np.ndarray) -> float:
    """The share of neighbours that change places in lightness."""
    counts = np.zeros(2)
    for axis in (0, 1):
        steps = [np.diff(L, axis=axis) for L in (before, after)]
        strong = np.abs(steps[0]) > 2
        counts += [(strong & (steps[0] * steps[1] < 0) & (np.abs(steps[1]) > 0.5)).sum(), strong.sum()]
    return float(counts[0] / max(counts[1], 1))


def figures(picture: Picture, image: np.ndarray, target: Palette, strength: float) -> dict[str, float]:
    """All figures of a result."""
    L = [image_to_lab(x)[..., 0] for x in (picture.rgb, image)]
    return {**measure(picture.rgb, image, target), "exchanged": exchanged(*L), "strength": strength}


def case(picture: Picture, target: Palette) -> dict[str, dict[str, float]]:
    """The figures of all rows on one picture and palette."""
    found = {"source": figures(picture, picture.rgb, target, 0.0)}
    for preserve in (False, True):
        image = recolor_as_rival(picture.rgb, target, preserve=preserve)
        found[f"rival{', lightness kept' * preserve}"] = figures(picture, image, target, np.nan)
    for label, (recolorer, options) in rows().items():
        plan = Recipe(target, recolorer, **options).plan(picture)
        found[label] = figures(picture, plan.apply(picture).image, target, plan.lightness)
    return found


def times(repeats: int = 5) -> None:
    """Prints the seconds of each recolorer, before and by the defaults: the least of `repeats`."""
    photo = cv2.resize(sample_image("astronaut"), (3840, 2160), interpolation=cv2.INTER_CUBIC)
    picture, target = Picture(photo), Palette.parse("orange saddlebrown purple green")
    table = []
    for name in ("soft", "fitted", "baseline", "palettenet"):
        now = get_recolorer(name)
        before = NetworkRecolorer(name, runtime="onnx", corrections=0) if name == "palettenet" else now
        old = {"match": "lightness", "tone": "curve"}
        recipes = [Recipe(target, before, **old, lightness=x) for x in (0.0, 1.0)] + [Recipe(target, now)]
        seconds = [[] for _ in recipes]
        for _ in range(repeats + 1):
            for recipe, own in zip(recipes, seconds, strict=True):
                start = time.perf_counter()
                recipe.plan(picture).apply(picture)
                own.append(time.perf_counter() - start)
        least = [min(own[1:]) for own in seconds]
        table.append([name, *(f"{x:.2f}" for x in least), f"{least[2] / least[0]:.2f}"])
    print(markdown_table(["recolorer", "before, lightness 0", "before, lightness 1", "defaults", "ratio to 0"], table))


def main() -> None:
    """Prints the table of means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tar", nargs="?")
    parser.add_argument("palettes", nargs="?")
    parser.add_argument("--time", action="store_true")
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--part", choices=("report", "train"), default="report", help="train: of the selection split")
    options = parser.parse_args()
    if options.time:
        return times()
    cv2.setNumThreads(1)
    images = open_images(options.tar)
    images = (split(images, share=0.1)[1] if options.part == "train" else images).spread(options.count)
    palettes = report_palettes(options.palettes, part=options.part)

    def work(number: int) -> dict[str, dict[str, float]]:
        (place,) = deal(number, per_picture=1, count=len(palettes))
        return case(Picture(images.read(number)), palettes[place])

    with ThreadPoolExecutor(2) as pool:
        cases = list(pool.map(work, range(len(images))))
    assert set(SHOWN) <= {*FIGURES, "exchanged", "strength"}
    table = [
        [label, *(f"{np.mean([found[label][name] for found in cases]):.{DIGITS.get(name, 3)}f}" for name in SHOWN)]
        for label in cases[0]
    ]
    print(markdown_table(["method", *SHOWN], table))


if __name__ == "__main__":
    main()
