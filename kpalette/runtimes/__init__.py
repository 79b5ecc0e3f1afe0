"""A network outside Keras: ONNX Runtime, exports, and who computes a network."""
