"""Checkpoint folders: reading and writing network weights without Keras."""
