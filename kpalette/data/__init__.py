"""Training data: sources of pictures, their palettes, random samples, and the training pairs made of them."""
