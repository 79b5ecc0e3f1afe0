"""Several colours: palettes, their files, presets by name, extraction from pictures."""
