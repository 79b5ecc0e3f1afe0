"""Floor 5: Keras layers and functional models. Everything here needs Keras and one of its backends."""
