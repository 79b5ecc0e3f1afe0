"""A checkpoint folder, read and written without Keras."""
