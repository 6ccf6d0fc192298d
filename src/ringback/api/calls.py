"""Placing and stopping calls (contract 8), and what their fields are made of."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import AfterValidator, BaseModel, Field
from pydantic_core import PydanticCustomError

from ringback.accounts.idempotency import Answer
from ringback.agents.validation import Name, Part, Whole, check
from ringback.api.auth import AccountId
from ringback.api.body import JsonObject, body_of
from ringback.api.errors import ApiError, responses
from ringback.api.idempotency import KeyDep, answered, asked
from ringback.api.services import ServicesDep
from ringback.api.times import parse_iso
from ringback.dialing.queue import NewCall, NoFromNumber, NotStoppable
from ringback.store.database import Transaction

router = APIRouter(tags=["Calls"], responses=responses(400, 401, 404))

_LEAST_AHEAD_US = 120 * 1_000_000


def _e164(value: str) -> str:
    digits = value[1:]
    if not (value.startswith("+") and digits.isascii() and digits.isdecimal() and 2 <= len(digits) <= 15):
        raise PydanticCustomError("e164", "must be a phone number in E.164 form, such as +14155550123")
    if digits.startswith("0"):
        raise PydanticCustomError("e164", "must be in E.164 form: a country code does not begin with 0")
    return value


def _uuid(value: str) -> str:
    try:
        return str(UUID(value))
    except ValueError:
        raise PydanticCustomError("uuid", "must be a UUID") from None


def _moment(value: str) -> str:
    try:
        parse_iso(value)
    except ValueError:
        raise PydanticCustomError(
            "moment", "must be an ISO 8601 time, such as 2026-06-05T16:35:00+05:30"
        ) from None
    return value


AgentId = Annotated[str, AfterValidator(_uuid), Field(json_schema_extra={"format": "uuid"})]
Moment = Annotated[str, AfterValidator(_moment), Field(json_schema_extra={"format": "date-time"})]
Retried = Literal["no-answer", "busy", "failed", "error"]
_RETRIED: tuple[Retried, ...] = ("no-answer", "busy", "failed")
Minutes = Annotated[Whole, Field(ge=1, le=10_080)]
PhoneNumber = Annotated[
    str, AfterValidator(_e164), Field(json_schema_extra={"pattern": r"^\+[1-9][0-9]{1,14}$"})
]


class RetryConfig(Part):
    """When a call that did not reach anybody is dialled again."""

    enabled: bool = False
    max_retries: Annotated[Whole, Field(ge=1, le=3)] = 3
    retry_on_statuses: list[Retried] = Field(default_factory=lambda: list(_RETRIED))
    retry_on_voicemail: bool = False
    retry_intervals_minutes: list[Minutes] = Field(
        default_factory=lambda: [30, 60, 120], min_length=1, max_length=10
    )

    def stored(self) -> dict[str, Any]:
        """What we know of it, with its defaults."""
        return self.model_dump(include=set(RetryConfig.model_fields))


class AgentData(Part):
    """What a call may change of its agent."""

    voice_id: Name | None = None


class CallRequest(Part):
    """Body of POST /call. Unknown keys are ignored."""

    agent_id: AgentId
    recipient_phone_number: PhoneNumber
    from_phone_number: PhoneNumber | None = None
    scheduled_at: Moment | None = None
    user_data: dict[str, Any] | None = None
    agent_data: AgentData | None = None
    retry_config: RetryConfig | None = None
    bypass_call_guardrails: bool = False


class Placed(BaseModel):
    message: Literal["done"]
    status: Literal["queued"]
    execution_id: UUID
    run_id: UUID = Field(description="The same as execution_id.")


class CallStopped(BaseModel):
    message: Literal["done"]
    status: Literal["stopped"]
    execution_id: UUID


@router.post(
    "/call",
    responses={200: {"model": Placed}, **responses(409, 413)},
    openapi_extra=body_of("CallRequest"),
)
async def place_call(
    account: AccountId, request: Request, key: KeyDep, body: JsonObject, services: ServicesDep
) -> Response:
    """Call a person, now or at `scheduled_at` (at least two minutes ahead; without an offset it is UTC).

    Outside the agent's calling hours, in the person's time zone, the call waits for the next ones;
    `bypass_call_guardrails` calls all the same.
    """
    call = check(CallRequest, body)
    once = asked(key, request, body)
    # Before what depends on the moment: the same request is answered as it was when it was new.
    if earlier := await services.idempotency.earlier(account, once):
        return answered(earlier)
    scheduled_at = ahead(call.scheduled_at, services.clock.now_us()) if call.scheduled_at else None
    await services.agents.require(account, call.agent_id)

    async def place(tx: Transaction) -> Answer:
        run = UUID(await services.calls.place(_new_call(account, call, scheduled_at), tx=tx))
        placed = Placed(message="done", status="queued", execution_id=run, run_id=run)
        return Answer(200, placed.model_dump_json())

    try:
        answer = await services.idempotency.once(account, once, place)
    except NoFromNumber as error:
        raise ApiError(400, str(error)) from None
    await services.calls.wake()
    return answered(answer)


def ahead(scheduled_at: str, now_us: int) -> int:
    """Microseconds of a moment that is far enough ahead. Raises ApiError(400)."""
    at = parse_iso(scheduled_at)
    if at < now_us + _LEAST_AHEAD_US:
        raise ApiError(400, "Scheduled time should be atleast 2 minutes in the future")
    return at


def _new_call(account: str, request: CallRequest, scheduled_at: int | None) -> NewCall:
    retry, agent_data = request.retry_config, request.agent_data
    return NewCall(
        account_id=account,
        agent_id=request.agent_id,
        to_number=request.recipient_phone_number,
        from_number=request.from_phone_number,
        scheduled_at_us=scheduled_at,
        user_data=request.user_data or {},
        agent_data={"voice_id": agent_data.voice_id} if agent_data and agent_data.voice_id else {},
        retry_config=retry.stored() if retry else None,
        bypass_guardrails=request.bypass_call_guardrails,
    )


@router.post("/call/{execution_id}/stop")
async def stop_call(execution_id: UUID, account: AccountId, services: ServicesDep) -> CallStopped:
    """Stop a call that is queued, scheduled or still ringing; a live or finished one is refused with 400."""
    try:
        await services.calls.stop(account, str(execution_id))
    except NotStoppable as error:
        raise ApiError(400, str(error)) from None
    return CallStopped(message="done", status="stopped", execution_id=execution_id)
