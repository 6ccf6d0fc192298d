"""A UDP proxy between two peers that loses, doubles, delays and so reorders datagrams, by a seed."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from types import TracebackType

Address = tuple[str, int]


@dataclass(frozen=True)
class Network:
    """What happens to a datagram; `delay_s` is drawn evenly from its range, each datagram for itself."""

    loss: float = 0.0
    duplication: float = 0.0
    delay_s: tuple[float, float] = (0.0, 0.0)


@dataclass
class Face(asyncio.DatagramProtocol):
    """One side's socket: what `peer` sends here leaves by the other face."""

    peer: Address
    network: Network
    random: random.Random
    forwarded: int = 0
    lost: int = 0
    other: Face = field(init=False)
    transport: asyncio.DatagramTransport = field(init=False)

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self.transport = transport

    @property
    def address(self) -> Address:
        """Where `peer` must send."""
        host, port = self.transport.get_extra_info("sockname")
        return host, port

    def datagram_received(self, data: bytes, addr: Address) -> None:
        if addr != self.peer:
            return
        if self.random.random() < self.network.loss:
            self.lost += 1
            return
        self.forwarded += 1
        copies = 2 if self.random.random() < self.network.duplication else 1
        for _ in range(copies):
            asyncio.get_running_loop().call_later(
                self.random.uniform(*self.network.delay_s), self._leave, data
            )

    def _leave(self, data: bytes) -> None:
        if not self.other.transport.is_closing():
            self.other.transport.sendto(data, self.other.peer)


class LossyProxy:
    """An async context manager: peer `left` sends to `proxy.left.address`, `right` to `proxy.right.address`."""

    def __init__(self, left: Address, right: Address, network: Network, seed: int) -> None:
        source = random.Random(seed)
        self.left = Face(left, network, random.Random(source.random()))
        self.right = Face(right, network, random.Random(source.random()))
        self.left.other, self.right.other = self.right, self.left

    async def __aenter__(self) -> LossyProxy:
        loop = asyncio.get_running_loop()
        for face in (self.left, self.right):
            await loop.create_datagram_endpoint(lambda face=face: face, local_addr=(face.peer[0], 0))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for face in (self.left, self.right):
            face.transport.close()
