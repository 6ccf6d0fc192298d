"""Calls that come to us: whose they are, whether we take them, and their record."""
