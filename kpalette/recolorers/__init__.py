"""Everything that puts a picture into the colours of a palette, and `recolor`, which chooses among them."""
