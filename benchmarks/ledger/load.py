"""A client in a process of its own: one request after the other over kept connections, for some seconds.

    python -m benchmarks.ledger.load PORT PATH KEY CONNECTIONS SECONDS

Prints the milliseconds of each request as a JSON array, and the seconds that all of it took before them.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import cast

import uvloop


class Connection(asyncio.Protocol):
    """Sends the request again as soon as it is answered, until the time is over."""

    def __init__(self, request: bytes, until: float) -> None:
        self.ended = asyncio.get_running_loop().create_future()
        self.times: list[float] = []
        self._request = request
        self._until = until
        self._sent = 0.0
        self._answer = bytearray()
        self._length = -1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        try:
            self._take(data)
        except RuntimeError as error:
            self.ended.set_exception(error)
            self._transport.close()

    def _take(self, data: bytes) -> None:
        self._answer += data
        if self._length < 0 and (end := self._answer.find(b"\r\n\r\n")) >= 0:
            self._length = end + 4 + _content_length(bytes(self._answer[:end]))
        if 0 <= self._length <= len(self._answer):
            now = time.perf_counter()
            self.times.append((now - self._sent) * 1000)
            self._answer.clear()
            self._length = -1
            if now < self._until:
                self._send()
            else:
                self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_result(None)

    def _send(self) -> None:
        self._sent = time.perf_counter()
        self._transport.write(self._request)


def _content_length(head: bytes) -> int:
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(head.decode(errors="replace"))
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.split(b":")[1])
    raise RuntimeError(f"an answer without a length: {head.decode(errors='replace')}")


async def _run(port: int, path: str, key: str, connections: int, seconds: float) -> None:
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\n\r\n".encode()
    loop, start = asyncio.get_running_loop(), time.perf_counter()
    opened = [
        (await loop.create_connection(lambda: Connection(request, start + seconds), "127.0.0.1", port))[1]
        for _ in range(connections)
    ]
    await asyncio.gather(*(connection.ended for connection in opened))
    took = time.perf_counter() - start
    print(json.dumps([took, *(ms for connection in opened for ms in connection.times)]))


if __name__ == "__main__":
    _port, _path, _key, _connections, _seconds = sys.argv[1:]
    uvloop.run(_run(int(_port), _path, _key, int(_connections), float(_seconds)))
