"""The record of every call: its life cycle, its rendering and its lists."""
