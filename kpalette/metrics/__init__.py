"""Quality of a result: figures, reference rows, intervals."""
