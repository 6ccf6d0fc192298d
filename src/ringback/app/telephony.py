"""A worker's own side of the trunk: its SIP port, and what goes out through it."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ringback.app.carriers import Carriers
from ringback.app.settings import Settings, SettingsError
from ringback.media.leg import Carrier
from ringback.media.rtp_stream import PortRange
from ringback.telephony.no_trunk import NoTrunk
from ringback.telephony.sip.carrier import SipCarrier, Trunk
from ringback.telephony.sip.crypto import Encryption
from ringback.telephony.sip.endpoint import Endpoint
from ringback.telephony.sip.guard import Guard
from ringback.telephony.sip.hop import Transport
from ringback.telephony.sip.tls import TlsFiles
from ringback.trunks.numbers import Numbers
from ringback.trunks.trunks import Trunks

logger = logging.getLogger(__name__)

_LOOKUP_TIMEOUT: Final = 5.0


@dataclass(frozen=True, slots=True)
class Telephony:
    """`endpoint` is None where no trunk is configured."""

    carrier: Carrier
    endpoint: Endpoint | None = None

    @property
    def address(self) -> str | None:
        """host:port of our SIP."""
        if self.endpoint is None:
            return None
        host, port = self.endpoint.address
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def calls(self) -> int:
        """How many legs are up, dialled or answered."""
        return 0 if self.endpoint is None else len(self.endpoint.agent.calls)

    def drain(self) -> None:
        """Tell whoever asks that we take no more calls."""
        if self.endpoint is not None:
            self.endpoint.agent.draining = True


@asynccontextmanager
async def opened_telephony(
    settings: Settings, index: int, accounts: tuple[Trunks, Numbers] | None = None
) -> AsyncIterator[Telephony]:
    """The trunk of the settings, and those of `accounts` with their numbers.

    Raises SettingsError where it or our own port cannot be used; without a trunk in the settings the latter is no
    reason not to start.
    """
    trunk = settings.trunk
    if not trunk.host:
        logger.warning(
            "no trunk is configured (setting trunk.host): only accounts with trunks of their own can call"
        )
        try:
            endpoint = await _bound(settings, index)
        except (SettingsError, ValueError) as error:
            logger.error("%s; calls will fail and say so", error)
            yield Telephony(NoTrunk())
            return
        try:
            yield _with(endpoint, NoTrunk(), accounts)
        finally:
            await endpoint.close()
        return
    try:
        way = Trunk(
            host=trunk.host,
            port=trunk.port,
            username=trunk.username,
            password=trunk.password.get_secret_value(),
            outbound_proxy=trunk.outbound_proxy,
            transport=Transport.of(trunk.transport),
            encryption=Encryption(trunk.encryption),
        )
        endpoint = await _bound(settings, index)
    except ValueError as error:
        raise SettingsError(str(error)) from None
    try:
        yield _with(endpoint, SipCarrier(endpoint, way), accounts)
    finally:
        await endpoint.close()


def _with(endpoint: Endpoint, own: Carrier, accounts: tuple[Trunks, Numbers] | None) -> Telephony:
    return Telephony(Carriers(endpoint, own, *accounts) if accounts else own, endpoint)


def sip_ports(settings: Settings, index: int) -> tuple[int, ...]:
    """Two a worker: in a rolling restart its successor takes the other one while it still drains."""
    first = settings.sip.port + 2 * index
    return (first, first + 1) if settings.sip.port else (0,)


async def _bound(settings: Settings, index: int) -> Endpoint:
    sip, ports = settings.sip, sip_ports(settings, index)
    rtp_ports = PortRange(sip.rtp_port_low, sip.rtp_port_high)
    external = await _external(settings)
    for port in ports:
        try:
            endpoint = await Endpoint.open(
                sip.host,
                port,
                rtp_ports,
                external_host=external,
                tls=tls_files(settings),
                tls_port=sip.tls_port and sip.tls_port + port - sip.port,
                guard=Guard(asyncio.get_running_loop().time),
            )
        except OSError as error:
            refused = error
        else:
            endpoint.rtp_timeout_s = sip.rtp_timeout_s
            return endpoint
    raise SettingsError(
        f"SIP cannot use {sip.host}:{ports[0]}: {refused.strerror} (settings sip.host, sip.port)"
    )


def tls_files(settings: Settings) -> TlsFiles:
    """Where certificates are."""

    def path(name: str) -> Path | None:
        return Path(name) if name else None

    sip = settings.sip
    return TlsFiles(path(sip.tls_certificate), path(sip.tls_key), path(sip.tls_authorities))


async def _external(settings: Settings) -> str:
    """The address of `sip.external_host`: peers are told an address, for SDP knows no names. Empty without one."""
    name = settings.sip.external_host
    family = socket.AF_INET6 if ":" in settings.sip.host else socket.AF_INET
    try:
        async with asyncio.timeout(_LOOKUP_TIMEOUT):
            found = await asyncio.get_running_loop().getaddrinfo(name, None, family=family) if name else []
    except (OSError, UnicodeError, TimeoutError):
        raise SettingsError(
            f"{name!r} has no address (setting sip.external_host): give the public address of this machine"
        ) from None
    return str(found[0][4][0]) if found else ""
