"""How good a result is: figures, reference rows, intervals."""
