"""A SIP trunk of an account: how calls reach its carrier, and come from it (contract 11)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Final, Literal

from ringback.trunks.gateway import (
    MOST_GATEWAYS,
    MOST_IDENTIFIERS,
    Gateway,
    Qualified,
    host_problem,
    network,
)

AuthType = Literal["userpass", "ip-based"]
TransportName = Literal["transport-udp", "transport-tcp", "transport-tls"]
Encryption = Literal["no", "sdes"]

CODECS: Final = {"ulaw": "PCMU", "alaw": "PCMA"}
"""What `allow` may name, and the names on the wire."""
_NAME_MOST: Final = 200
_SECRET_MOST: Final = 500
_LEAST_QUALIFY_S: Final = 5
_MOST_QUALIFY_S: Final = 86_400
_UNSAFE: Final = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Problem:
    """A field that cannot be used: `path` as a client would write it (`gateways[0].port`), and why."""

    path: str
    message: str
    """Follows the path: "must be ..."."""


class BadTrunk(ValueError):
    """The fields of a trunk do not go together; `problems` has each."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("; ".join(f"{problem.path} {problem.message}" for problem in problems))
        self.problems = problems


@dataclass(frozen=True, slots=True, kw_only=True)
class TrunkFields:
    """What a client says of a trunk, with the contract's defaults."""

    name: str
    """Unique in the account."""
    provider: str
    """Whose it is, in the account's words."""
    auth_type: AuthType
    gateways: tuple[Gateway, ...]
    description: str | None = None
    auth_username: str | None = None
    auth_password: str | None = field(default=None, repr=False)
    ip_identifiers: tuple[str, ...] = ()
    """Addresses and CIDR ranges that its calls come from, besides the gateways'."""
    allow: str = "ulaw,alaw"
    disallow: str = "all"
    transport: TransportName = "transport-udp"
    direct_media: bool = False
    rtp_symmetric: bool = True
    force_rport: bool = True
    media_encryption: Encryption = "no"
    media_encryption_optimistic: bool = False
    qualify_frequency: int = 60
    """Seconds; 0: never."""
    inbound_enabled: bool = False
    outbound_leading_plus_enabled: bool = True
    is_active: bool = True
    max_calls: int | None = None
    """At a time; None: unlimited."""
    calls_per_second: float | None = None
    """Dials in any second; None: unlimited."""

    @property
    def codecs(self) -> tuple[str, ...]:
        """As the wire names them, by preference."""
        return tuple(CODECS[name] for name in _listed(self.allow) if name in CODECS)

    @property
    def interval_us(self) -> int | None:
        """The time between two dials, rounded up: never more than the rate."""
        return None if self.calls_per_second is None else math.ceil(1_000_000 / self.calls_per_second)

    def dialled(self, number: str) -> str:
        """An E.164 number as this carrier wants it."""
        bare = number.removeprefix("+")
        plus = self.outbound_leading_plus_enabled and bare.isdecimal()
        return f"+{bare}" if plus else bare

    def checked(self) -> TrunkFields:
        """The same. Raises BadTrunk with everything that is wrong."""
        problems = tuple(self._problems())
        if problems:
            raise BadTrunk(*problems)
        return self

    def _problems(self) -> Iterator[Problem]:
        for name, value in (("name", self.name), ("provider", self.provider)):
            if not value.strip() or len(value) > _NAME_MOST:
                yield Problem(name, f"must have 1 to {_NAME_MOST} characters")
        yield from self._auth_problems()
        yield from self._gateway_problems()
        unknown = [name for name in _listed(self.allow) if name not in CODECS]
        if unknown or not self.codecs:
            yield Problem("allow", f"must name codecs out of {', '.join(CODECS)}, separated by commas")
        if self.direct_media:
            yield Problem("direct_media", "must be false: the agent is where the audio goes")
        if self.media_encryption == "sdes" and self.transport != "transport-tls":
            yield Problem("media_encryption", "sdes needs transport-tls: the keys stand in the signalling")
        if self.qualify_frequency and not _LEAST_QUALIFY_S <= self.qualify_frequency <= _MOST_QUALIFY_S:
            yield Problem(
                "qualify_frequency", f"must be 0 or {_LEAST_QUALIFY_S} to {_MOST_QUALIFY_S} seconds"
            )
        if self.max_calls is not None and not 1 <= self.max_calls <= 100_000:
            yield Problem("max_calls", "must be 1 to 100000, or null: unlimited")
        if self.calls_per_second is not None and not 0.001 <= self.calls_per_second <= 1000:
            yield Problem("calls_per_second", "must be 0.001 to 1000, or null: unlimited")

    def _auth_problems(self) -> Iterator[Problem]:
        if self.auth_type == "userpass":
            for name, value in (
                ("auth_username", self.auth_username),
                ("auth_password", self.auth_password),
            ):
                if not value:
                    yield Problem(name, "is required where auth_type is userpass")
                elif len(value) > _SECRET_MOST or _UNSAFE.search(value):
                    yield Problem(name, f"must have at most {_SECRET_MOST} printable characters")
            _, at, domain = (self.auth_username or "").rpartition("@")
            if at and host_problem(domain):
                yield Problem("auth_username", "must have a host name after its @, if it has one")
        elif not self.ip_identifiers:
            yield Problem("ip_identifiers", "must hold at least one address where auth_type is ip-based")
        if len(self.ip_identifiers) > MOST_IDENTIFIERS:
            yield Problem("ip_identifiers", f"must hold at most {MOST_IDENTIFIERS} items")
        for index, text in enumerate(self.ip_identifiers[:MOST_IDENTIFIERS]):
            try:
                network(text)
            except ValueError as error:
                yield Problem(f"ip_identifiers[{index}].ip_address", str(error))

    def _gateway_problems(self) -> Iterator[Problem]:
        if not 1 <= len(self.gateways) <= MOST_GATEWAYS:
            yield Problem("gateways", f"must hold 1 to {MOST_GATEWAYS} items")
        for index, gateway in enumerate(self.gateways[:MOST_GATEWAYS]):
            path = f"gateways[{index}]"
            if why := host_problem(gateway.address):
                yield Problem(f"{path}.gateway_address", why)
            if not 0 < gateway.port < 65536:
                yield Problem(f"{path}.port", "must be 1 to 65535")
            if not 0 <= gateway.priority <= 65535:
                yield Problem(f"{path}.priority", "must be 0 to 65535")


NAMES: Final = tuple(one.name for one in fields(TrunkFields))


@dataclass(frozen=True, slots=True)
class Registration:
    """How a trunk's registration does. Times in microseconds since the epoch, UTC."""

    state: Literal["registered", "failing"] | None = None
    """None: it does not register, or has not yet."""
    until: int | None = None
    contact: str | None = None
    """host:port of the worker that registered, and is called."""
    code: int | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Trunk:
    """A trunk as it is kept. Times are microseconds since the epoch, UTC."""

    account_id: str
    id: str
    fields: TrunkFields
    qualified: tuple[Qualified, ...]
    """Of each gateway, in the order of the gateways."""
    registration: Registration
    created_at: int
    updated_at: int
    unreadable: str | None = None
    """Why its password cannot be read; then it has none in `fields`."""


def _listed(text: str) -> list[str]:
    return [name for part in text.split(",") if (name := part.strip().lower())]
