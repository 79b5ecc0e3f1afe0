import io

import numpy as np
import pytest
from PIL import Image

from kpalette.recolorers import registry
from kpalette.weights import presets
from tests.cli.conftest import kp  # noqa: F401


@pytest.fixture
def no_networks(monkeypatch):
    """No network has weights: fast, and independent of those that ship."""
    monkeypatch.setattr(presets, "_preset_folder", {}.get)
    registry.made.cache_clear()


@pytest.fixture
def both_networks(monkeypatch, tiny_checkpoint):
    """Both networks have the weights of a tiny one."""
    monkeypatch.setattr(presets, "_preset_folder", {"palettenet": tiny_checkpoint, "ablated": tiny_checkpoint}.get)
    registry.made.cache_clear()


def file_of(image: np.ndarray, form: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, form, **options)
    return buffer.getvalue()


@pytest.fixture(scope="session")
def turned(photo) -> bytes:
    """A JPEG of 128x96 pixels of a camera that was turned: upright it has 96x128."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Maker"
    return file_of(np.ascontiguousarray(photo[:96]), "JPEG", quality=95, exif=exif)


def huge_png(width: int, height: int) -> bytes:
    """A PNG of many pixels and few bytes."""
    buffer = io.BytesIO()
    Image.new("1", (width, height)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="session")
def bad_files(photo) -> dict[str, tuple[bytes, str]]:
    """Uploads that cannot be shown, by name, each with words of its message."""
    grey = photo[:32, :32]
    frames = [Image.fromarray(grey), Image.fromarray(255 - grey)]
    gif = io.BytesIO()
    frames[0].save(gif, "GIF", save_all=True, append_images=frames[1:])
    png = file_of(photo)
    return {
        "notes.png": (b"Dear diary, this is no picture at all.", "not a readable picture"),
        "empty.png": (b"", "is empty (0 bytes)"),
        "huge.png": (huge_png(10_000, 6_000), "over the limit of 50,000,000: make it smaller first"),
        "moving.png": (gif.getvalue(), "only PNG, JPEG, WEBP, TIFF can be read"),
        "torn.png": (png[: len(png) // 2], "the file is damaged"),
        "clear.png": (file_of(np.zeros((20, 20, 4), np.uint8)), "wholly transparent"),
        "heavy.png": (bytes(25_000_001), "at most 25 MB"),
    }
