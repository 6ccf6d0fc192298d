"""Every way by which messages come and go: a UDP socket and connections, on one port."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Final, Self

from ringback.telephony.sip.connections import Connections
from ringback.telephony.sip.guard import Guard
from ringback.telephony.sip.hop import Hop
from ringback.telephony.sip.locator import Locator, Use
from ringback.telephony.sip.services import Services
from ringback.telephony.sip.tls import TlsFiles
from ringback.telephony.sip.transaction import always
from ringback.telephony.sip.udp import UdpSocket

_TRIES: Final = 20
"""Free ports that are looked at until one is free for UDP and for TCP."""


class Sockets:
    """Implements `transaction.Wire`."""

    def __init__(self, udp: UdpSocket, connections: Connections, locator: Locator) -> None:
        """Use `open`."""
        self.guard = connections.guard
        self.port = udp.port
        self.tls_port: int | None = None
        """None where nobody can reach us by TLS."""
        self._udp = udp
        self._connections = connections
        self._locator = locator

    @classmethod
    def open(
        cls,
        host: str,
        port: int,
        guard: Guard | None,
        tls: TlsFiles,
        tls_port: int = 0,
        services: Services | None = None,
    ) -> Self:
        """Bind UDP and TCP, and TLS with a certificate. Raises OSError, and ValueError on a bad certificate."""
        context = tls.server()
        if tls.authorities is not None:
            tls.client()  # so that a bad file is told at the start, and not by calls that fail
        locator = Locator(socket.AF_INET6 if ":" in host else socket.AF_INET, services)
        connections = Connections(host, tls.client, guard)
        udp = _bound(host, port, guard, connections)
        sockets = cls(udp, connections, locator)
        if context is not None:
            try:
                sockets.tls_port = connections.listen(tls_port, context)
            except OSError:
                udp.close()
                connections.close()
                raise
        return sockets

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._connections)

    def start(self, deliver: Callable[[bytes, Hop], None]) -> None:
        """Hear; whatever comes goes to `deliver`."""
        self._udp.start(deliver)
        self._connections.start(deliver)

    def locate(self, hop: Hop, use: Use) -> None:
        self._locator.locate(hop, use)

    def avoid(self, target: Hop) -> None:
        self._locator.avoid(target)

    def alias(self, source: Hop, port: int) -> None:
        self._connections.alias(source, port)

    def send(
        self,
        data: bytes,
        to: Hop,
        failed: Callable[[], None],
        in_time: Callable[[], bool] = always,
    ) -> None:
        if self.guard is not None and not data.startswith(b"SIP/"):
            self.guard.talks_to(to.host)
        if to.transport.reliable:
            self._connections.send(data, to, failed, in_time)
        else:
            self._udp.send(data, to, failed)

    def close(self) -> None:
        self._locator.close()
        self._udp.close()
        self._connections.close()


def _bound(host: str, port: int, guard: Guard | None, connections: Connections) -> UdpSocket:
    """UDP and TCP on one port."""
    for tries_left in reversed(range(_TRIES)):
        udp = UdpSocket(host, port, guard)
        try:
            connections.listen(udp.port)
        except OSError:
            udp.close()
            if port or not tries_left:
                raise
        else:
            return udp
    raise AssertionError
