"""Compiled forms of the loops over every pixel of a large picture. They need Numba; without it, NumPy does the same."""
