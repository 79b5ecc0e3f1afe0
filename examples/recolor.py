"""Recolours a picture with your own checkpoint: python examples/recolor.py CHECKPOINT PICTURE COLOURS RESULT."""

import sys

import kpalette
from kpalette.recolorers.network import NetworkRecolorer

checkpoint, picture, colours, result = sys.argv[1:]
image = kpalette.read_image(picture)
recoloured = kpalette.recolor(image, colours, model=NetworkRecolorer(checkpoint))
kpalette.write_image(result, recoloured)
