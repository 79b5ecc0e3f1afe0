"""Floor 10: the search, `python tuning/search.py`: many runs of `kpalette.train`, chosen by KerasTuner."""
