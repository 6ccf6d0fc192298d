"""A UDP relay between a caller and a SIP peer that loses chosen datagrams."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Self


class LossyRelay(asyncio.DatagramProtocol):
    """Passes datagrams on, except the first that begins with each of `lost`, taken in order."""

    def __init__(self, lost: Sequence[str]) -> None:
        self.port = 0
        self.peer_port = 0
        self.dropped: list[str] = []
        self.seen: list[bytes] = []
        self._lost = list(lost)
        self._caller: tuple[str, int] | None = None
        self._transport: asyncio.DatagramTransport | None = None

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, lost: Sequence[str]) -> AsyncIterator[Self]:
        loop = asyncio.get_running_loop()
        transport, relay = await loop.create_datagram_endpoint(lambda: cls(lost), ("127.0.0.1", 0))
        relay._transport = transport
        relay.port = transport.get_extra_info("sockname")[1]
        try:
            yield relay
        finally:
            transport.close()

    def datagram_received(self, data: bytes, source: tuple[str, int]) -> None:
        assert self._transport is not None
        self.seen.append(data)
        if self._lost and data.startswith(self._lost[0].encode()):
            self.dropped.append(self._lost.pop(0))
            return
        from_peer = source[1] == self.peer_port
        if not from_peer:
            self._caller = source
        to = self._caller if from_peer else ("127.0.0.1", self.peer_port)
        if to is not None:
            self._transport.sendto(data, to)
