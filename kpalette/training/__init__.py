"""Floor 7: training. `AdversarialTrainer` for Keras users; the loop behind `python -m kpalette.train`."""
