"""Many pictures recoloured alike, in several processes, and again from where they stopped."""
