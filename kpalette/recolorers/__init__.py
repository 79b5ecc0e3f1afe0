"""Recolorers: what puts a picture into the colours of a palette. `recolor` chooses among them."""
