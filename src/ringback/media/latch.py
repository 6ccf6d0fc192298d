"""Symmetric RTP: which source address is the peer, and where to send."""

from __future__ import annotations

import logging
from typing import Final

Address = tuple[str, int]

_PROBATION: Final = 3
"""Packets in sequence that another address must send before it is believed (RFC 3550 appendix A.1)."""
_SILENT_S: Final = 2.0
"""A peer this long silent may have moved (a NAT binding that changed)."""

_log = logging.getLogger(__name__)


class SourceLatch:
    """Holds on to the peer's address.

    The signalled address is always believed. Another one (the peer behind a NAT) is believed only while the
    present one is silent, and only after a run of packets in sequence, so that a stray or injected packet
    neither steals the call's audio nor is heard.
    """

    def __init__(self, signalled: Address) -> None:
        self.signalled = signalled
        self.target = signalled
        """Where to send."""
        self._heard_at: float | None = None
        self._candidate: tuple[Address, int, int] | None = None
        self._run = 0

    def admit(self, source: Address, ssrc: int, sequence_number: int, now: float) -> bool:
        """Whether a packet is from the peer; `now` in seconds."""
        if (
            source != self.target
            and source != self.signalled
            and not self._on_probation(source, ssrc, sequence_number, now)
        ):
            return False
        if source != self.target:
            _log.info("RTP now goes to port %d instead of port %d", source[1], self.target[1])
            self.target = source
        self._heard_at = now
        self._candidate = None
        return True

    def _on_probation(self, source: Address, ssrc: int, sequence_number: int, now: float) -> bool:
        """True once the source has passed."""
        if self._heard_at is not None and now - self._heard_at < _SILENT_S:
            return False
        self._run = self._run + 1 if self._candidate == (source, ssrc, sequence_number) else 1
        self._candidate = (source, ssrc, (sequence_number + 1) & 0xFFFF)
        return self._run >= _PROBATION
