"""Floor 6: where training pictures come from, and what is drawn from them."""
