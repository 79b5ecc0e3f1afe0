"""Search for training options, `python tuning/search.py`: KerasTuner chooses the options of many training runs."""
