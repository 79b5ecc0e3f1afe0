"""The embedded pictures: scikit-image's photographs and painted pictures, available on every machine."""

import importlib.resources
from functools import partial

import cv2
import numpy as np

from kpalette.color.gamut import reduce_chroma
from kpalette.color.spaces import lab_to_rgb, lch_to_lab
from kpalette.data.image_set import ImageSet, Item
from kpalette.images.picture import rgb_to_image
from kpalette.types import FloatArray, ImageArray

GENERATED = 60
"""Number of painted pictures in the embedded set."""

_SHIPPED = ("astronaut.png", "chelsea.png", "coffee.png", "hubble_deep_field.jpg", "ihc.png", "motorcycle_left.png",
            "retina.jpg", "rocket.jpg")  # fmt: skip
_SIDE = 256
_PAINTER = "1"  # raise when `paint` changes, so that caches notice


def embedded() -> ImageSet:
    """The embedded pictures, for trying out training.

    Returns:
        Up to 8 photographs that come with scikit-image, and `GENERATED` painted pictures of 256x256 pixels.
    """
    folder = importlib.resources.files("skimage") / "data"
    shipped = [(name, folder / name) for name in _SHIPPED if (folder / name).is_file()]
    photos = tuple(Item(name, "", path.read_bytes) for name, path in shipped)
    painted = tuple(Item(f"painted-{i:02d}", _PAINTER, partial(paint, i)) for i in range(GENERATED))
    return ImageSet("the embedded pictures", photos + painted)


def paint(number: int) -> ImageArray:
    """Paints a picture of colour clouds, discs and brush strokes with a texture.

    Args:
        number: seed of the picture; the same number always gives the same picture.

    Returns:
        uint8 sRGB (256, 256, 3).
    """
    generator = np.random.default_rng([20, number])
    colors = _colors(generator)
    sharpness = generator.choice([0.5, 2.0, 8.0])
    clouds = np.stack([_noise(generator, int(generator.integers(2, 7))) for _ in colors], axis=-1)
    shares = np.exp(sharpness * clouds)
    canvas = (shares / shares.sum(axis=-1, keepdims=True)) @ colors
    for _ in range(generator.integers(4, 25)):
        mask = _mark(generator)[..., None] * generator.uniform(0.4, 1.0)
        canvas += mask * (colors[generator.integers(len(colors))] + generator.normal(0, 0.04, 3) - canvas)
    grain = _noise(generator, int(generator.integers(12, 40))) + _noise(generator, int(generator.integers(60, 160)))
    canvas *= 1 + generator.choice([0.01, 0.04, 0.1]) * grain[..., None]
    return rgb_to_image(canvas)


def _colors(generator: np.random.Generator) -> FloatArray:
    """A random colour scheme as rgb (n, 3): one or two families of hues, from dark to light, muted or vivid."""
    count = int(generator.integers(4, 9))
    families = generator.uniform(0, 360) + generator.choice([0.0, 120.0, 150.0, 180.0]) * (np.arange(count) % 2)
    hue = families + generator.normal(0, generator.choice([10.0, 30.0, 80.0]), count)
    lightness = np.linspace(generator.uniform(5, 35), generator.uniform(65, 97), count) + generator.normal(0, 5, count)
    chroma = generator.uniform(0.2, 1.2, count) * generator.choice([15.0, 40.0, 70.0])
    lch = np.stack([np.clip(lightness, 2, 98), chroma, hue], axis=-1)
    rgb: FloatArray = np.clip(lab_to_rgb(reduce_chroma(lch_to_lab(lch))), 0.0, 1.0)
    return rgb


def _noise(generator: np.random.Generator, cells: int) -> FloatArray:
    """Smooth noise (256, 256) with `cells` bumps along each side."""
    noise = generator.normal(size=(cells, cells))
    return np.asarray(cv2.resize(noise, (_SIDE, _SIDE), interpolation=cv2.INTER_CUBIC), dtype=np.float64)


def _mark(generator: np.random.Generator) -> FloatArray:
    """The coverage (256, 256), 0..1, of a soft disc or of a brush stroke."""
    mask = np.zeros((_SIDE, _SIDE), dtype=np.float32)
    start = generator.uniform(0, _SIDE, 2)
    if generator.random() < 0.5:
        cv2.circle(mask, start.astype(int).tolist(), int(generator.integers(6, 60)), 1.0, -1)
    else:
        turns = np.cumsum(np.append(generator.uniform(0, 6.3), generator.normal(0, 0.3, 12)))
        path = start + np.cumsum(12 * np.stack([np.cos(turns), np.sin(turns)], axis=-1), axis=0)
        cv2.polylines(mask, [path.astype(np.int32)], False, 1.0, int(generator.integers(3, 28)))
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), generator.choice([0.7, 1.5, 6.0])), dtype=np.float32)
