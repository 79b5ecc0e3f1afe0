"""Several colours: `Palette`, palette files, presets, and palettes taken from pictures."""
