"""Calls handed on to a person."""
