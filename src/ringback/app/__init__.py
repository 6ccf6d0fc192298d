"""Composition: settings and the roles of the processes; the one place that wires the folders together."""
