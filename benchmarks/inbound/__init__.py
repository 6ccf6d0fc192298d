"""Calls to us, many at once and for long: `python -m benchmarks.inbound`."""
