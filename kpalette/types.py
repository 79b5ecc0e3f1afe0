"""Types of arrays, and the value ranges that all modules share.

| name    | space                      | shape     | range                                       |
|---------|----------------------------|-----------|---------------------------------------------|
| `image` | sRGB, gamma-encoded        | (H, W, 3) | uint8, 0..255                               |
| `rgb`   | sRGB, gamma-encoded        | (..., 3)  | float, 0..1                                 |
| `lab`   | CIELAB, D65, 2 degrees     | (..., 3)  | float, L 0..100, a and b about -108..99     |
| `hsv`   | HSV of gamma-encoded sRGB  | (..., 3)  | float, 0..1 each, hue in turns              |
"""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = Any
"""An array of NumPy, TensorFlow, JAX or Keras."""

ImageArray: TypeAlias = NDArray[np.uint8]
FloatArray: TypeAlias = NDArray[np.floating[Any]]
BoolArray: TypeAlias = NDArray[np.bool_]

L_MAX = 100.0
"""Lightness L of white."""

MIN_COLORS = 2
"""The fewest colours that a palette may be asked for."""

MAX_COLORS = 8
"""The most colours that a palette may have."""

DEFAULT_COLORS = 4
"""How many colours are extracted from a picture by default."""

AUTO = "auto"
"""The lightness strength that is chosen for each picture; see `kpalette.recolorers.strength`."""

TONES = ("local", "curve", "smooth")
"""How lightness moves (`kpalette.recolorers.tone`), the default first."""
