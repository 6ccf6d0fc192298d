"""Ears and voices: a file a provider, the local ones embedded."""
