"""Telephone numbers of an account, and those that it may take (contract 11)."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import ConfigDict, Field

from ringback.agents.validation import Part
from ringback.api.schemas.fields import Data, Id, Shape, Timestamp

Country = Annotated[str, Field(pattern=r"^[A-Za-z]{2}$", description="ISO 3166 code, such as US or IN.")]
Sold = Annotated[str, Field(pattern=r"^\+[1-9][0-9]{7,14}$")]
Line = Annotated[str, Field(pattern="^.*$")]


class BuyRequest(Part):
    """Body of POST /phone-numbers/buy. Unknown keys, `provider` too, are ignored."""

    model_config = ConfigDict(extra="ignore")

    country: Country
    phone_number: Sold


class PhoneNumber(Shape):
    """A number of the account."""

    id: Id
    humanized_created_at: str
    created_at: Timestamp
    humanized_updated_at: str
    updated_at: Timestamp
    renewal_at: str
    """Always empty: nothing is renewed here."""
    phone_number: str
    """As it was added."""
    agent_id: Id | None
    """Who answers."""
    price: Annotated[str, Field(pattern=r"^\$[0-9]+\.[0-9]+$")]
    """A month."""
    telephony_provider: Literal["sip-trunk"]
    rented: bool
    """It is the installation's, and was taken by POST /phone-numbers/buy."""
    byot_trunk_id: Id | None
    """The account's trunk that it is on (ours)."""
    name: str | None
    """Ours."""


class AvailableNumber(Shape):
    """A number of the installation's that nobody has taken."""

    region: Annotated[str, Field(pattern="^[A-Za-z ]+$")]
    """Its country's code."""
    friendly_name: Line | None
    locality: Line | None
    phone_number: Sold
    provider: Literal["sip-trunk"]
    price: float


class BoughtNumber(Shape):
    id: Id
    agent_id: Id | None
    bolna_owned: bool
    """True: it is the installation's."""
    deleted: bool
    renewal: bool
    payment_uuid: Id
    """Of no payment: the same as id."""
    phone_number: Sold
    price: float
    """In cents."""
    telephony_provider: Literal["sip-trunk"]
    telephony_sid: str
    created_at: Timestamp
    updated_at: Timestamp


class NumberDeleted(Shape):
    message: Literal["The phone number has been removed from your account"]
    state: Literal["deleted"]


_ID: Final = "133b9a7d-59b1-49c4-b62a-c4924503e38b"
_AT: Final = "2024-01-23T05:14:37Z"
PHONE_NUMBER_EXAMPLES: Final[Data] = {
    "BuyRequest": {"country": "US", "phone_number": "+19876543210"},
    "PhoneNumber": {
        "id": _ID,
        "humanized_created_at": "5 minutes ago",
        "created_at": _AT,
        "humanized_updated_at": "5 minutes ago",
        "updated_at": _AT,
        "renewal_at": "",
        "phone_number": "+19876543210",
        "agent_id": "3c90c3cc-0d44-4b50-8888-8dd25736052a",
        "price": "$0.0",
        "telephony_provider": "sip-trunk",
        "rented": True,
        "byot_trunk_id": None,
        "name": None,
    },
    "AvailableNumber": {
        "region": "US",
        "friendly_name": None,
        "locality": None,
        "phone_number": "+19876543210",
        "provider": "sip-trunk",
        "price": 0.0,
    },
    "BoughtNumber": {
        "id": _ID,
        "agent_id": None,
        "bolna_owned": True,
        "deleted": False,
        "renewal": False,
        "payment_uuid": _ID,
        "phone_number": "+19876543210",
        "price": 0.0,
        "telephony_provider": "sip-trunk",
        "telephony_sid": "19876543210",
        "created_at": _AT,
        "updated_at": _AT,
    },
    "NumberDeleted": {
        "message": "The phone number has been removed from your account",
        "state": "deleted",
    },
}
