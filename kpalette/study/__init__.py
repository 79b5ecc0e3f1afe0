"""Recolorers measured beside reference rows, over many pictures and palettes."""
