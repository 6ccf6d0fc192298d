"""Messages out of a stream of bytes (RFC 3261 section 18.3), with a bound on what is kept."""

from __future__ import annotations

import re
from typing import Final

from ringback.telephony.sip.message import MAX_MESSAGE

PING: Final = b"\r\n\r\n"
"""What keeps a connection alive (RFC 5626 section 4.4.1)."""
PONG: Final = b"\r\n"

_HEAD_END: Final = re.compile(rb"\r\n\r\n|\n\n")
_LONGEST_HEAD_END: Final = 4
_LENGTH: Final = re.compile(rb"\n(?:content-length|l)[ \t]*:(?:[ \t]|\r?\n[ \t])*([^\s]*)", re.I)


class Framer:
    """Cuts one direction of one connection into messages."""

    def __init__(self) -> None:
        self.broken = False
        """Whether nobody can tell where the next message begins: the connection is of no more use."""
        self._buffer = bytearray()
        self._searched = 0
        """How much of the buffer holds no end of a head."""
        self._size: int | None = None
        """Bytes of the message whose head is there."""

    @property
    def partial(self) -> bool:
        """Whether a message has begun and not ended."""
        return bool(self._buffer)

    def feed(self, data: bytes) -> list[bytes]:
        """Take what arrived; returns whole messages, and PING where the peer asks for a sign of life.

        A message without a sound Content-Length, or too large, is returned without its body and is the last.
        """
        if self.broken:
            return []
        self._buffer += data
        whole = []
        while not self.broken and (message := self._next()) is not None:
            whole.append(message)
        return whole

    def _next(self) -> bytes | None:
        if self._buffer.startswith((b"\r", b"\n")):
            return self._between()
        if self._size is not None:
            return self._take(self._size) if len(self._buffer) >= self._size else None
        found = _HEAD_END.search(self._buffer, max(0, self._searched - _LONGEST_HEAD_END))
        self._searched = len(self._buffer)
        if found is None:
            return self._give_up(len(self._buffer)) if len(self._buffer) > MAX_MESSAGE else None
        length = content_length(bytes(self._buffer[: found.end()]))
        if length is None or found.end() + length > MAX_MESSAGE:
            return self._give_up(found.end())
        self._size = found.end() + length
        return self._next()

    def _between(self) -> bytes | None:
        """Line ends between messages: two are a ping, one alone is the answer to ours."""
        if self._buffer.startswith(PING):
            return self._take(len(PING))
        ends = len(self._buffer) - len(self._buffer.lstrip(b"\r\n"))
        if ends == len(self._buffer) and ends < len(PING):
            return None
        del self._buffer[:ends]
        return self._next()

    def _take(self, size: int) -> bytes:
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        self._searched, self._size = 0, None
        return taken

    def _give_up(self, size: int) -> bytes:
        self.broken = True
        taken = self._take(size)
        self._buffer.clear()
        return taken


def content_length(head: bytes) -> int | None:
    """Bytes of the body that a head announces; None where it does not say, or says two things."""
    values = set(_LENGTH.findall(head))
    if len(values) != 1:
        return None
    value: bytes = values.pop()
    return int(value) if value.isdigit() and len(value) <= 7 else None
