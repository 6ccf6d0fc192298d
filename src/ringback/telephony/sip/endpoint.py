"""The shell of the user agent: a UDP socket, the event loop's timers, and addresses for names."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final, Self

from ringback.media.rtp_stream import PortRange
from ringback.telephony.sip.agent import UserAgent
from ringback.telephony.sip.hop import Hop
from ringback.telephony.sip.inbound import IncomingCall
from ringback.telephony.sip.incoming import IncomingInvite
from ringback.telephony.sip.message import MAX_MESSAGE
from ringback.telephony.sip.names import Names
from ringback.telephony.sip.transaction import Address, Timing, always

log = logging.getLogger(__name__)

_BURST: Final = 64
"""Datagrams taken in one go, so that a flood cannot hold the loop."""
_BUFFER: Final = 4 * 1024 * 1024
"""Bytes the kernel keeps for us while the loop is busy (it may grant less)."""
_CLOSE_TIMEOUT: Final = 2.0
DEFAULT_TIMING: Final = Timing()


class UdpWire:
    """A UDP socket that no error closes: what cannot be sent is lost, as datagrams are."""

    def __init__(self, sock: socket.socket) -> None:
        self._loop = asyncio.get_running_loop()
        self._socket = sock
        self._names = Names(sock.family)
        self._deliver: Callable[[bytes, Hop], None] = lambda data, source: None

    def start(self, deliver: Callable[[bytes, Hop], None]) -> None:
        self._deliver = deliver
        self._loop.add_reader(self._socket, self._readable)

    def locate(self, hop: Hop, use: Callable[[tuple[Hop, ...]], None]) -> None:
        located = replace(hop, port=hop.port or hop.transport.default_port)
        try:
            ipaddress.ip_address(hop.host)
        except ValueError:
            self._names.resolve(
                hop.host, lambda address: use((replace(located, host=address),) if address else ())
            )
        else:
            use((located,))

    def send(
        self,
        data: bytes,
        to: Hop,
        failed: Callable[[], None],
        in_time: Callable[[], bool] = always,
    ) -> None:
        self._send(data, (to.host, to.port or to.transport.default_port), failed)

    def close(self) -> None:
        self._names.close()
        self._loop.remove_reader(self._socket)
        self._socket.close()

    def _send(self, data: bytes, to: Address, failed: Callable[[], None]) -> None:
        try:
            self._socket.sendto(data, to)
        except BlockingIOError:
            pass  # the kernel's buffer is full: lost, and the transaction sends it again
        except (OSError, OverflowError) as error:
            log.info("SIP: a datagram could not be sent (%s)", type(error).__name__)
            self._loop.call_soon(failed)

    def _readable(self) -> None:
        for _ in range(_BURST):
            try:
                data, source = self._socket.recvfrom(MAX_MESSAGE * 2)
            except OSError:
                return
            self._deliver(data, Hop(source[0], source[1]))


class Endpoint:
    """A SIP user agent on a UDP port of this machine."""

    def __init__(self, wire: UdpWire, agent: UserAgent, media_host: str, rtp_ports: PortRange) -> None:
        """Use `open`."""
        self.agent = agent
        self.media_host = media_host
        self.rtp_ports = rtp_ports
        self.on_invite: Callable[[IncomingCall], Awaitable[None]] | None = None
        """Takes new calls, each in a task of its own; without it they are refused."""
        self._wire = wire
        self._handlers: set[asyncio.Task[None]] = set()

    @classmethod
    async def open(cls, host: str, port: int, rtp_ports: PortRange, timing: Timing = DEFAULT_TIMING) -> Self:
        """Bind `host`, an IP address that peers can reach, and `port` (0: any free one).

        Raises ValueError on a host that cannot be told to peers, OSError on one that cannot be bound.
        """
        if ipaddress.ip_address(host).is_unspecified:
            raise ValueError(
                f"SIP host {host}: give the address of one interface, peers are told to answer to it"
            )
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
            sock.bind((host, port))
        except OSError:
            sock.close()
            raise
        wire = UdpWire(sock)
        agent = UserAgent(wire, asyncio.get_running_loop(), (host, sock.getsockname()[1]), timing)
        endpoint = cls(wire, agent, host, rtp_ports)
        agent.on_invite = endpoint._invited
        wire.start(endpoint._receive)
        return endpoint

    @property
    def address(self) -> Address:
        return self.agent.address

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
            await handler(IncomingCall(invite, self.media_host, self.rtp_ports))
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
