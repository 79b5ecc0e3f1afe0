"""Many pictures recolored alike, in several processes, and again from where they stopped."""
