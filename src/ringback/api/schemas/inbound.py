"""Calls to the account's numbers: who answers, and what is known of callers (contract 10)."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from ringback.agents.ivr_config import IvrConfig
from ringback.agents.validation import Part
from ringback.api.calls import AgentId
from ringback.api.schemas.fields import Data, Id, Shape, Timestamp

SourceName = Annotated[str, Field(min_length=1, max_length=200)]


class InboundSetup(Part):
    """Body of POST /inbound/setup. Unknown keys are ignored; what is not named is not kept from an earlier one."""

    agent_id: AgentId
    phone_number_id: AgentId
    allow_multiple: bool = False
    """Ignored: an agent may answer at any number of numbers."""
    ivr_config: IvrConfig | None = None
    """Menus before the agent; null or missing: none."""


class InboundUnlink(Part):
    """Body of POST /inbound/unlink. Unknown keys are ignored."""

    phone_number_id: AgentId


class InboundLinked(Shape):
    message: str
    url: str | None
    """Names the link as the hosted service does; nothing answers there, calls come by SIP. Null: there is none."""
    phone_number: str
    id: Id
    """Of the number."""


class CallersRequest(Part):
    """Body of PUT /inbound/callers/{source_name}. Unknown keys are ignored."""

    csv: str
    """A CSV file with a header: `contact_number`, and what is known of each caller, by the names of variables."""


class CallerSource(Shape):
    """A file that agents look callers up in."""

    source_name: SourceName
    """As `ingest_source_config` names it."""
    callers: int
    created_at: Timestamp
    """When it was sent."""


_AGENT: Final = "3c90c3cc-0d44-4b50-8888-8dd25736052a"
_NUMBER: Final = "133b9a7d-59b1-49c4-b62a-c4924503e38b"
INBOUND_EXAMPLES: Final[Data] = {
    "InboundSetup": {"agent_id": _AGENT, "phone_number_id": _NUMBER},
    "InboundUnlink": {"phone_number_id": _NUMBER},
    "InboundLinked": {
        "message": "The agent answers at +19876543210",
        "url": f"https://ringback.example/inbound_call?agent_id={_AGENT}&user_id=9a6b1c52",
        "phone_number": "+19876543210",
        "id": _NUMBER,
    },
    "CallersRequest": {"csv": "contact_number,name,balance\n+14155550123,Daniel,42\n"},
    "CallerSource": {
        "source_name": "leads_june.csv",
        "callers": 1,
        "created_at": "2024-01-23T05:14:37Z",
    },
}
