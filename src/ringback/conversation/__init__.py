"""Turns of talk: the sans-I/O core and the thin shell that runs it on a leg."""
