"""Networks outside Keras: exports, ONNX Runtime, and the choice of a runtime."""
