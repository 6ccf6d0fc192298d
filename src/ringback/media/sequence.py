"""RTP sequence numbers of one source: what is new, what is missing (RFC 3550 appendix A.1 and A.3)."""

from __future__ import annotations

from typing import Final

_WINDOW: Final = 64
"""Packets back in which a duplicate is told from a late original."""
_MAX_DROPOUT: Final = 3000
"""A jump beyond this is a restarted sender, not loss (RFC 3550 appendix A.1)."""


def signed_difference(new: int, old: int, bits: int) -> int:
    """`new - old` of two counters that wrap at 2**bits, as the nearest signed number."""
    half = 1 << (bits - 1)
    return ((new - old + half) & ((1 << bits) - 1)) - half


class SequenceTracker:
    """Counts over the life of a stream; `restart` begins another source without forgetting the counts."""

    def __init__(self) -> None:
        self.received = 0
        """Distinct packets."""
        self.duplicated = 0
        self._expected = 0
        self._highest: int | None = None
        self._seen = 0

    @property
    def lost(self) -> int:
        """Packets that should have come by the newest sequence number and have not (yet)."""
        return self._expected - self.received

    def restart(self) -> None:
        self._highest = None

    def accept(self, sequence_number: int) -> bool:
        """Count one packet; False for a duplicate, or for one too old to tell."""
        ahead = 1
        if self._highest is not None:
            ahead = signed_difference(sequence_number, self._highest, 16)
        if self._highest is None or abs(ahead) > _MAX_DROPOUT:
            self._seen, ahead = 0, 1
        if ahead > 0:
            self._seen = ((self._seen << min(ahead, _WINDOW)) | 1) & ((1 << _WINDOW) - 1)
            self._highest = sequence_number
            self._expected += ahead
        elif -ahead >= _WINDOW or self._seen & (1 << -ahead):
            self.duplicated += 1
            return False
        else:
            self._seen |= 1 << -ahead
            # A late original from before the first packet was never expected.
            self._expected = max(self._expected, self.received + 1)
        self.received += 1
        return True
