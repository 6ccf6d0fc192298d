"""One TCP or TLS connection that carries SIP, made by us or by a peer."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol, cast

from ringback.telephony.sip.framing import PING, PONG, Framer
from ringback.telephony.sip.guard import NEVER, Guard
from ringback.telephony.sip.hop import Hop

_BURST: Final = 8
"""Messages that are looked at in one go."""
_MAX_UNSENT: Final = 256 * 1024
"""Bytes that a peer may leave unread before it is given up."""
_FIRST_MESSAGE: Final = 15.0
"""Seconds that a peer has for its first message."""
_PING_EVERY: Final = 55.0
_IDLE: Final = 900.0
"""Seconds without a message or a ping after which a peer's connection is closed."""
_IDLE_OURS: Final = 7_200.0
"""The same of ours: calls may come by it until the registration that it brought is over."""
_SLOW: Final = 30.0
"""Seconds that a scanner waits for an answer that does not come."""
_ANSWER_WITHIN: Final = 32.0
_MAX_OWED: Final = 1_000


class Owner(Protocol):
    """What keeps the connections."""

    guard: Guard | None

    def deliver(self, data: bytes, source: Hop) -> None: ...

    def connected(self, connection: Connection) -> None: ...

    def lost(self, connection: Connection) -> None: ...


class Connection(asyncio.Protocol):
    """Both directions of one connection."""

    def __init__(self, owner: Owner, flow: int, hop: Hop, *, ours: bool = True) -> None:
        """`hop` is where it leads, or where it came from."""
        self.ours = ours
        self.hop = hop
        """The far end as messages name it: ours by where we went, a peer's by where it comes from."""
        self.flow = flow
        self.aliases: set[Hop] = set()
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self._framer = Framer()
        self._backlog: deque[bytes] = deque()
        self._transport: asyncio.Transport | None = None
        self._owed: deque[tuple[float, Callable[[], None]]] = deque()
        """How to tell of the requests that were sent and may have no answer yet."""
        self._timer: asyncio.TimerHandle | None = None
        self._reading: asyncio.TimerHandle | asyncio.Handle | None = None
        self._used_at = self._loop.time()
        self._heard = False
        self._pongs = False
        self._pinged = False
        self._closing = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._owner.connected(self)
        self._timer = self._loop.call_later(_PING_EVERY if self.ours else _FIRST_MESSAGE, self._look_after)

    def data_received(self, data: bytes) -> None:
        self._pinged = False
        if data.strip(b"\r\n") == b"" and not self._framer.partial and data != PING:
            self._pongs = True
        self._backlog += self._framer.feed(data)
        if self._reading is None:
            self._work()

    def connection_lost(self, error: Exception | None) -> None:
        self._closing = True
        self._backlog.clear()
        for handle in (self._timer, self._reading):
            if handle is not None:
                handle.cancel()
        self._owner.lost(self)
        now = self._loop.time()
        while self._owed:
            sent_at, failed = self._owed.popleft()
            if now - sent_at < _ANSWER_WITHIN:
                self._loop.call_soon(failed)

    @property
    def source(self) -> Hop:
        """Where its messages come from."""
        return Hop(self.hop.host, self.hop.port, self.hop.transport, self.hop.domain, self.flow)

    @property
    def usable(self) -> bool:
        return self._transport is not None and not self._closing and not self._transport.is_closing()

    def write(self, data: bytes, failed: Callable[[], None]) -> None:
        """Send a message; `failed` is called, later, if it cannot be, or if a request's connection breaks."""
        if not self.usable or self._transport is None:
            self._loop.call_soon(failed)
            return
        now = self._used_at = self._loop.time()
        if not data.startswith(b"SIP/"):
            self._owed.append((now, failed))
            while len(self._owed) > _MAX_OWED or now - self._owed[0][0] > _ANSWER_WITHIN:
                self._owed.popleft()
        self._transport.write(data)
        if self._transport.get_write_buffer_size() > _MAX_UNSENT:
            self.abort()

    def close(self) -> None:
        """Send what is left and close."""
        self._closing = True
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        self._closing = True
        if self._transport is not None:
            self._transport.abort()

    def _work(self) -> None:
        """Look at some of what came; the rest after a turn of the loop, or when there is time for it."""
        self._reading = None
        for _ in range(_BURST):
            if not self._backlog or self._closing:
                break
            wait = self._judge(self._backlog[0])
            if wait:
                self._pause(wait)
                return
            self._take(self._backlog.popleft())
        if self._backlog and not self._closing:
            self._pause(0.0)
        elif self._framer.broken:
            self.close()  # after the answer to the message that broke it
        elif self._transport is not None and not self._closing:
            self._transport.resume_reading()

    def _judge(self, data: bytes) -> float:
        guard = self._owner.guard
        return 0.0 if guard is None or data == PING else guard.judge(data, self.hop.host)

    def _pause(self, wait: float) -> None:
        """Read no more until then; a peer that is refused for good may wait for us for a while."""
        assert self._transport is not None
        self._transport.pause_reading()
        if wait == NEVER:
            self._backlog.clear()
            self._reading = self._loop.call_later(_SLOW, self.abort)
        elif wait:
            self._reading = self._loop.call_later(wait, self._work)
        else:
            self._reading = self._loop.call_soon(self._work)

    def _take(self, data: bytes) -> None:
        self._used_at = self._loop.time()
        if data == PING:
            if self._transport is not None:
                self._transport.write(PONG)
            return
        self._heard = True
        self._owner.deliver(data, self.source)

    def _look_after(self) -> None:
        """From time to time: is it still of use, and still alive?"""
        idle = self._loop.time() - self._used_at
        if idle > (_IDLE_OURS if self.ours else _IDLE) or not (self._heard or self.ours):
            self.close()
            return
        if self._pinged and self._pongs:
            self.abort()  # it always answered, and now it does not
            return
        if self.ours and self._transport is not None:
            self._pinged = True
            self._transport.write(PING)
        self._timer = self._loop.call_later(_PING_EVERY, self._look_after)
