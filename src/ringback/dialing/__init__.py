"""The queue: which call is dialled when, by whom, and at most once per attempt."""
