"""Results: at a screen's size with their figures, whole on download, and the command that makes the same file."""

import shlex
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import PurePath

import cv2
import numpy as np

from kpalette.batch.job import Recoloring
from kpalette.color.difference import delta_e_76
from kpalette.errors import ArgumentError, KPaletteError
from kpalette.images.encode import encode_image
from kpalette.images.files import SUFFIXES, format_of, suffix_of
from kpalette.images.picture import Picture, as_picture, image_to_lab, resize
from kpalette.metrics.figures import measure, palette_distance, ssim
from kpalette.page.pictures import decode_upload, file_name
from kpalette.palettes.palette import Palette
from kpalette.recolorers.base import LatticeRecolorer
from kpalette.recolorers.lut_files import DEFAULT_SIZES, encode_cube
from kpalette.recolorers.network import NetworkRecolorer
from kpalette.recolorers.recolor import make_plan
from kpalette.recolorers.registry import NETWORKS, get_recolorer, list_recolorers
from kpalette.types import ImageArray
from kpalette.weights.presets import find_preset

TITLES = {
    "palettenet": ("PaletteNet", "A trained network. It looks at the whole picture before it decides."),
    "ablated": ("PaletteNet, first phase", "The network without the second, adversarial phase of its training."),
    "baseline": ("Baseline", "Chang et al. 2015: each colour moves as the nearest colours of the picture do."),
    "soft": ("Soft shift", "Colours move gently with their neighbours. Quick, smooth, the safe choice."),
    "fitted": ("Fitted shift", "Soft shift, adjusted to this picture so that its colours land on yours."),
}
"""What the page calls each recolourer, and one line about it."""

STRONG_CHANGE = 50.0
"""The dE76 that the map of changes shows as its brightest."""


@dataclass(frozen=True)
class Work:
    """What decides a result, beside the picture.

    Attributes:
        method: name of a recolourer.
        source: the picture's own colours, `#rrggbb`.
        target: what each of them becomes.
        lightness: strength, 0..1.
    """

    method: str
    source: tuple[str, ...]
    target: tuple[str, ...]
    lightness: float

    def recoloring(self) -> Recoloring:
        """The same as the command line does it, so that both make the same file."""
        target, source = Palette.from_hex(self.target), Palette.from_hex(self.source)
        return Recoloring(target, self.method, source, "order", self.lightness)


@dataclass(frozen=True, eq=False)
class Result:
    """A result at a screen's size.

    Attributes:
        work: what was asked for.
        picture: the picture recoloured.
        ssim: how much of the structure is kept, 1 is all.
        palette_de: how far its colours are from the target, 0 is exact.
        seconds: it took.
    """

    work: Work
    picture: Picture
    ssim: float
    palette_de: float
    seconds: float


def preview(picture: Picture, work: Work) -> Result:
    """Recolours a picture of a screen's size.

    Args:
        picture: the picture.
        work: what is asked for.

    Returns:
        The result and its figures, as `metrics.measure` gives them.

    Raises:
        KPaletteError: if a network's weights are missing or damaged.
    """
    recolorer = get_recolorer(work.method)
    if isinstance(recolorer, NetworkRecolorer):
        recolorer.load()  # once for all pictures: no part of this one's seconds
    start = time.perf_counter()
    target = Palette.from_hex(work.target)
    plan = make_plan(
        picture, target, model=recolorer, source=Palette.from_hex(work.source), match="order", lightness=work.lightness
    )
    done = picture.with_rgb(plan.apply(picture).image)
    seconds = time.perf_counter() - start
    if picture.alpha is not None:
        figures = measure(picture.rgb, done.rgb, target, alpha=picture.alpha)
        return Result(work, done, figures["ssim"], figures["palette_de"], seconds)
    with ThreadPoolExecutor(1) as beside:
        kept = beside.submit(ssim, picture, done)
        off = palette_distance(done, target)
    return Result(work, done, kept.result(), off, seconds)


def why_missing(method: str) -> str | None:
    """Why a method can do nothing here: its weights are not there; None if it can."""
    if method not in NETWORKS:
        return None
    try:
        find_preset(method)
    except KPaletteError as error:
        return str(error)
    return None


def whole_file(data: bytes, work: Work, *, name: str) -> bytes:
    """The result at full size as a file of the kind that came, its metadata kept.

    Args:
        data: the bytes of the picture that came.
        work: what is asked for.
        name: of the file that came.

    Returns:
        The bytes of the file that `command` makes.

    Raises:
        KPaletteError: if the picture cannot be read, or the result not be written in its format.
    """
    picture = decode_upload(data, name=name)
    return work.recoloring().encoded(picture, image_format=format_of(result_name(name, work.method, picture.format)))


def result_name(name: str, method: str, image_format: str) -> str:
    """What a result is called: the picture's name with the method's in it, its suffix true of the format."""
    path = PurePath(file_name(name))
    kept = SUFFIXES.get(path.suffix.lower()) == image_format
    return f"{path.stem}.{method}{path.suffix if kept else suffix_of(image_format)}"


def command(work: Work, *, name: str, image_format: str, sample: str | None = None) -> str:
    """The command line that makes the very file that `whole_file` gives, in the folder of the picture.

    Args:
        work: what was asked for.
        name: of the picture's file.
        image_format: its format.
        sample: its name where it is one of `images.SAMPLES`, which has no file yet.

    Returns:
        One line for a POSIX shell; for a sample picture one before it, which saves the picture.
    """
    name = file_name(name)
    parts = [
        "kpalette", "recolor", _plain(name), "--palette", _bare(work.target), "--source", _bare(work.source),
        "--match", "order", "--lightness", f"{work.lightness:g}", "--model", work.method, "--output",
        _plain(result_name(name, work.method, image_format)), "--force",
    ]  # fmt: skip
    line = shlex.join(parts)
    if sample is None:
        return line
    save = f"import kpalette, kpalette.images.samples as i; kpalette.write_image('{name}', i.sample_image('{sample}'))"
    return f'python -c "{save}"\n{line}'


def _plain(name: str) -> str:
    # A name that begins with a dash would be taken for an option.
    return f"./{name}" if name.startswith("-") else name


def _bare(colors: tuple[str, ...]) -> str:
    return ",".join(code.removeprefix("#") for code in colors)


def cube_file(data: bytes, work: Work, *, name: str) -> bytes:
    """The recolouring as a .cube table for video and photo programs, as `kpalette lut` writes it.

    Args:
        data: the bytes of the picture that came.
        work: what is asked for.
        name: of the file that came.

    Returns:
        The bytes of the table.

    Raises:
        ArgumentError: if the method is no colour mapping.
        KPaletteError: if the picture cannot be read.
    """
    recolorer = get_recolorer(work.method)
    if not isinstance(recolorer, LatticeRecolorer):
        raise ArgumentError(f"`work` must be of a method that is a colour mapping. Received: {work.method}")
    source, target = Palette.from_hex(work.source), Palette.from_hex(work.target)
    lattice = recolorer.lattice(
        decode_upload(data, name=name), source, target, lightness=work.lightness, size=DEFAULT_SIZES[".cube"]
    )
    return encode_cube(lattice, title=f"kpalette {work.method} {' '.join(target.hex)}")


def has_cube(method: str) -> bool:
    """Whether a method is one colour mapping, which a table can hold."""
    return isinstance(get_recolorer(method), LatticeRecolorer)


def change_map(before: ImageArray, after: ImageArray) -> ImageArray:
    """Where colours changed: uint8 (H, W, 3), dark is no change, bright `STRONG_CHANGE` dE76 or more."""
    change = delta_e_76(image_to_lab(before), image_to_lab(after))
    grey = np.rint(np.clip(change / STRONG_CHANGE, 0, 1) * 255).astype(np.uint8)
    return np.ascontiguousarray(cv2.applyColorMap(grey, cv2.COLORMAP_INFERNO)[..., ::-1], dtype=np.uint8)


def screen_file(picture: Picture) -> bytes:
    """A picture of a screen's size as a browser shows it: JPEG, or PNG where there is transparency."""
    if picture.alpha is None:
        return encode_image(picture, image_format="JPEG", strip=True)
    # Little compressed: a quarter of the time. Streamlit would turn a WebP into a PNG at every run.
    pixels = cv2.cvtColor(np.asarray(picture), cv2.COLOR_RGBA2BGRA)
    return cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes()


def thumbnail(picture: Picture, *, longest: int = 160) -> bytes:
    """A small JPEG of a picture for the history, on grey where it is transparent."""
    small = as_picture(resize(np.asarray(picture), longest=longest))
    return encode_image(small, image_format="JPEG", background="grey", strip=True)


def by_speed(methods: tuple[str, ...]) -> tuple[str, ...]:
    """Methods in the order in which they are best computed: networks last, so that something is there at once."""
    order = list_recolorers()
    return tuple(sorted(methods, key=lambda name: (name in NETWORKS, order.index(name))))


def by_interest(methods: tuple[str, ...]) -> tuple[str, ...]:
    """Methods in the order in which they are shown: those that can do nothing here last."""
    order = list(TITLES)
    return tuple(sorted(methods, key=lambda name: (why_missing(name) is not None, order.index(name))))
