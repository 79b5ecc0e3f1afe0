"""The study: recolorers and reference rows, measured on many pictures and palettes."""
