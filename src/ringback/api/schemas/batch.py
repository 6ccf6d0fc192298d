"""Batches: what is asked and what is answered (contract 9)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from ringback.agents.validation import Part, Url
from ringback.api.body import parse
from ringback.api.calls import AgentId, Moment, PhoneNumber, RetryConfig
from ringback.api.errors import ApiError
from ringback.api.schemas.fields import BatchId, Count, Data, Id, Link, Number, Shape, Timestamp
from ringback.executions.lifecycle import Status

MAX_NUMBERS = 100

BatchStatus = Literal["created", "processed", "scheduled", "running", "completed", "stopped", "failed"]


def _retry_config(value: Any) -> RetryConfig:
    if isinstance(value, str):
        try:
            value = parse(value.encode(), "it")
        except ApiError as error:
            raise PydanticCustomError("json", "must be JSON: {why}", {"why": error.message}) from None
    return RetryConfig.model_validate(value)


def _once_each(numbers: list[str]) -> list[str]:
    return list(dict.fromkeys(numbers))


Flag = Annotated[bool, Field(strict=False)]
"""Forms send `true` and `false` as texts."""


class BatchRequest(Part):
    """The form of POST /batches. Unknown fields are ignored."""

    agent_id: AgentId
    file: Annotated[
        Any,
        WithJsonSchema(
            {
                "type": "string",
                "format": "binary",
                "description": "CSV in UTF-8 with a header. `contact_number` holds the numbers in E.164 form; the "
                "other columns are the prompt's variables.",
            }
        ),
    ]
    from_phone_numbers: Annotated[
        list[PhoneNumber], Field(max_length=MAX_NUMBERS), AfterValidator(_once_each)
    ] = Field(
        default_factory=list,
        description="Yours, taken in turn; repeat the field for several. Without it: the account's.",
    )
    from_phone_number: Annotated[
        PhoneNumber | None, Field(deprecated=True, description="One of them, as older clients send it.")
    ] = None
    retry_config: Annotated[
        RetryConfig | None,
        PlainValidator(_retry_config),
        WithJsonSchema({"type": "string", "description": "A `RetryConfig` as JSON."}),
    ] = None
    webhook_url: Url | None = None
    dial_once: Flag = Field(
        True, description="A number that stands in the file several times is called for its first line only."
    )


class ScheduleRequest(Part):
    """When a batch begins: a form or JSON. Unknown fields are ignored."""

    scheduled_at: Moment
    bypass_call_guardrails: Flag = Field(False, description="Call also outside the agent's calling hours.")


class BatchCreated(Shape):
    batch_id: BatchId
    state: Literal["created"]


class BatchScheduled(Shape):
    message: Literal["success"]
    state: Literal["scheduled"]
    scheduled_at: Timestamp
    """As applied."""


class BatchDone(Shape):
    message: Literal["success"]
    state: Literal["stopped", "deleted"]


class Batch(Shape):
    """A batch, its file as far as it was read, and its executions by their status, exactly."""

    batch_id: BatchId
    agent_id: Id
    humanized_created_at: str
    """As `5 minutes ago`."""
    created_at: Timestamp
    updated_at: Timestamp
    status: BatchStatus
    state: BatchStatus
    """The same."""
    scheduled_at: Timestamp | None
    from_phone_number: Annotated[Number | None, Field(deprecated=True)]
    """The first of `from_phone_numbers`."""
    from_phone_numbers: list[Number]
    """Taken in turn."""
    file_name: str
    total_contacts: Count
    """Lines of the file, but for its header and empty ones."""
    valid_contacts: Count
    """Lines that are dialled."""
    duplicate_contacts: Count
    """Lines whose number stands in an earlier one."""
    execution_status: dict[Status, Count]
    """Without those that no execution has."""
    queued_count: Count
    """prepared, scheduled, rescheduled and queued"""
    in_progress_count: Count
    """initiated, ringing, in-progress and call-disconnected"""
    completed_count: Count
    failed_count: Count
    """failed and error"""
    no_answer_count: Count
    busy_count: Count
    retry_config: RetryConfig | None
    webhook_url: Link | None
    bypass_call_guardrails: bool
    dial_once: bool
    paused: bool
    """Nothing of it is dialled until it is scheduled again."""
    paused_reason: str | None
    failure: str | None
    """Why its file could not be read."""


BATCH_EXAMPLE: Data = {
    "batch_id": "baab7cdc833145bf8dd260ff1f0a3f21",
    "agent_id": "3c90c3cc-0d44-4b50-8888-8dd25736052a",
    "humanized_created_at": "5 minutes ago",
    "created_at": "2024-01-23T01:14:37Z",
    "updated_at": "2024-01-23T01:19:37Z",
    "status": "running",
    "state": "running",
    "scheduled_at": "2024-01-23T01:17:00Z",
    "from_phone_number": "+14155550100",
    "from_phone_numbers": ["+14155550100", "+14155550101"],
    "file_name": "people.csv",
    "total_contacts": 11,
    "valid_contacts": 7,
    "duplicate_contacts": 1,
    "execution_status": {"prepared": 4, "ringing": 1, "in-progress": 1, "completed": 1},
    "queued_count": 4,
    "in_progress_count": 2,
    "completed_count": 1,
    "failed_count": 0,
    "no_answer_count": 0,
    "busy_count": 0,
    "retry_config": None,
    "webhook_url": "https://crm.example/batches",
    "bypass_call_guardrails": False,
    "dial_once": True,
    "paused": False,
    "paused_reason": None,
    "failure": None,
}
