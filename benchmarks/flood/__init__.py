"""Floods of SIP messages beside live calls."""
