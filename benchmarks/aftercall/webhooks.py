"""Webhooks delivered a second by one process: calls whose four statuses wait in the outbox, one receiver beside it.

The receiver is a process of its own, answers at once and keeps its connections. What is measured is the product's
deliverer from its start to the last delivery that is written as such, claims and order included.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from multiprocessing.connection import Connection
from typing import Any, Final

from benchmarks.aftercall.calls import Place, place
from benchmarks.ledger.stores import Store
from ringback.agents.registry import Agents
from ringback.net.addresses import Allowed
from ringback.net.client import GuardedClient
from ringback.store.wakeup import Wakeup
from ringback.webhooks.deliverer import Deliverer

_CALLS: Final = 1_500
_EACH: Final = 4
"""Statuses, one behind the other."""
_ANSWER: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def run(store: Store) -> dict[str, Any]:
    """webhooks_per_s."""
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    receiver = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs,), daemon=True)
    receiver.start()
    try:
        port = ours.recv()
        figures = asyncio.run(_measured(store, f"http://127.0.0.1:{port}/hook"))
        ours.send("how many")
        received = ours.recv()
        if received != _CALLS * _EACH:
            raise RuntimeError(f"{received} webhooks arrived")
        return figures
    finally:
        receiver.kill()


async def _measured(store: Store, url: str) -> dict[str, Any]:
    async with place(store, "aftercall_webhooks") as here:
        await _tell(here, url)
        await asyncio.to_thread(store.tidy, "aftercall_webhooks")
        client = GuardedClient(Allowed(["127.0.0.0/8"]))
        deliverer = Deliverer(here.db, here.clock, _Nobody(), client)
        began_s = time.monotonic()
        running = asyncio.create_task(deliverer.run())
        await _delivered(here)
        took_s = time.monotonic() - began_s
        running.cancel()
        await asyncio.wait({running})
        await client.close()
        return {"webhooks_per_s": round(_CALLS * _EACH / took_s, 1)}


async def _tell(here: Place, url: str) -> None:
    """Fill the outbox with what a call leaves in it, again and again."""
    await Agents(here.db, here.clock).patch(
        here.account_id, here.agent_id, {"agent_config": {"webhook_url": url}}
    )
    await here.copied(await here.disconnected(), _CALLS - 1)


async def _delivered(here: Place) -> None:
    while True:
        row = await here.db.fetch_one("SELECT COUNT(*) AS n FROM webhook_deliveries WHERE state = 'waiting'")
        if row is None or not row["n"]:
            return
        await asyncio.sleep(0.05)


class _Nobody(Wakeup):
    """Nothing is told while it is measured."""

    async def notify(self, topic: str) -> None:
        pass

    async def wait(self, topic: str, timeout: float) -> bool:
        await asyncio.sleep(timeout)
        return False

    async def close(self) -> None:
        pass


def _serve(pipe: Connection) -> None:
    asyncio.run(_served(pipe))


async def _served(pipe: Connection) -> None:
    counted = _Counted()
    server = await asyncio.get_running_loop().create_server(lambda: _Receiver(counted), "127.0.0.1", 0)
    pipe.send(server.sockets[0].getsockname()[1])
    await asyncio.to_thread(pipe.recv)
    pipe.send(counted.received)


class _Counted:
    received = 0


class _Receiver(asyncio.Protocol):
    """Requests with a Content-Length, one after the other."""

    def __init__(self, counted: _Counted) -> None:
        self._counted = counted
        self._read = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._read += data
        while (end := self._read.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._read[:end]).lower()
            length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
            if len(self._read) < end + 4 + length:
                return
            del self._read[: end + 4 + length]
            self._counted.received += 1
            self._transport.write(_ANSWER)
