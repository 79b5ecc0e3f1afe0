"""Training: the runs of `python -m kpalette.train`, and `AdversarialTrainer` for Keras users."""
