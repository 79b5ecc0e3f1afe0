"""Batches: many pictures recoloured by one recipe, in several processes; a stopped batch can be resumed."""
