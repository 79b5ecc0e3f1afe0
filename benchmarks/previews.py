"""One change of palette on the compare page, on the server's side: four results with all figures, without a browser.

    python benchmarks/previews.py [--side 512] [--repeats 7]

Processor seconds (all threads) and wall seconds of each recolorer, medians, in the order in which the page runs them:
the first one pays for what all share. KPALETTE_KERNELS=0 measures without compiled kernels.
"""

import argparse
import time

import cv2
import numpy as np

from kpalette.images.picture import Picture
from kpalette.images.samples import sample_image
from kpalette.page.proofs import Proofs
from kpalette.page.results import page_recipe
from kpalette.palettes.extract import extract_palette

METHODS = ("soft", "fitted", "baseline", "palettenet")
TARGETS = (
    ["#2e3440", "#5e81ac", "#a3be8c", "#eceff4"],
    ["#ffa500", "#8b4513", "#800080", "#008000"],
)


def change(proofs: Proofs, source: tuple[str, ...], target: list[str]) -> np.ndarray:
    """Processor and wall seconds of each recolorer for one change of palette, (n, 2)."""
    seconds = []
    for method in METHODS:
        start = time.process_time(), time.perf_counter()
        proofs.result(page_recipe(method, source, target, "auto"))
        seconds.append([time.process_time() - start[0], time.perf_counter() - start[1]])
    return np.array(seconds)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    image = cv2.resize(sample_image("coffee"), (options.side, options.side), interpolation=cv2.INTER_CUBIC)
    proofs, source = Proofs(Picture(image)), extract_palette(image, method="kmeans").hex
    for target in TARGETS:
        change(proofs, source, target)
    seconds = np.median([change(proofs, source, TARGETS[i % 2]) for i in range(options.repeats)], axis=0)
    print("| recolorer | processor seconds | wall seconds |\n|---|---|---|")
    for method, (processor, wall) in zip((*METHODS, "all"), np.vstack([seconds, seconds.sum(axis=0)]), strict=True):
        print(f"| {method} | {processor:.2f} | {wall:.2f} |")


if __name__ == "__main__":
    main()
