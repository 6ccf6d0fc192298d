"""Who is worth a look: decided by the source of a message, before it is parsed.

A flood costs its sender's tokens and little of our time; scanners and strangers get no answer that tells them
that anybody is here.
"""

from __future__ import annotations

import math
import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

_MAX_SOURCES: Final = 10_000
_TALKED_TO: Final = 3600.0
_FIRST_BAN: Final = 60.0
_LONGEST_BAN: Final = 3600.0
_ORDINARY: Final = 1_500
"""Bytes; what is longer takes longer to read, and costs more tokens."""
_LOOKED_AT: Final = 2048
"""Bytes of a message that are searched for a scanner's marks."""

_REQUEST: Final = re.compile(rb"[\r\n\0]*(?!SIP/)[^\s]+ ", re.I)
_IN_DIALOG: Final = re.compile(rb"\n(?:To|t)[ \t]*:[^\r\n]*;[ \t]*tag=", re.I)
_ACK_OR_CANCEL: Final = re.compile(rb"[\r\n\0]*(?:ACK|CANCEL) ")
_SCANNER: Final = re.compile(
    rb"\nUser-Agent[ \t]*:[^\r\n]*"
    rb"(?:friendly-(?:scanner|request)|sipvicious|sundayddr|sip-?scan|sipsak|sipcli|siparmyknife|smap|iwar|pplsip"
    rb"|vaxsip|zmap|nmap|masscan|w3af|voipaudit)"
    rb"|\n(?:From|f)[ \t]*:[^\r\n]*sipvicious",
    re.I,
)
"""What the usual scanners call themselves; those that hide are strangers, or run out of tokens."""

NEVER: Final = math.inf


class Bucket:
    """Tokens that come back at a rate."""

    __slots__ = ("_at", "_burst", "_rate", "_tokens")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._at = now

    def take(self, now: float, tokens: float = 1) -> float:
        """0 if the tokens were there and are taken, else seconds until they will be."""
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        tokens = min(tokens, self._burst)
        if self._tokens >= tokens:
            self._tokens -= tokens
            return 0.0
        return (tokens - self._tokens) / self._rate


@dataclass(frozen=True, slots=True)
class Limits:
    """What one source may send, a second and at once."""

    messages: float = 1_000
    messages_burst: float = 2_000
    beginnings: float = 50
    """Requests that begin something: INVITE, REGISTER, OPTIONS ... outside of a call."""
    beginnings_burst: float = 100
    of_everybody: float = 4
    """Times as many beginnings may come from all sources together that we do not know: theirs may be forged."""


@dataclass(slots=True)
class _Source:
    messages: Bucket
    beginnings: Bucket
    banned_until: float = 0.0
    bans: int = 0


class Guard:
    """Judges the messages of one endpoint. Times in seconds of any monotonic clock."""

    def __init__(self, now: Callable[[], float], limits: Limits | None = None) -> None:
        self.known: Callable[[str], bool] | None = None
        """Whether calls from an address are welcome; None: from everybody's. Others get nothing."""
        self.refused = 0
        """Messages that were not looked at."""
        self._now = now
        self._limits = limits or Limits()
        self._sources: OrderedDict[str, _Source] = OrderedDict()
        self._talked_to: dict[str, float] = {}
        together = self._limits.of_everybody
        self._everybody = Bucket(
            together * self._limits.beginnings, together * self._limits.beginnings_burst, now()
        )

    def talks_to(self, host: str) -> None:
        """We send requests there: it is no scanner, and its answers are welcome."""
        if len(self._talked_to) >= _MAX_SOURCES:
            self._talked_to.clear()
        self._talked_to[host] = self._now()

    def judge(self, data: bytes, host: str) -> float:
        """0: take it; NEVER: drop it; else the seconds after which there is time for it."""
        wait = self._judge(data, host, self._now())
        if wait:
            self.refused += 1
        return wait

    def greets(self, host: str) -> bool:
        """Whether a connection from there is worth a handshake, which costs as much as many messages."""
        now = self._now()
        source = self._source(host, now)
        if source.banned_until > now or self.stranger(host):
            return False
        return not source.beginnings.take(now)

    def stranger(self, host: str) -> bool:
        """Whether calls from an address are not welcome."""
        return self.known is not None and not self._trusted(host, self._now())

    def ban(self, host: str) -> None:
        """Hear nothing of an address for a while, and for longer each time."""
        source, now = self._source(host, self._now()), self._now()
        source.banned_until = now + min(_FIRST_BAN * 2**source.bans, _LONGEST_BAN)
        source.bans = min(source.bans + 1, 16)

    def _judge(self, data: bytes, host: str, now: float) -> float:
        source = self._source(host, now)
        if source.banned_until > now:
            return NEVER
        wait = source.messages.take(now, max(1.0, len(data) / _ORDINARY))
        if wait or not self._begins(data):
            return wait
        wait = source.beginnings.take(now)
        if wait:
            return wait
        if not self._trusted(host, now):
            if _SCANNER.search(data, 0, _LOOKED_AT):
                self.ban(host)
                return NEVER
            if self.known is not None:
                return NEVER
            return self._everybody.take(now)
        return 0.0

    def _trusted(self, host: str, now: float) -> bool:
        if self.known is not None and self.known(host):
            return True
        return now - self._talked_to.get(host, -math.inf) <= _TALKED_TO

    def _begins(self, data: bytes) -> bool:
        if not _REQUEST.match(data) or _ACK_OR_CANCEL.match(data):
            return False
        return _IN_DIALOG.search(data, 0, _LOOKED_AT) is None

    def _source(self, host: str, now: float) -> _Source:
        source = self._sources.get(host)
        if source is None:
            limits = self._limits
            source = self._sources[host] = _Source(
                Bucket(limits.messages, limits.messages_burst, now),
                Bucket(limits.beginnings, limits.beginnings_burst, now),
            )
            if len(self._sources) > _MAX_SOURCES:
                self._sources.popitem(last=False)
        else:
            self._sources.move_to_end(host)
        return source
