"""The way to a trunk, as the doctor tries it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Self

from ringback.app.doctor import faults
from ringback.app.doctor.finding import Faulty
from ringback.app.settings import Settings
from ringback.telephony.sip.auth import Credentials
from ringback.telephony.sip.carrier import Trunk
from ringback.telephony.sip.hop import Hop
from ringback.telephony.sip.uri import DEFAULT_PORT, bracketed, split_host_port


@dataclass(frozen=True, slots=True)
class Way:
    host: str
    """Domain or address of the numbers' URIs."""
    hop: Hop
    """Where the packets go."""
    username: str = ""
    password: str = field(default="", repr=False)
    from_number: str = ""

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The settings' trunk. Raises Faulty where there is none, or one that cannot be used."""
        trunk = settings.trunk
        if not trunk.host:
            raise Faulty(faults.NO_TRUNK)
        hop = Hop(trunk.host.strip("[]"), trunk.port)
        if trunk.outbound_proxy:
            try:
                host, port = split_host_port(trunk.outbound_proxy)
            except ValueError as error:
                raise Faulty(faults.BAD_CONFIGURATION, error=f"trunk.outbound_proxy: {error}") from error
            hop = Hop(host.strip("[]"), port or DEFAULT_PORT)
        return cls(
            host=bracketed(trunk.host),
            hop=hop,
            username=trunk.username,
            password=trunk.password.get_secret_value(),
            from_number=trunk.from_numbers[0] if trunk.from_numbers else "",
        )

    def trunk(self) -> Trunk:
        """To dial through. Raises Faulty where that cannot be."""
        port = self.hop.port or self.hop.transport.default_port
        try:
            return Trunk(
                host=self.host,
                port=port,
                username=self.username,
                password=self.password,
                from_number=self.from_number,
                outbound_proxy=f"{bracketed(self.hop.host)}:{port}",
                transport=self.hop.transport,
            )
        except ValueError as error:
            raise Faulty(faults.BAD_CONFIGURATION, error=str(error)) from error

    @property
    def credentials(self) -> Credentials | None:
        return Credentials(self.username, self.password) if self.username else None


async def address_of(name: str) -> str:
    """The IP address of a name of ours; the name itself where it has none."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(name, None) if name else []
    except (OSError, UnicodeError):
        found = []
    return str(found[0][4][0]) if found else name
