"""Webhooks: endpoints, secrets and the log of deliveries. Ours; Bolna has none of it."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import Field

from ringback.agents.validation import Part
from ringback.api.schemas.fields import BatchId, Count, Link, Shape, Timestamp

DELIVERY_ID: Final = r"^[0-9a-f-]{32,36}-[1-9][0-9]{0,8}$"
CURSOR: Final = r"^[1-9][0-9]{0,17}-[0-9a-f-]{32,36}-[1-9][0-9]{0,8}$"

EndpointId = BatchId
DeliveryId = Annotated[str, Field(pattern=DELIVERY_ID)]


class EndpointPatch(Part):
    """Body of PATCH. Unknown keys are ignored."""

    state: Literal["enabled", "disabled"]


class WebhookEndpoint(Shape):
    """A URL that an agent or a batch has named as its webhook."""

    id: EndpointId
    url: Link
    state: Literal["enabled", "disabled"]
    """`disabled` by its user, or after three days without a success: what is told then waits, for seven days."""
    failing_since: Timestamp | None
    """The first failure since the last success."""
    failures: Count
    """Since then."""
    disabled_at: Timestamp | None
    disabled_reason: str | None
    old_secret_until: Timestamp | None
    """After a rotation: until then the secret before signs too."""
    created_at: Timestamp


class WebhookEndpointPage(Shape):
    """A page of the endpoints, in the order of their ids."""

    page_size: Annotated[int, Field(ge=1, le=1000)]
    has_more: bool
    next_cursor: EndpointId | None
    """Where the list goes on, as `cursor`; null on the last page."""
    data: list[WebhookEndpoint]


class WebhookSecret(Shape):
    """What the endpoint's webhooks are signed with."""

    endpoint_id: EndpointId
    secret: Annotated[str, Field(pattern=r"^whsec_[A-Za-z0-9+/]+=*$")]
    """As libraries of Standard Webhooks take it."""
    old_secret_until: Timestamp | None
    """Until then messages bear a second signature, made with the secret before."""


class WebhookDelivery(Shape):
    """A webhook: the status of an execution, or an event of a batch."""

    id: DeliveryId
    """Also the header `webhook-id`, the same at every try."""
    kind: Literal["execution", "batch"]
    subject_id: str
    """Of the execution or batch."""
    event: str
    """The status of the execution; `processed` or `completed` of the batch."""
    position: Annotated[int, Field(ge=1)]
    """Which of the changes of its subject it tells, from 1."""
    endpoint_id: EndpointId
    url: Link
    state: Literal["waiting", "delivered", "dead"]
    """`dead`: given up after three days; `last_error` says why."""
    under_way: bool
    """It is being sent."""
    tries: Count
    next_try_at: Timestamp | None
    """At the earliest; null unless it waits."""
    last_try_at: Timestamp | None
    last_code: int | None
    """HTTP status of the last answer; null where there was none."""
    last_error: str | None
    ended_at: Timestamp | None
    """When it was delivered or given up."""
    created_at: Timestamp


class WebhookDeliveryPage(Shape):
    """A page of deliveries, newest first."""

    page_size: Annotated[int, Field(ge=1, le=200)]
    has_more: bool
    next_cursor: Annotated[str, Field(pattern=CURSOR)] | None
    """Where the list goes on, as `cursor`; null on the last page."""
    data: list[WebhookDelivery]


_ENDPOINT: Final[dict[str, Any]] = {
    "id": "5b3f0c2a9d1e4f6f8a7b6c5d4e3f2a1b",
    "url": "https://crm.example/calls",
    "state": "enabled",
    "failing_since": None,
    "failures": 0,
    "disabled_at": None,
    "disabled_reason": None,
    "old_secret_until": None,
    "created_at": "2024-01-23T01:10:00Z",
}
_SUBJECT: Final = "4c06b4d1-4096-4561-919a-4f94539c8d4a"
_DELIVERY: Final[dict[str, Any]] = {
    "id": f"{_SUBJECT}-6",
    "kind": "execution",
    "subject_id": _SUBJECT,
    "event": "completed",
    "position": 6,
    "endpoint_id": _ENDPOINT["id"],
    "url": _ENDPOINT["url"],
    "state": "waiting",
    "under_way": False,
    "tries": 1,
    "next_try_at": "2024-01-23T01:15:25Z",
    "last_try_at": "2024-01-23T01:15:20Z",
    "last_code": 503,
    "last_error": "The receiver answered 503.",
    "ended_at": None,
    "created_at": "2024-01-23T01:15:20Z",
}
WEBHOOK_EXAMPLES: Final[dict[str, Any]] = {
    "EndpointPatch": {"state": "enabled"},
    "WebhookEndpoint": _ENDPOINT,
    "WebhookEndpointPage": {"page_size": 100, "has_more": False, "next_cursor": None, "data": [_ENDPOINT]},
    "WebhookSecret": {
        "endpoint_id": _ENDPOINT["id"],
        "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "old_secret_until": None,
    },
    "WebhookDelivery": _DELIVERY,
    "WebhookDeliveryPage": {"page_size": 50, "has_more": False, "next_cursor": None, "data": [_DELIVERY]},
}
