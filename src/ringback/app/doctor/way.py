"""The ways to the telephone network, as the doctor tries them: the settings' trunk, and those of accounts."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass, field

from ringback.app.doctor import faults
from ringback.app.doctor.finding import Faulty
from ringback.app.settings import Settings
from ringback.app.telephony import tls_files
from ringback.telephony.sip.carrier import Trunk
from ringback.telephony.sip.crypto import Encryption
from ringback.telephony.sip.hop import Transport
from ringback.trunks.gateway import by_priority
from ringback.trunks.trunk import Registration
from ringback.trunks.trunk import Trunk as KeptTrunk


@dataclass(frozen=True, slots=True)
class Way:
    trunk: Trunk
    name: str = ""
    """The account's name for it; empty: the settings' own."""
    registration: Registration = field(default_factory=Registration)
    plus: bool = True
    """Whether numbers are dialled with it."""

    def dialled(self, number: str) -> str:
        return number if self.plus else number.removeprefix("+")


def own_way(settings: Settings) -> Way:
    """The settings' trunk. Raises Faulty where there is none, or one that cannot be used."""
    return Way(_own(settings))


def ways_of(kept: KeptTrunk, from_number: str) -> list[Way]:
    """To each gateway of an account's trunk, in the order in which calls try them."""
    fields = kept.fields
    gateways = by_priority(fields.gateways)
    encryption = Encryption.NONE
    if fields.media_encryption == "sdes":
        encryption = Encryption.OPTIONAL if fields.media_encryption_optimistic else Encryption.REQUIRED
    return [
        Way(
            Trunk(
                host=gateway.address,
                port=gateway.port,
                username=fields.auth_username or "",
                password=fields.auth_password or "",
                from_number=from_number,
                transport=Transport.of(fields.transport.removeprefix("transport-")),
                encryption=encryption,
            ),
            name=fields.name if len(gateways) == 1 else f"{fields.name} ({gateway.address})",
            registration=kept.registration,
            plus=fields.outbound_leading_plus_enabled,
        )
        for gateway in gateways
    ]


def _own(settings: Settings) -> Trunk:
    """Raises Faulty where there is none, or one that cannot be used."""
    trunk = settings.trunk
    if not trunk.host:
        raise Faulty(faults.NO_TRUNK)
    try:
        return Trunk(
            host=trunk.host,
            port=trunk.port,
            username=trunk.username,
            password=trunk.password.get_secret_value(),
            from_number=trunk.from_numbers[0] if trunk.from_numbers else "",
            outbound_proxy=trunk.outbound_proxy,
            transport=Transport.of(trunk.transport),
            encryption=Encryption(trunk.encryption),
        )
    except ValueError as error:
        raise Faulty(faults.BAD_CONFIGURATION, error=str(error)) from error


def certificates(settings: Settings) -> ssl.SSLContext:
    """How a trunk's certificate is judged. Raises Faulty where a file of ours cannot be used."""
    try:
        return tls_files(settings).client()
    except ValueError as error:
        raise Faulty(faults.BAD_CONFIGURATION, error=str(error)) from error


async def address_of(name: str) -> str:
    """The IP address of a name of ours; the name itself where it has none."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(name, None) if name else []
    except (OSError, UnicodeError):
        found = []
    return str(found[0][4][0]) if found else name
