"""The way to the trunk of the settings, as the doctor tries it."""

from __future__ import annotations

import asyncio
import ssl

from ringback.app.doctor import faults
from ringback.app.doctor.finding import Faulty
from ringback.app.settings import Settings
from ringback.app.telephony import tls_files
from ringback.telephony.sip.carrier import Trunk
from ringback.telephony.sip.crypto import Encryption
from ringback.telephony.sip.hop import Transport


def trunk_of(settings: Settings) -> Trunk:
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
