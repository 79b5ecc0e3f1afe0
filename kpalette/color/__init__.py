"""Colours as numbers: colour spaces, gamut, colour differences, names. The formulas run on any array library."""
