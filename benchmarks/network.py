"""Time and memory of an untrained PaletteNet, 256x256 in memory and 3840x2160 from file to file; prints a table.

    python benchmarks/network.py [--filters 32] [--repeats 5]

Every row is measured in a process of its own, after a first call that loads and compiles ("start"). Seconds are the
least of all repeats, wall clock; CPU seconds, of all threads, say what they would be on a machine that others use too.
The last convolution is damped, so that fewer colours leave sRGB, as with trained weights: chroma reduction costs by
their number. Memory needs Linux.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

SIZE, WIDTH, HEIGHT = 256, 3840, 2160
TARGET = "orange saddlebrown purple green"
ROWS = {
    "forward 256x256, Keras float32": ("forward", "keras", "float32"),
    "forward 256x256, Keras mixed_bfloat16": ("forward", "keras", "mixed_bfloat16"),
    "forward 256x256, ONNX Runtime": ("forward", "onnx", ""),
    "recolor 256x256, Keras float32": ("small", "keras", ""),
    "recolor 256x256, ONNX Runtime": ("small", "onnx", ""),
    "4K JPEG file to file, Keras float32": ("file", "keras", ""),
    "4K JPEG file to file, ONNX Runtime": ("file", "onnx", ""),
}


def inputs() -> dict[str, np.ndarray]:
    """One random picture and palettes, network range."""
    generator = np.random.default_rng(0)
    every = {
        "lab": generator.uniform(-0.5, 0.5, (1, SIZE, SIZE, 3)),
        "source_palette": generator.uniform(-0.5, 0.5, (1, 8, 3)),
        "target_palette": generator.uniform(-0.5, 0.5, (1, 8, 3)),
        "mask": np.arange(8)[np.newaxis] < 4,
    }
    return {name: value.astype(np.float32) for name, value in every.items()}


def forward(folder: str, runtime: str, policy: str) -> Callable[[], Any]:
    """The network alone."""
    from kpalette.recolorers.network import NetworkRecolorer

    given = inputs()
    if policy != "mixed_bfloat16":
        network = NetworkRecolorer(folder, runtime=runtime).load()
        return lambda: np.asarray(network(given))
    from kpalette.models.checkpoint import load_checkpoint

    model = load_checkpoint(folder, dtype=policy)
    return lambda: model.predict_on_batch(given)


def small(folder: str, runtime: str, _: str) -> Callable[[], Any]:
    """Image to image, its palette extracted before."""
    from kpalette.images.picture import as_picture, resize
    from kpalette.images.samples import sample_image
    from kpalette.recolorers.network import NetworkRecolorer
    from kpalette.recolorers.recipe import make_recipe

    picture = as_picture(resize(sample_image("astronaut"), longest=SIZE))
    plan = make_recipe(TARGET, model=NetworkRecolorer(folder, runtime=runtime)).plan(picture)
    return lambda: plan.apply(picture).clipped


def file(folder: str, runtime: str, _: str) -> Callable[[], Any]:
    """JPEG to JPEG: all that the command line does."""
    from kpalette import read_image, write_image
    from kpalette.recolorers.network import NetworkRecolorer
    from kpalette.recolorers.recipe import make_recipe

    recolorer, place = NetworkRecolorer(folder, runtime=runtime), Path(folder).parent

    def work() -> float:
        picture = read_image(place / "a.jpg")
        done = make_recipe(TARGET, model=recolorer).plan(picture).apply(picture)
        write_image(place / "b.jpg", picture.with_rgb(done.image), overwrite=True)
        return done.clipped

    return work


def measure(row: str, folder: str, repeats: int) -> None:
    """Prints the figures of one row as JSON."""
    kind, runtime, policy = ROWS[row]
    start = time.perf_counter()
    work = {"forward": forward, "small": small, "file": file}[kind](folder, runtime, policy)
    clipped = work()
    first, seconds, cpu = time.perf_counter() - start, [], []
    for _ in range(repeats):
        start, busy = time.perf_counter(), time.process_time()
        work()
        seconds.append(time.perf_counter() - start)
        cpu.append(time.process_time() - busy)
    # Not getrusage, which starts from what the parent process held.
    status = Path("/proc/self/status").read_text()
    peak = int(status.split("VmHWM:")[1].split()[0]) / 1024
    share = None if kind == "forward" else float(clipped)
    print(json.dumps({"first": first, "seconds": min(seconds), "cpu": min(cpu), "peak": peak, "clipped": share}))


def prepare(place: Path, filters: int) -> Path:
    """Writes the checkpoint, its graph, and the 4K picture."""
    sys.path.insert(0, str(Path(__file__).parent))
    import keras
    from speed import picture

    from kpalette import write_image
    from kpalette.models.checkpoint import save_checkpoint
    from kpalette.models.generator import PaletteNet
    from kpalette.runtimes.graph import write_graph

    keras.utils.set_random_seed(0)
    model = PaletteNet(filters=filters)
    layer = model.get_layer("head_conv")
    layer.set_weights([0.05 * array for array in layer.get_weights()])
    folder = save_checkpoint(model, place / "net")
    write_graph(folder)
    write_image(place / "a.jpg", picture(WIDTH, HEIGHT))
    return folder


def main() -> None:
    """Measures all rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--filters", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--row", help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.row:
        measure(options.row, options.folder, options.repeats)
        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    with tempfile.TemporaryDirectory() as place:
        folder = prepare(Path(place), options.filters)
        print(f"graph.onnx: {(folder / 'graph.onnx').stat().st_size / 1000:.0f} kB, {options.filters} filters\n")
        print("| what | seconds | CPU seconds | start | peak MB | clipped |\n|---|---|---|---|---|---|")
        for row in ROWS:
            command = [sys.executable, __file__, "--row", row, "--folder", folder, "--repeats", str(options.repeats)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                print(f"| {row} | {(done.stderr.strip() or '?').splitlines()[-1]} | | | | |", flush=True)
                continue
            figures = json.loads(done.stdout.splitlines()[-1])
            share = "" if figures["clipped"] is None else f"{figures['clipped']:.2f}"
            numbers = (
                f"{figures['seconds']:.3f} | {figures['cpu']:.2f} | {figures['first']:.1f} | {figures['peak']:.0f}"
            )
            print(f"| {row} | {numbers} | {share} |", flush=True)


if __name__ == "__main__":
    main()
