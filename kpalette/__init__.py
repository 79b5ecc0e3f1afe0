"""kpalette: put a picture into the colours you choose, with its structure kept.

```python
import kpalette

picture = kpalette.read_image("photo.jpg")
result = kpalette.recolor(picture, "orange saddlebrown purple green")
kpalette.write_image("photo.recolored.jpg", result)
```

Public names are loaded when they are first used, so that `import kpalette` costs next to nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOME = {
    "AdversarialTrainer": "training.adversarial",
    "ArgumentError": "errors",
    "delta_e": "color.difference",
    "evaluate": "study.run",
    "extract_palette": "palettes.extract",
    "find_palette": "palettes.presets",
    "get_recolorer": "recolorers.registry",
    "hue_pairs": "data.pipeline",
    "hue_shift": "color.gamut",
    "ImageError": "errors",
    "KPaletteError": "errors",
    "lab_to_rgb": "color.spaces",
    "list_presets": "palettes.presets",
    "list_recolorers": "recolorers.registry",
    "load_checkpoint": "models.checkpoint",
    "load_palette": "palettes.files",
    "measure": "metrics.measure",
    "OutputError": "errors",
    "Palette": "palettes.palette",
    "palette_distance": "metrics.distance",
    "PaletteDiscriminator": "models.discriminator",
    "PaletteError": "errors",
    "PaletteNet": "models.generator",
    "Picture": "images.picture",
    "Plan": "recolorers.base",
    "read_image": "images.files",
    "Recipe": "recolorers.recipe",
    "recolor": "recolorers.recolor",
    "Recolored": "recolorers.base",
    "Recolorer": "recolorers.base",
    "RecolorerEntry": "recolorers.registry",
    "rgb_to_lab": "color.spaces",
    "save_checkpoint": "models.checkpoint",
    "save_palette": "palettes.files",
    "ssim": "metrics.figures",
    "train": "training.run",
    "TrainConfig": "training.config",
    "write_image": "images.files",
}
"""The module of each public name."""

__all__ = sorted(_HOME)

if TYPE_CHECKING:
    from kpalette.color.difference import delta_e as delta_e
    from kpalette.color.gamut import hue_shift as hue_shift
    from kpalette.color.spaces import lab_to_rgb as lab_to_rgb
    from kpalette.color.spaces import rgb_to_lab as rgb_to_lab
    from kpalette.data.pipeline import hue_pairs as hue_pairs
    from kpalette.errors import ArgumentError as ArgumentError
    from kpalette.errors import ImageError as ImageError
    from kpalette.errors import KPaletteError as KPaletteError
    from kpalette.errors import OutputError as OutputError
    from kpalette.errors import PaletteError as PaletteError
    from kpalette.images.files import read_image as read_image
    from kpalette.images.files import write_image as write_image
    from kpalette.images.picture import Picture as Picture
    from kpalette.metrics.distance import palette_distance as palette_distance
    from kpalette.metrics.figures import ssim as ssim
    from kpalette.metrics.measure import measure as measure
    from kpalette.models.checkpoint import load_checkpoint as load_checkpoint
    from kpalette.models.checkpoint import save_checkpoint as save_checkpoint
    from kpalette.models.discriminator import PaletteDiscriminator as PaletteDiscriminator
    from kpalette.models.generator import PaletteNet as PaletteNet
    from kpalette.palettes.extract import extract_palette as extract_palette
    from kpalette.palettes.files import load_palette as load_palette
    from kpalette.palettes.files import save_palette as save_palette
    from kpalette.palettes.palette import Palette as Palette
    from kpalette.palettes.presets import find_palette as find_palette
    from kpalette.palettes.presets import list_presets as list_presets
    from kpalette.recolorers.base import Plan as Plan
    from kpalette.recolorers.base import Recolored as Recolored
    from kpalette.recolorers.base import Recolorer as Recolorer
    from kpalette.recolorers.recipe import Recipe as Recipe
    from kpalette.recolorers.recolor import recolor as recolor
    from kpalette.recolorers.registry import RecolorerEntry as RecolorerEntry
    from kpalette.recolorers.registry import get_recolorer as get_recolorer
    from kpalette.recolorers.registry import list_recolorers as list_recolorers
    from kpalette.study.run import evaluate as evaluate
    from kpalette.training.adversarial import AdversarialTrainer as AdversarialTrainer
    from kpalette.training.config import TrainConfig as TrainConfig
    from kpalette.training.run import train as train


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'kpalette' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"kpalette.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
