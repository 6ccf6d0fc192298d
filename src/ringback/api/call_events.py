"""Sending events into live calls (contract 8)."""

from __future__ import annotations

import json
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import AfterValidator, BaseModel, Field
from pydantic_core import PydanticCustomError

from ringback.agents.validation import Part, check
from ringback.api.auth import AccountId
from ringback.api.body import JsonObject, body_of
from ringback.api.errors import ApiError, responses
from ringback.api.services import ServicesDep
from ringback.dialing.call_events import MOST_WAITING, NoActiveCall, TooManyWaiting

router = APIRouter(tags=["Calls"], responses=responses(400, 401, 404))

_MOST_BYTES: Final = 16_384


def _small(properties: dict[str, Any]) -> dict[str, Any]:
    if len(json.dumps(properties, ensure_ascii=False).encode()) > _MOST_BYTES:
        raise PydanticCustomError("too_large", f"must be at most {_MOST_BYTES} bytes of JSON")
    return properties


class CallEventRequest(Part):
    """Body of POST /v1/call/{run_id}/events. Unknown keys are ignored."""

    event: Annotated[str, Field(min_length=1, max_length=200)]
    properties: Annotated[dict[str, Any], AfterValidator(_small)] = Field(default_factory=dict)


class EventAccepted(BaseModel):
    status: Literal["accepted"]
    event: str
    run_id: UUID


@router.post(
    "/v1/call/{run_id}/events",
    status_code=202,
    responses=responses(413),
    openapi_extra=body_of("CallEventRequest"),
)
async def send_event(
    run_id: UUID, account: AccountId, body: JsonObject, services: ServicesDep
) -> EventAccepted:
    """Tell a live call that something happened: its agent may go on elsewhere or say something.

    Events of a call arrive in order, each at most once. A 429 also says that too many of this call still wait.
    """
    request = check(CallEventRequest, body)
    try:
        await services.call_events.send(account, str(run_id), request.event, request.properties)
    except NoActiveCall:
        raise ApiError(404, "No active call found for this run_id") from None
    except TooManyWaiting:
        message = f"{MOST_WAITING} events of this call are waiting already; send this one again in a moment"
        raise ApiError(429, message, headers={"Retry-After": "1"}) from None
    return EventAccepted(status="accepted", event=request.event, run_id=run_id)
