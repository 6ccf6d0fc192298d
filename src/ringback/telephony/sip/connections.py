"""The TCP and TLS connections of one endpoint: which of them leads where, and how many there may be."""

from __future__ import annotations

import asyncio
import itertools
import logging
import ssl
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from ringback.telephony.sip.connection import Connection
from ringback.telephony.sip.guard import Guard
from ringback.telephony.sip.hop import Hop, Transport

log = logging.getLogger(__name__)

CONNECT_TIMEOUT: Final = 5.0
"""Seconds for the connection and the handshake."""
_MAX_CONNECTIONS: Final = 1_000
_MAX_OF_ONE: Final = 64
"""Connections that one address may make to us."""
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
        self._servers: list[asyncio.Server] = []

    def __len__(self) -> int:
        return len(self._flows)

    def start(self, deliver: Callable[[bytes, Hop], None]) -> None:
        self._deliver = deliver

    async def listen(self, port: int, context: ssl.SSLContext | None = None) -> int:
        """Take connections on a port (0: any free one), by TLS with a context; returns it. Raises OSError."""
        transport = Transport.TLS if context else Transport.TCP
        server = await self._loop.create_server(
            lambda: Connection(self, next(self._numbers), Hop("", None, transport), ours=False),
            self._host,
            port,
            ssl=context,
            ssl_handshake_timeout=CONNECT_TIMEOUT if context else None,
        )
        self._servers.append(server)
        bound: int = server.sockets[0].getsockname()[1]
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
        for server in self._servers:
            server.close()
        for task in self._tasks:
            task.cancel()
        for connection in list(self._flows.values()):
            connection.close()

    def deliver(self, data: bytes, source: Hop) -> None:
        self._deliver(data, source)

    def connected(self, connection: Connection) -> None:
        self._flows[connection.flow] = connection
        if connection.ours:
            self._leading[connection.hop] = connection
            return
        host, port = connection.peer
        connection.hop = replace(connection.hop, host=host, port=port)
        self._made_by[host] += 1
        too_many = len(self._flows) > _MAX_CONNECTIONS or self._made_by[host] > _MAX_OF_ONE
        if too_many or (self.guard is not None and self.guard.banned(host)):
            connection.abort()

    def lost(self, connection: Connection) -> None:
        if self._flows.pop(connection.flow, None) is None:
            return
        if not connection.ours:
            self._made_by[connection.hop.host] -= 1
            if not self._made_by[connection.hop.host]:
                del self._made_by[connection.hop.host]
        for hop in (connection.hop, *connection.aliases):
            if self._leading.get(hop) is connection:
                del self._leading[hop]

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
            task = self._loop.create_task(self._connect(to))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
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
