"""Pauses a batch whose calls fail one after the other. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ringback.executions.lifecycle import Status


def trips(last: Sequence[Status], calls: int, share: float) -> str | None:
    """Why to pause, a sentence; None: go on. `last` are the newest ends, tripped by `share` of at least `calls`."""
    raise NotImplementedError
