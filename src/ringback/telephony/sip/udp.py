"""A UDP socket for SIP that no error closes: what cannot be sent is lost, as datagrams are."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import Final

from ringback.telephony.sip.guard import Guard
from ringback.telephony.sip.hop import Hop
from ringback.telephony.sip.message import MAX_MESSAGE

log = logging.getLogger(__name__)

_BURST: Final = 8
"""Datagrams that are looked at in one go, so that a flood cannot hold the loop."""
_REFUSED_BURST: Final = 256
"""Datagrams that are taken in one go to be dropped: the kernel is to keep room for others'."""
_BUFFER: Final = 4 * 1024 * 1024
"""Bytes the kernel keeps for us while the loop is busy (it may grant less)."""


class UdpSocket:
    """One bound socket."""

    def __init__(self, host: str, port: int, guard: Guard | None) -> None:
        """Raises OSError where it cannot be bound."""
        self._loop = asyncio.get_running_loop()
        self._guard = guard
        self._socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.setblocking(False)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
            self._socket.bind((host, port))
        except OSError:
            self._socket.close()
            raise
        self.port: int = self._socket.getsockname()[1]

    def start(self, deliver: Callable[[bytes, Hop], None]) -> None:
        self._loop.add_reader(self._socket, self._readable, deliver)

    def send(self, data: bytes, to: Hop, failed: Callable[[], None]) -> None:
        try:
            self._socket.sendto(data, (to.host, to.port or to.transport.default_port))
        except BlockingIOError:
            pass  # the kernel's buffer is full: lost, and the transaction sends it again
        except (OSError, OverflowError) as error:
            log.info("SIP: a datagram could not be sent (%s)", type(error).__name__)
            self._loop.call_soon(failed)

    def close(self) -> None:
        self._loop.remove_reader(self._socket)
        self._socket.close()

    def _readable(self, deliver: Callable[[bytes, Hop], None]) -> None:
        taken = 0
        for _ in range(_REFUSED_BURST):
            try:
                data, source = self._socket.recvfrom(MAX_MESSAGE * 2)
            except OSError:
                return
            if self._guard is not None and self._guard.judge(data, source[0]):
                continue
            deliver(data, Hop(source[0], source[1]))
            taken += 1
            if taken == _BURST:
                return
