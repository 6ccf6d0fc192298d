"""The shell of the user agent: its sockets, and the event loop's timers."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections.abc import Awaitable, Callable
from typing import Final, Self

from ringback.media.rtp_stream import PortRange
from ringback.telephony.sip.agent import UserAgent
from ringback.telephony.sip.guard import Guard
from ringback.telephony.sip.hop import Hop, Transport
from ringback.telephony.sip.inbound import IncomingCall
from ringback.telephony.sip.incoming import IncomingInvite
from ringback.telephony.sip.media_watch import DEFAULT_TIMEOUT
from ringback.telephony.sip.sockets import Sockets
from ringback.telephony.sip.tls import TlsFiles
from ringback.telephony.sip.transaction import Address, Timing

log = logging.getLogger(__name__)

_CLOSE_TIMEOUT: Final = 2.0
DEFAULT_TIMING: Final = Timing()


class Endpoint:
    """A SIP user agent on a port of this machine."""

    def __init__(self, wire: Sockets, agent: UserAgent, media_host: str, rtp_ports: PortRange) -> None:
        """Use `open`."""
        self.agent = agent
        self.media_host = media_host
        """Address that RTP binds to; peers are told that of `address`."""
        self.rtp_ports = rtp_ports
        self.rtp_timeout_s = DEFAULT_TIMEOUT
        """Seconds without audio after which a call ends; 0: never."""
        self.on_invite: Callable[[IncomingCall], Awaitable[None]] | None = None
        """Takes new calls, each in a task of its own; without it they are refused."""
        self.guard = wire.guard
        self._wire = wire
        self._handlers: set[asyncio.Task[None]] = set()

    @classmethod
    async def open(
        cls,
        host: str,
        port: int,
        rtp_ports: PortRange,
        timing: Timing = DEFAULT_TIMING,
        external_host: str = "",
        *,
        tls: TlsFiles | None = None,
        tls_port: int = 0,
        guard: Guard | None = None,
    ) -> Self:
        """Bind `host`, an IP address of this machine, and `port` (0: any free one) for UDP and TCP.

        With a certificate in `tls` it also hears TLS on `tls_port`. `guard` judges what comes; None takes everything.
        Peers are told to answer to `external_host`, the IP address by which a NAT forwards to us; empty: `host`.
        Raises ValueError on a host that cannot be told to peers, OSError on one that cannot be bound.
        """
        told = external_host or host
        if ipaddress.ip_address(told).is_unspecified:
            raise ValueError(
                f"SIP host {told}: give the address of one interface, or an external one, that peers can answer to"
            )
        wire = Sockets.open(host, port, guard, tls or TlsFiles(), tls_port)
        agent = UserAgent(wire, asyncio.get_running_loop(), (told, wire.port), timing)
        if wire.tls_port is not None:
            agent.ports[Transport.TLS] = wire.tls_port
        endpoint = cls(wire, agent, host, rtp_ports)
        agent.on_invite = endpoint._invited
        wire.start(endpoint._receive)
        return endpoint

    @property
    def address(self) -> Address:
        return self.agent.address

    @property
    def connections(self) -> int:
        """How many peers are connected by TCP or TLS."""
        return self._wire.connections

    async def close(self) -> None:
        """Hang up what is left, wait a moment for the peers' answers, and free the port."""
        for task in self._handlers:
            task.cancel()
        for call in self.agent.calls:
            call.hang_up()
        idle = asyncio.Event()
        self.agent.on_idle = idle.set
        try:
            async with asyncio.timeout(_CLOSE_TIMEOUT if self.agent.calls else 0):
                await idle.wait()
        except TimeoutError:
            pass  # a peer still owes an answer; nobody waits for it
        self._wire.close()

    def _invited(self, invite: IncomingInvite) -> None:
        if self.on_invite is None:
            invite.reject(480, "Takes No Calls")
            return
        task = asyncio.get_running_loop().create_task(self._handle(self.on_invite, invite))
        self._handlers.add(task)
        task.add_done_callback(self._handlers.discard)

    async def _handle(
        self, handler: Callable[[IncomingCall], Awaitable[None]], invite: IncomingInvite
    ) -> None:
        try:
            await handler(IncomingCall(invite, self))
        except Exception as error:
            log.error("SIP: the handler of an incoming call failed (%s)", type(error).__name__)
            invite.hang_up()

    def _receive(self, data: bytes, source: Hop) -> None:
        try:
            self.agent.receive(data, source)
        except Exception as error:  # a stranger's datagram must not stop the others, nor be printed
            traceback = error.__traceback__
            while traceback is not None and traceback.tb_next is not None:
                traceback = traceback.tb_next
            where = f"{traceback.tb_frame.f_code.co_name}:{traceback.tb_lineno}" if traceback else "?"
            log.error("SIP: a datagram was dropped, %s in %s", type(error).__name__, where)
