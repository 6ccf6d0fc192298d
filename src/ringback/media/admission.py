"""Whether a process has time for another call: by how late its ticks have been."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

WINDOW_S: Final = 5.0
"""Lateness is looked at over so long: a call less shows soon, a single hiccup is soon forgotten."""
_RELIEF: Final = 0.5
"""Below this part of the limit calls are taken again, so that a process at the limit doesn't flicker."""

_log = logging.getLogger(__name__)


class Admission:
    """Call it before each new call. Calls that are held already are none of its business."""

    def __init__(self, lateness_ms: Callable[[], float], limit_ms: float) -> None:
        """`lateness_ms`: 99 of 100 ticks of the last WINDOW_S seconds were no later."""
        self._lateness_ms = lateness_ms
        self._limit_ms = limit_ms
        self._open = True

    def __call__(self) -> bool:
        late_ms = self._lateness_ms()
        if self._open and late_ms > self._limit_ms:
            self._open = False
            _log.warning(
                "no new calls: audio is up to %.0f ms late, the limit is %g ms; calls under way go on",
                late_ms,
                self._limit_ms,
            )
        elif not self._open and late_ms <= self._limit_ms * _RELIEF:
            self._open = True
            _log.info("new calls are taken again: audio is at most %.0f ms late", late_ms)
        return self._open
