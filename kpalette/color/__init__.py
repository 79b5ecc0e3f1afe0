"""Colours as numbers: spaces, gamut, difference, names. Every formula runs on NumPy, TensorFlow, JAX and Keras."""
