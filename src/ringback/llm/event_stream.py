"""Server-sent events, as far as chat completions use them (WHATWG HTML, section 9.2): the data of each event."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Final

DONE: Final = b"[DONE]"
_MAX_BYTES: Final = 1 << 20
"""Of one event."""


async def data_of(source: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    """Data of the events in order, until `[DONE]` or the end. Raises ValueError for one without an end."""
    rest = b""
    data: list[bytes] = []
    async for piece in source:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            line = line.rstrip(b"\r")
            if line.startswith(b"data:"):
                data.append(line[5:].strip())
            elif not line and data:
                whole = b"\n".join(data)
                data.clear()
                if whole == DONE:
                    return
                yield whole
        if len(rest) + sum(map(len, data)) > _MAX_BYTES:
            raise ValueError("an event without an end")
    if rest.startswith(b"data:"):
        data.append(rest[5:].strip())
    if data and (whole := b"\n".join(data)) != DONE:
        yield whole
