"""Time and memory at 3840x2160, beside other tools in the same run; prints a GitHub-markdown table.

    python benchmarks/speed.py [--repeats 5]

Every row is measured in a process of its own. Peers that cannot be imported are said to be so; the variable
KPALETTE_PEERS may name a folder that holds them (pip install --target). Memory needs Linux.
"""

import argparse
import atexit
import ctypes
import importlib.util
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageFilter

WIDTH, HEIGHT = 3840, 2160
TARGET = ["#ffa500", "#8b4513", "#800080", "#008000"]
OTHER = ["#2e3440", "#5e81ac", "#a3be8c", "#eceff4"]
MODELS = ("soft", "fitted", "baseline")
LUT_ROW, BATCH = "Pillow Color3DLUT filter", 60

Task = tuple[Callable[[], Any], float]
"""What is timed, and by what its seconds are multiplied."""


def picture(width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """Two sample pictures side by side, enlarged, with fine seeded noise so that nothing is flat."""
    import skimage.data

    halves = [cv2.resize(image, (512, 512)) for image in (skimage.data.astronaut(), skimage.data.coffee())]
    large = cv2.resize(np.hstack(halves), (width, height), interpolation=cv2.INTER_CUBIC)
    noisy = large + np.random.default_rng(0).normal(0, 3, large.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)


def scratch() -> Path:
    """A folder that goes with this process."""
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    return Path(folder.name)


def prepared(model: str, image: np.ndarray) -> tuple[Any, Any, Any, Any]:
    """A recolourer, the picture, its palette, and the target's."""
    from kpalette.extract import extract_palette
    from kpalette.images import as_picture
    from kpalette.palette import Palette
    from kpalette.recoloring import get_recolorer

    recolorer, source = get_recolorer(model), as_picture(image)
    palette = extract_palette(source, method=recolorer.extraction)
    return recolorer, source, palette, palette.matched(Palette.from_hex(TARGET))


def extraction(method: str) -> Task:
    """Takes a palette."""
    from kpalette.extract import extract_palette

    image = picture()
    return lambda: extract_palette(image, method=method), 1.0


def rebake(model: str) -> Task:
    """Bakes for changing targets."""
    from kpalette.palette import Palette

    recolorer, source, palette, target = prepared(model, picture())
    targets = [target, palette.matched(Palette.from_hex(OTHER))]

    def bake() -> None:
        targets.reverse()
        recolorer.lattice(source, palette, targets[0], lightness=recolorer.default_lightness)

    return bake, 1.0


def first_bake(model: str) -> Task:
    """Takes a palette and bakes."""
    image = picture()

    def bake() -> None:
        recolorer, source, palette, target = prepared(model, image)
        recolorer.lattice(source, palette, target, lightness=recolorer.default_lightness)

    return bake, 1.0


def lattice_apply(_: str) -> Task:
    """Array to array."""
    image = picture()
    recolorer, source, palette, target = prepared("soft", image)
    lattice = recolorer.lattice(source, palette, target, lightness=0.0)
    return lambda: lattice.apply(image), 1.0


def float_apply(_: str) -> Task:
    """The same for float32 arrays."""
    image = picture()
    recolorer, source, palette, target = prepared("soft", image)
    lattice = recolorer.lattice(source, palette, target, lightness=0.0)
    rgb = image / np.float32(255)
    return lambda: lattice.apply_float(rgb), 1.0


def file_part(part: str) -> Task:
    """JPEG to JPEG by a recolourer, or the reading or writing of it."""
    from kpalette.image_files import read_image, write_image
    from kpalette.palette import Palette
    from kpalette.recoloring import recolor

    folder = scratch()
    Image.fromarray(picture()).save(folder / "in.jpg", quality=92)
    decoded, target = read_image(folder / "in.jpg"), Palette.from_hex(TARGET)

    def write(image: Any) -> None:
        write_image(folder / "out.jpg", image, overwrite=True)

    def all_of_it() -> None:
        write(recolor(read_image(folder / "in.jpg"), target, model=part))

    parts = {"read": lambda: read_image(folder / "in.jpg"), "write": lambda: write(decoded)}
    return parts.get(part, all_of_it), 1.0


def batch(workers: str) -> Task:
    """Pictures of 2 megapixels; a single worker gets a single core."""
    from kpalette.batch import Job, Recoloring, run_batch
    from kpalette.palette import Palette

    if workers == "1":
        os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
    folder = scratch()
    stream = io.BytesIO()
    Image.fromarray(picture(1920, 1080)).save(stream, "JPEG", quality=92)
    for i in range(BATCH):
        (folder / f"{i}.jpg").write_bytes(stream.getvalue())
    jobs = [Job(str(folder / f"{i}.jpg"), str(folder / f"{i}-out.jpg"), True) for i in range(BATCH)]
    work = Recoloring(Palette.from_hex(TARGET), "soft")

    def run() -> None:
        assert not [done.error for done in run_batch(jobs, work, workers=int(workers)) if done.error]

    return run, 1.0


def pillow_lut(_: str) -> Task:
    """Pillow's own filter, its table and image ready."""
    image = Image.fromarray(picture())
    axis = np.linspace(0, 1, 65, dtype=np.float32)
    table = np.stack(np.meshgrid(axis, axis, axis, indexing="ij")[::-1], axis=-1) ** np.float32(1.2)
    lut = ImageFilter.Color3DLUT(65, table.reshape(-1))
    return lambda: image.filter(lut), 1.0


def pillow_quantize(_: str) -> Task:
    """Pillow's nearest colour with dithering."""
    image, palette = Image.fromarray(picture()), Image.new("P", (1, 1))
    palette.putpalette([int(text[i : i + 2], 16) for text in TARGET for i in (1, 3, 5)])
    return lambda: image.quantize(palette=palette), 1.0


def go_nord(_: str) -> Task:
    """image-go-nord: nearest colour, pixel by pixel."""
    from ImageGoNord import GoNord

    image, tool = Image.fromarray(picture(WIDTH // 2, HEIGHT // 2)), GoNord()
    tool.reset_palette()
    for text in TARGET:
        tool.add_color_to_palette(text)
    return lambda: tool.convert_image(image.copy()), 4.0


def palettum(_: str) -> Task:
    """Palettum with its defaults."""
    import palettum as tool

    path = str(scratch() / "in.png")
    Image.fromarray(picture(WIDTH // 2, HEIGHT // 2)).save(path)
    image = tool.Image(path)
    config = tool.Config()
    config.palette = [tool.RGB(*(int(text[i : i + 2], 16) for i in (1, 3, 5))) for text in TARGET]
    return lambda: tool.palettify(image, config), 4.0


def color_matcher(_: str) -> Task:
    """color-matcher, by Monge-Kantorovitch transfer to a picture of the palette."""
    from color_matcher import ColorMatcher

    image = picture(WIDTH // 2, HEIGHT // 2)
    colors = np.array([[int(text[i : i + 2], 16) for i in (1, 3, 5)] for text in TARGET], np.uint8)
    noise = np.random.default_rng(0).normal(0, 4, (64, 64, 3))
    reference = np.clip(np.tile(colors, (64, 16, 1)) + noise, 0, 255).astype(np.uint8)
    return lambda: ColorMatcher().transfer(src=image, ref=reference, method="mkl"), 4.0


# label: what makes the task, its argument, the target (seconds), the module that a peer needs, MB of its result
ROWS: dict[str, tuple[Callable[[str], Task], str, str, str, float]] = {
    LUT_ROW: (pillow_lut, "", "", "", 24.9),
    **{f"extract, {m}": (extraction, m, "0.05", "", 0.0) for m in ("chang", "kmeans")},
    **{f"bake, target changed, {m}": (rebake, m, "0.15", "", 0.0) for m in MODELS},
    **{f"extract and bake, {m}": (first_bake, m, "0.5", "", 0.0) for m in MODELS},
    "apply, array to array": (lattice_apply, "", "1.2 x Color3DLUT, 300 MB", "", 24.9),
    "apply, float32": (float_apply, "", "", "", 99.5),
    "JPEG to JPEG, soft": (file_part, "soft", "1.5", "", 49.8),
    "JPEG to JPEG, palettenet": (file_part, "palettenet", "3", "", 49.8),
    "read JPEG": (file_part, "read", "", "", 24.9),
    "write JPEG": (file_part, "write", "", "", 0.0),
    f"batch of {BATCH}, 1 worker on 1 core": (batch, "1", "", "", 0.0),
    f"batch of {BATCH}, 2 workers": (batch, "2", "1 worker / 1.7", "", 0.0),
    "Pillow quantize(palette=...)": (pillow_quantize, "", "", "", 8.3),
    "image-go-nord (a quarter of the pixels, x 4)": (go_nord, "", "", "ImageGoNord", 6.2),
    "palettum (a quarter of the pixels, x 4)": (palettum, "", "", "palettum", 6.2),
    "color-matcher mkl (a quarter of the pixels, x 4)": (color_matcher, "", "", "color_matcher", 6.2),
}


def status_mb(name: str) -> float:
    """A field of /proc/self/status in MB; NaN where there is none."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return float("nan")
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith(name))


def begin_peak() -> float:
    """Gives freed memory back, so that it cannot serve unseen, resets the peak, and tells what is in use in MB."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)
    if Path("/proc/self/clear_refs").exists():
        Path("/proc/self/clear_refs").write_text("5")
    return status_mb("VmRSS")


def measure(label: str, repeats: int) -> dict[str, Any]:
    """Median seconds of a row, and the peak of its first call above what was there before it and its result."""
    make, argument, _, module, result_mb = ROWS[label]
    if module and importlib.util.find_spec(module) is None:
        return {"seconds": None, "note": "not installed"}
    run, scale = make(argument)
    before = begin_peak()
    run()
    peak = status_mb("VmHWM")
    seconds = []
    for _ in range(1 if make in (batch, go_nord) else repeats):
        start = time.perf_counter()
        run()
        seconds.append((time.perf_counter() - start) * scale)
    return {"seconds": float(np.median(seconds)), "mb": max(0.0, peak - before - result_mb)}


def in_process(label: str, repeats: int) -> dict[str, Any]:
    """`measure` in a fresh process."""
    peer, environment = ROWS[label][3], dict(os.environ)
    if peer and "KPALETTE_PEERS" in environment:
        environment["PYTHONPATH"] = environment["KPALETTE_PEERS"]
    command = [sys.executable, __file__, "--one", label, "--repeats", str(repeats)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=600)
    if done.returncode:
        return {"seconds": None, "note": f"failed: {done.stderr.strip().splitlines()[-1][:80]}"}
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Measures, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5, help="timed calls of each row")
    parser.add_argument("--one", choices=ROWS, help=argparse.SUPPRESS)
    parser.add_argument("--only", default="", help="rows whose name holds this")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one, options.repeats)))
        return
    print("| what | seconds (median) | MB above the pictures | ratio to Color3DLUT | target |\n|---|---|---|---|---|")
    unit = 0.0
    for label in [label for label in ROWS if options.only in label or label == LUT_ROW]:
        found = in_process(label, options.repeats)
        if found["seconds"] is None:
            print(f"| {label} | {found['note']} | | | |", flush=True)
            continue
        unit = unit or found["seconds"]
        cells = [f"{found['seconds']:.3f}", f"{found['mb']:.0f}", f"{found['seconds'] / unit:.2f}", ROWS[label][2]]
        print(f"| {label} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
