"""SIP trunks and the numbers on them (contract 11). `max_calls`, `calls_per_second` and what is known of a gateway and
of the registration are ours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal

from pydantic import ConfigDict, Field

from ringback.agents.validation import Part, Real, Whole
from ringback.api.schemas.fields import Data, Id, Shape, Timestamp
from ringback.trunks.gateway import MOST_GATEWAYS, MOST_IDENTIFIERS, Gateway
from ringback.trunks.numbers import NewNumber
from ringback.trunks.trunk import AuthType, Encryption, TransportName, TrunkFields

_MOST_NUMBERS: Final = 1000
"""In one request."""

Label = Annotated[str, Field(min_length=1, max_length=200)]
Secret = Annotated[str, Field(min_length=1, max_length=500)]
Description = Annotated[str, Field(max_length=2000)]


class _Ours(Part):
    model_config = ConfigDict(extra="ignore")


class GatewayRequest(_Ours):
    gateway_address: Annotated[str, Field(min_length=1, max_length=253, description="Host name or address.")]
    port: Annotated[Whole, Field(ge=1, le=65535)] = 5060
    priority: Annotated[Whole, Field(ge=0, le=65535, description="Lower is tried first.")] = 1

    def plain(self) -> Gateway:
        return Gateway(self.gateway_address, self.port, self.priority)


class IPIdentifier(_Ours):
    ip_address: Annotated[str, Field(min_length=1, max_length=64, description="An address or a CIDR range.")]


class TrunkNumberRequest(_Ours):
    """Body of POST .../numbers. Unknown keys are ignored."""

    phone_number: Annotated[
        str, Field(min_length=1, max_length=33, description="As the carrier writes it, with or without a +.")
    ]
    name: Annotated[str, Field(max_length=200)] | None = None
    e164_check_enabled: bool = Field(False, description="Refuse a number that is not in E.164 form.")

    def plain(self) -> NewNumber:
        return NewNumber(self.phone_number, self.name, self.e164_check_enabled)


Gateways = Annotated[list[GatewayRequest], Field(min_length=1, max_length=MOST_GATEWAYS)]
Identifiers = Annotated[list[IPIdentifier], Field(max_length=MOST_IDENTIFIERS)]
MaxCalls = Annotated[Whole, Field(ge=1, le=100_000, description="At a time; null: unlimited.")]
PerSecond = Annotated[Real, Field(ge=0.001, le=1000, description="Dials in any second; null: unlimited.")]
Frequency = Annotated[Whole, Field(ge=0, le=86_400, description="Seconds between two OPTIONS; 0: none.")]


class TrunkRequest(_Ours):
    """Body of POST. Unknown keys are ignored."""

    name: Label
    provider: Label
    auth_type: AuthType
    gateways: Gateways
    description: Description | None = None
    auth_username: Secret | None = None
    auth_password: Secret | None = None
    ip_identifiers: Identifiers = Field(default_factory=list)
    allow: Annotated[str, Field(max_length=200)] = "ulaw,alaw"
    disallow: Annotated[str, Field(max_length=200)] = "all"
    transport: TransportName = "transport-udp"
    direct_media: bool = False
    rtp_symmetric: bool = True
    force_rport: bool = True
    media_encryption: Encryption = "no"
    media_encryption_optimistic: bool = False
    qualify_frequency: Frequency = 60
    inbound_enabled: bool = False
    outbound_leading_plus_enabled: bool = True
    is_active: bool = True
    max_calls: MaxCalls | None = None
    calls_per_second: PerSecond | None = None
    phone_numbers: Annotated[list[TrunkNumberRequest], Field(max_length=_MOST_NUMBERS)] = Field(
        default_factory=list
    )

    def plain(self) -> TrunkFields:
        return TrunkFields(**dict(_plain(self, set(type(self).model_fields) - {"phone_numbers"})))


class TrunkPatch(_Ours):
    """Body of PATCH: what is named is changed. Unknown keys are ignored, `auth_type` too."""

    name: Label | None = None
    provider: Label | None = None
    description: Description | None = None
    auth_username: Secret | None = None
    auth_password: Secret | None = None
    gateways: Gateways | None = None
    ip_identifiers: Identifiers | None = None
    allow: Annotated[str, Field(max_length=200)] | None = None
    disallow: Annotated[str, Field(max_length=200)] | None = None
    transport: TransportName | None = None
    direct_media: bool | None = None
    rtp_symmetric: bool | None = None
    force_rport: bool | None = None
    media_encryption: Encryption | None = None
    media_encryption_optimistic: bool | None = None
    qualify_frequency: Frequency | None = None
    inbound_enabled: bool | None = None
    outbound_leading_plus_enabled: bool | None = None
    is_active: bool | None = None
    max_calls: MaxCalls | None = None
    calls_per_second: PerSecond | None = None

    def changes(self) -> dict[str, Any]:
        """Null changes only what may be null."""
        given = dict(_plain(self, self.model_fields_set))
        nullable = ("description", "max_calls", "calls_per_second")
        return {name: value for name, value in given.items() if value is not None or name in nullable}


def _plain(body: TrunkRequest | TrunkPatch, names: set[str]) -> Iterator[tuple[str, Any]]:
    for name in names & set(type(body).model_fields):
        value = getattr(body, name)
        if name == "gateways" and value is not None:
            value = tuple(gateway.plain() for gateway in value)
        elif name == "ip_identifiers" and value is not None:
            value = tuple(one.ip_address for one in value)
        yield name, value


class TrunkGateway(Shape):
    gateway_address: str
    port: int
    priority: int
    """Lower is tried first."""
    state: Literal["unknown", "up", "down"]
    """By its answer to the last OPTIONS; one that is `down` is tried after the others."""
    checked_at: Timestamp | None
    """When it was asked."""
    answer_ms: float | None
    """How long it took."""
    code: int | None
    """What it answered."""
    error: str | None
    """Why it is down."""


class TrunkRegistration(Shape):
    state: Literal["registered", "failing"] | None
    """Null: not yet, or the trunk does not register (`auth_type` ip-based, or turned off)."""
    expires_at: Timestamp | None
    contact: str | None
    """host:port of the worker that the carrier calls."""
    code: int | None
    """What the registrar answered."""
    error: str | None


class TrunkNumber(Shape):
    """A number on a trunk."""

    id: Id
    phone_number: str
    """As the carrier writes it."""
    name: str | None
    byot_trunk_id: Id
    telephony_provider: Literal["sip-trunk"]
    deleted: bool
    """Always false: a number that was removed is gone."""
    e164_check_enabled: bool
    agent_id: Id | None
    """Who answers (ours)."""
    created_at: Timestamp
    updated_at: Timestamp


class Trunk(Shape):
    """A SIP trunk. Its password is never shown."""

    id: Id
    name: str
    provider: str
    description: str | None
    auth_type: AuthType
    auth_username: str | None
    gateways: list[TrunkGateway]
    ip_identifiers: list[IPIdentifier]
    phone_numbers: list[TrunkNumber]
    allow: str
    disallow: str
    transport: TransportName
    direct_media: bool
    rtp_symmetric: bool
    force_rport: bool
    media_encryption: Encryption
    media_encryption_optimistic: bool
    qualify_frequency: int
    inbound_enabled: bool
    outbound_leading_plus_enabled: bool
    is_active: bool
    max_calls: int | None
    calls_per_second: float | None
    registration: TrunkRegistration
    created_at: Timestamp
    updated_at: Timestamp


class TrunkDeleted(Shape):
    message: Annotated[
        str, Field(pattern=r"^Trunk deleted successfully\. [0-9]+ phone number\(s\) removed\.$")
    ]


class TrunkNumberDeleted(Shape):
    message: Literal["Phone number removed successfully"]


_TRUNK_ID: Final = "0b8f6f7e-5a47-4b0c-9c8e-2f2f5f4f1a11"
_AT: Final = "2024-01-23T01:10:00Z"
_ASKED: Final[Data] = {
    "name": "Zadarma Production",
    "provider": "zadarma",
    "auth_type": "userpass",
    "auth_username": "12345",
    "auth_password": "s3cret-of-the-trunk",
    "gateways": [{"gateway_address": "sip.zadarma.com", "port": 5060, "priority": 1}],
    "inbound_enabled": True,
    "phone_numbers": [{"phone_number": "919876543210", "name": "Mumbai Support Line"}],
}
_NUMBER: Final[Data] = {
    "id": "3c90c3cc-0d44-4b50-8888-8dd257360522",
    "phone_number": "919876543210",
    "name": "Mumbai Support Line",
    "byot_trunk_id": _TRUNK_ID,
    "telephony_provider": "sip-trunk",
    "deleted": False,
    "e164_check_enabled": False,
    "agent_id": None,
    "created_at": _AT,
    "updated_at": _AT,
}
TRUNK_EXAMPLES: Final[Data] = {
    "TrunkRequest": _ASKED,
    "TrunkPatch": {"gateways": [{"gateway_address": "sip2.zadarma.com"}], "is_active": True},
    "TrunkNumberRequest": {"phone_number": "919876543210", "name": "Mumbai Support Line"},
    "TrunkNumber": _NUMBER,
    "Trunk": {
        "id": _TRUNK_ID,
        "name": "Zadarma Production",
        "provider": "zadarma",
        "description": None,
        "auth_type": "userpass",
        "auth_username": "12345",
        "gateways": [
            {
                "gateway_address": "sip.zadarma.com",
                "port": 5060,
                "priority": 1,
                "state": "up",
                "checked_at": _AT,
                "answer_ms": 21.4,
                "code": 200,
                "error": None,
            }
        ],
        "ip_identifiers": [],
        "phone_numbers": [_NUMBER],
        "allow": "ulaw,alaw",
        "disallow": "all",
        "transport": "transport-udp",
        "direct_media": False,
        "rtp_symmetric": True,
        "force_rport": True,
        "media_encryption": "no",
        "media_encryption_optimistic": False,
        "qualify_frequency": 60,
        "inbound_enabled": True,
        "outbound_leading_plus_enabled": True,
        "is_active": True,
        "max_calls": None,
        "calls_per_second": None,
        "registration": {
            "state": "registered",
            "expires_at": "2024-01-23T01:20:00Z",
            "contact": "192.0.2.7:5080",
            "code": 200,
            "error": None,
        },
        "created_at": _AT,
        "updated_at": _AT,
    },
    "TrunkDeleted": {"message": "Trunk deleted successfully. 3 phone number(s) removed."},
    "TrunkNumberDeleted": {"message": "Phone number removed successfully"},
}
