"""What `speed.py` times: one task for each row of its table, ours and other tools'."""

import atexit
import io
import os
import tempfile
from collections.abc import Callable
from dataclasses import replace
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


def prepared(model: str, image: np.ndarray) -> tuple[Any, Any]:
    """The picture and its plan, at lightness 0."""
    from kpalette.images.picture import as_picture
    from kpalette.palettes.extract import extract_palette
    from kpalette.palettes.palette import Palette
    from kpalette.recolorers.base import Plan
    from kpalette.recolorers.registry import get_recolorer

    recolorer, source = get_recolorer(model), as_picture(image)
    palette = extract_palette(source, method=recolorer.extraction)
    target = palette.matched(Palette.from_hex(TARGET))
    return source, Plan(recolorer, palette, target, 0.0)


def extraction(method: str) -> Task:
    """Takes a palette."""
    from kpalette.palettes.extract import extract_palette

    image = picture()
    return lambda: extract_palette(image, method=method), 1.0


def rebake(model: str) -> Task:
    """Bakes for changing targets."""
    from kpalette.palettes.palette import Palette

    source, plan = prepared(model, picture())
    plans = [plan, replace(plan, target=plan.source.matched(Palette.from_hex(OTHER)))]

    def bake() -> None:
        plans.reverse()
        plan.recolorer.lattice(source, plans[0])

    return bake, 1.0


def first_bake(model: str) -> Task:
    """Takes a palette and bakes."""
    image = picture()

    def bake() -> None:
        source, plan = prepared(model, image)
        plan.recolorer.lattice(source, plan)

    return bake, 1.0


def lattice_apply(_: str) -> Task:
    """Array to array."""
    image = picture()
    source, plan = prepared("soft", image)
    lattice = plan.recolorer.lattice(source, plan)
    return lambda: lattice.apply(image), 1.0


def float_apply(_: str) -> Task:
    """The same for float32 arrays."""
    image = picture()
    source, plan = prepared("soft", image)
    lattice = plan.recolorer.lattice(source, plan)
    rgb = image / np.float32(255)
    return lambda: lattice.apply_float(rgb), 1.0


def file_part(part: str) -> Task:
    """JPEG to JPEG by a recolourer, or the reading or writing of it."""
    from kpalette.images.files import read_image, write_image
    from kpalette.palettes.palette import Palette
    from kpalette.recolorers.recolor import recolor

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
    from kpalette.batch.job import Job, RecolorFile
    from kpalette.batch.run import run_batch
    from kpalette.palettes.palette import Palette
    from kpalette.recolorers.recipe import Recipe

    if workers == "1":
        os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
    folder = scratch()
    stream = io.BytesIO()
    Image.fromarray(picture(1920, 1080)).save(stream, "JPEG", quality=92)
    for i in range(BATCH):
        (folder / f"{i}.jpg").write_bytes(stream.getvalue())
    jobs = [Job(str(folder / f"{i}.jpg"), str(folder / f"{i}-out.jpg"), True) for i in range(BATCH)]
    work = RecolorFile(Recipe(Palette.from_hex(TARGET), "soft"))

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
