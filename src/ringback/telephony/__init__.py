"""Carriers: the ways to reach the telephone network."""
