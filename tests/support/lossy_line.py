"""A bad line between two SIP parties: their calls are set up through it, and the audio passes a `LossyProxy`."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from typing import Self

from ringback.telephony.sip.message import Request, parse
from tests.support.lossy_proxy import Address, LossyProxy, Network

_HOST = "127.0.0.1"
_AUDIO = re.compile(rb"(?m)^m=audio (\d+) ")


class LossyLine(asyncio.DatagramProtocol):
    """Passes SIP on unharmed, with its own ports for the audio in every description. One call at a time.

    The caller sends its INVITE to `port`, and it goes on to `peer_port`; later requests take the direct way.
    """

    def __init__(self, audio: LossyProxy) -> None:
        self.audio = audio
        self.port = 0
        self.peer_port = 0
        self._caller: Address | None = None
        self._transport: asyncio.DatagramTransport | None = None

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, network: Network, seed: int) -> AsyncIterator[Self]:
        """The addresses of the two parties' audio are learnt from their descriptions."""
        async with LossyProxy((_HOST, 0), (_HOST, 0), network, seed) as audio:
            loop = asyncio.get_running_loop()
            transport, line = await loop.create_datagram_endpoint(lambda: cls(audio), (_HOST, 0))
            line._transport = transport
            line.port = transport.get_extra_info("sockname")[1]
            try:
                yield line
            finally:
                transport.close()

    def datagram_received(self, data: bytes, source: Address) -> None:
        assert self._transport is not None
        by_callee = source[1] == self.peer_port
        if not by_callee:
            self._caller = source
        to = self._caller if by_callee else (_HOST, self.peer_port)
        message = parse(data)
        if message is None or to is None:
            return
        assert by_callee or isinstance(message, Request)
        if (described := _AUDIO.search(message.body)) is not None:
            theirs, ours = (
                (self.audio.right, self.audio.left) if by_callee else (self.audio.left, self.audio.right)
            )
            theirs.peer = (_HOST, int(described[1]))
            message.body = _AUDIO.sub(b"m=audio %d " % ours.address[1], message.body)
        self._transport.sendto(message.encode(), to)
