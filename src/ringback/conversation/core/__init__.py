"""What happens in a call and what is done about it: the conversation without I/O (`core.py`), in parts."""
