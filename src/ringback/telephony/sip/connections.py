"""The TCP and TLS connections of one endpoint: which of them leads where, and how many there may be."""

from __future__ import annotations

import asyncio
import itertools
import logging
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Final

from ringback.telephony.sip.connection import Connection
from ringback.telephony.sip.guard import Guard
from ringback.telephony.sip.hop import Hop, Transport

log = logging.getLogger(__name__)

CONNECT_TIMEOUT: Final = 5.0
"""Seconds for the connection and the handshake."""
_MAX_CONNECTIONS: Final = 1_000
_MAX_OF_ONE: Final = 64
"""Connections that one address may make to us."""
_MAX_OF_STRANGERS: Final = 100
"""Connections that may wait for an answer that does not come."""
_ACCEPT_AGAIN: Final = 0.2
"""Seconds until more is accepted when the process has no file left."""
_MAX_WAITING: Final = 200
"""Messages that wait for one connection."""


@dataclass(slots=True)
class _Waiting:
    data: bytes
    failed: Callable[[], None]
    in_time: Callable[[], bool]


@dataclass(slots=True)
class _Opening:
    messages: list[_Waiting] = field(default_factory=list)


class Connections:
    """Implements `connection.Owner`."""

    def __init__(self, host: str, client_tls: Callable[[], ssl.SSLContext], guard: Guard | None) -> None:
        """`client_tls` is asked for when the first connection by TLS is made."""
        self.guard = guard
        self._host = host
        self._client_tls = client_tls
        self._context: ssl.SSLContext | None = None
        self._loop = asyncio.get_running_loop()
        self._deliver: Callable[[bytes, Hop], None] = lambda data, source: None
        self._flows: dict[int, Connection] = {}
        self._leading: dict[Hop, Connection] = {}
        """By where they lead: those that we made, and those of peers that said so (RFC 5923)."""
        self._opening: dict[Hop, _Opening] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._numbers = itertools.count(1)
        self._made_by: Counter[str] = Counter()
        """Connections to us by the address that made them, those whose handshake is under way included."""
        self._listening: list[socket.socket] = []

    def __len__(self) -> int:
        return len(self._flows)

    def start(self, deliver: Callable[[bytes, Hop], None]) -> None:
        self._deliver = deliver

    def listen(self, port: int, context: ssl.SSLContext | None = None) -> int:
        """Take connections on a port (0: any free one), by TLS with a context; returns it. Raises OSError."""
        sock = socket.create_server(
            (self._host, port), family=socket.AF_INET6 if ":" in self._host else socket.AF_INET, backlog=128
        )
        sock.setblocking(False)
        self._listening.append(sock)
        self._run(self._accept(sock, context))
        bound: int = sock.getsockname()[1]
        return bound

    def send(self, data: bytes, to: Hop, failed: Callable[[], None], in_time: Callable[[], bool]) -> None:
        """Send by the connection of `to.flow`, one that leads to `to`, or a new one."""
        connection = self._flows.get(to.flow) if to.flow else self._leading_to(to)
        if connection is not None and connection.usable:
            connection.write(data, failed)
        elif to.flow:
            self._loop.call_soon(failed)
        else:
            self._open(to, _Waiting(data, failed, in_time))

    def alias(self, source: Hop, port: int) -> None:
        """Whoever sent from `source` hears on this port too, by the same connection (RFC 5923)."""
        connection = self._flows.get(source.flow)
        # By TLS only a certificate could prove it, and we ask callers for none.
        if connection is None or source.transport is not Transport.TCP or len(connection.aliases) >= 4:
            return
        alias = Hop(source.host, port, source.transport)
        if alias not in self._leading:
            connection.aliases.add(alias)
            self._leading[alias] = connection

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        for sock in self._listening:
            self._loop.remove_reader(sock)
            sock.close()
        for connection in list(self._flows.values()):
            connection.close()

    def deliver(self, data: bytes, source: Hop) -> None:
        self._deliver(data, source)

    def connected(self, connection: Connection) -> None:
        self._flows[connection.flow] = connection
        if connection.ours:
            self._leading[connection.hop] = connection

    def lost(self, connection: Connection) -> None:
        if self._flows.pop(connection.flow, None) is None:
            return
        if not connection.ours:
            self._gone(connection.hop.host)
        for hop in (connection.hop, *connection.aliases):
            if self._leading.get(hop) is connection:
                del self._leading[hop]

    async def _accept(self, sock: socket.socket, context: ssl.SSLContext | None) -> None:
        while True:
            try:
                client, address = await self._loop.sock_accept(sock)
            except OSError as error:
                log.warning("SIP: no connection can be taken (%s)", error.strerror)
                await asyncio.sleep(_ACCEPT_AGAIN)
                continue
            if self._takes(address[0], context is not None):
                self._made_by[address[0]] += 1
                self._run(self._greet(client, (address[0], address[1]), context))
            else:
                client.close()

    def _takes(self, host: str, secure: bool) -> bool:
        """Asked before the handshake."""
        if self._made_by.total() >= _MAX_CONNECTIONS or self._made_by[host] >= _MAX_OF_ONE:
            return False
        if self.guard is None:
            return True
        if not secure and self.guard.stranger(host):
            strangers = sum(count for one, count in self._made_by.items() if self.guard.stranger(one))
            return strangers < _MAX_OF_STRANGERS
        return self.guard.greets(host)

    async def _greet(
        self, client: socket.socket, address: tuple[str, int], context: ssl.SSLContext | None
    ) -> None:
        transport = Transport.TLS if context else Transport.TCP
        connection = Connection(self, next(self._numbers), Hop(*address, transport), ours=False)
        try:
            await self._loop.connect_accepted_socket(
                lambda: connection,
                client,
                ssl=context,
                ssl_handshake_timeout=CONNECT_TIMEOUT if context else None,
            )
        except OSError as error:
            log.info("SIP: a connection to us failed (%s)", _why(error))
            self._gone(address[0])

    def _gone(self, host: str) -> None:
        self._made_by[host] -= 1
        if self._made_by[host] <= 0:
            del self._made_by[host]

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _leading_to(self, to: Hop) -> Connection | None:
        found = self._leading.get(to)
        if found is None and not to.domain and to.transport is Transport.TLS:
            # A Contact that is only an address, which no certificate bears: any connection of that peer will do.
            same = (one for one in self._flows.values() if one.usable and one.hop.transport is to.transport)
            found = next((one for one in same if one.hop.host == to.host), None)
        return found

    def _open(self, to: Hop, message: _Waiting) -> None:
        opening = self._opening.get(to)
        if opening is None:
            opening = self._opening[to] = _Opening()
            self._run(self._connect(to))
        if len(opening.messages) < _MAX_WAITING:
            opening.messages.append(message)
        else:
            self._loop.call_soon(message.failed)

    async def _connect(self, to: Hop) -> None:
        connection = Connection(self, next(self._numbers), to)
        secure = to.transport is Transport.TLS
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                await self._loop.create_connection(
                    lambda: connection,
                    to.host,
                    to.port or to.transport.default_port,
                    ssl=self._tls() if secure else None,
                    server_hostname=(to.domain or to.host) if secure else None,
                    local_addr=(self._host, 0),
                )
        except (OSError, ValueError, TimeoutError) as error:
            log.info("SIP: no connection by %s (%s)", to.transport, _why(error))
        finally:
            self._flush(to, connection)

    def _flush(self, to: Hop, connection: Connection) -> None:
        for message in self._opening.pop(to).messages:
            if connection.usable and message.in_time():
                connection.write(message.data, message.failed)
            else:
                self._loop.call_soon(message.failed)

    def _tls(self) -> ssl.SSLContext:
        if self._context is None:
            self._context = self._client_tls()
        return self._context


def _why(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate: {error.verify_message}"
    return type(error).__name__
