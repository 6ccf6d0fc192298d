"""Batches: a file of people to call (contract 9)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from ringback.accounts.idempotency import Answer, KeyReused
from ringback.agents.registry import UnknownAgent
from ringback.agents.validation import check
from ringback.api.auth import AccountId
from ringback.api.body import body_of, json_object
from ringback.api.calls import ahead
from ringback.api.errors import ApiError, responses
from ringback.api.idempotency import KeyDep, answered, asked
from ringback.api.schemas.batch import (
    Batch,
    BatchCreated,
    BatchDone,
    BatchRequest,
    BatchScheduled,
    ScheduleRequest,
)
from ringback.api.services import Services, ServicesDep
from ringback.api.times import iso
from ringback.api.upload import FORM, URL_ENCODED, Form, Upload, in_thread, is_form, received, url_encoded
from ringback.dialing import csv_lines
from ringback.dialing.batch_record import rendered
from ringback.dialing.batches import NewBatch, NotRunning
from ringback.dialing.queue import NoFromNumber
from ringback.executions.export.csv_file import opening, row
from ringback.store.database import Transaction

router = APIRouter(tags=["Batches"], responses=responses(400, 401, 404))

_FURTHEST_US: Final = 30 * 24 * 3600 * 1_000_000
_MINUTE_US: Final = 60 * 1_000_000
_CHUNK: Final = 65_536
_NUMBERS: Final = "from_phone_numbers"
_OLD_NUMBER: Final = "from_phone_number"


# Making one


@router.post(
    "/batches",
    status_code=201,
    responses={201: {"model": BatchCreated}, **responses(409, 413)},
    openapi_extra=body_of("BatchRequest", FORM),
)
async def create_batch(request: Request, account: AccountId, key: KeyDep, services: ServicesDep) -> Response:
    """Upload a file of people to call. They are called once the batch is scheduled.

    The answer comes before the lines are read: until then the batch is `created`, then `processed`, or `failed`.
    Lines that cannot be called are counted, and listed by `GET /batches/{batch_id}/bad-lines`.
    """
    async with received(
        request,
        file="file",
        folder=services.uploads,
        max_bytes=services.max_batch_bytes,
        stopping=services.stopping,
    ) as form:
        asked_for = check(BatchRequest, _fields(form))
        upload: Upload = asked_for.file
        once = asked(key, request, form.fields, upload.size, upload.digest)
        if earlier := await services.idempotency.earlier(account, once):
            return answered(earlier)
        await services.agents.require(account, asked_for.agent_id)
        await in_thread(_look_into, upload.path)
        new = _new_batch(account, asked_for)

        async def create(tx: Transaction) -> Answer:
            await services.batches.create(tx, new)
            return Answer(201, BatchCreated(batch_id=new.id, state="created").model_dump_json())

        # Before the commit: from then on somebody reads it. If that goes wrong, it is not known whether it happened.
        await in_thread(upload.place)
        try:
            answer = await services.idempotency.once(account, once, create)
        except (NoFromNumber, LookupError, KeyReused) as error:
            upload.discard()
            if isinstance(error, NoFromNumber):
                raise ApiError(400, str(error)) from None
            if isinstance(error, LookupError):  # deleted a moment ago
                raise UnknownAgent(asked_for.agent_id) from None
            raise
        if answer.replayed:
            upload.discard()
    await services.batches.wake()
    return answered(answer)


def _fields(form: Form) -> dict[str, Any]:
    """What was sent, for its model: texts, but for the numbers, which may be several, and the file."""
    known = BatchRequest.model_fields.keys() & form.fields.keys() - {_NUMBERS, _OLD_NUMBER}
    given: dict[str, Any] = {name: form.one(name) for name in known}
    given[_NUMBERS] = form.fields.get(_NUMBERS) or form.fields.get(_OLD_NUMBER, [])
    if form.upload is not None:
        given["file"] = form.upload
    return given


def _new_batch(account: str, asked_for: BatchRequest) -> NewBatch:
    return NewBatch(
        account_id=account,
        id=asked_for.file.id,
        agent_id=asked_for.agent_id,
        file_name=asked_for.file.name or "batch.csv",
        from_numbers=tuple(asked_for.from_phone_numbers),
        retry_config=asked_for.retry_config.stored() if asked_for.retry_config else None,
        webhook_url=asked_for.webhook_url,
        dial_once=asked_for.dial_once,
    )


def _look_into(path: Path) -> None:
    """Refuse a file of which nothing can be read. Raises ApiError(400)."""
    with path.open("rb") as file:
        try:
            first = next(csv_lines.lines(iter(lambda: file.read(_CHUNK), b"")), None)
        except csv_lines.BadFile as error:
            raise ApiError(400, f"file: {error}") from None
    if first is None:
        raise ApiError(400, "file: There is no line after the header")


# What becomes of it


@router.post(
    "/batches/{batch_id}/schedule",
    responses={200: {"model": BatchScheduled}, **responses(413)},
    openapi_extra=body_of("ScheduleRequest", "application/json", FORM),
)
async def schedule_batch(
    batch_id: UUID, request: Request, account: AccountId, services: ServicesDep
) -> BatchScheduled:
    """Let a batch begin, two minutes to thirty days from now (without an offset the time is UTC); also while its file
    is still being read. Schedule a paused batch again to let it go on."""
    wanted = check(ScheduleRequest, await _form_or_json(request, account))
    now_us = services.clock.now_us()
    at_us = ahead(wanted.scheduled_at, now_us)
    if at_us > now_us + _FURTHEST_US:
        raise ApiError(400, "Scheduled time should be at most 30 days in the future")
    at_us = _rounded_up(at_us, services.round_minutes * _MINUTE_US)
    try:
        batch = await services.batches.schedule(account, batch_id.hex, at_us, wanted.bypass_call_guardrails)
    except NotRunning as error:
        raise ApiError(400, str(error)) from None
    return BatchScheduled(message="success", state="scheduled", scheduled_at=iso(batch.scheduled_at or at_us))


def _rounded_up(at_us: int, step_us: int) -> int:
    return -(-at_us // step_us) * step_us if step_us else at_us


async def _form_or_json(request: Request, account: str) -> dict[str, Any]:
    if is_form(request):
        async with received(request) as form:
            return {name: form.one(name) for name in form.fields if name in ScheduleRequest.model_fields}
    if is_form(request, URL_ENCODED):
        return await url_encoded(request)
    return await json_object(request, account)


@router.post("/batches/{batch_id}/stop", responses={200: {"model": BatchDone}})
async def stop_batch(batch_id: UUID, account: AccountId, services: ServicesDep) -> BatchDone:
    """Stop a batch: nothing of it is dialled after the answer, and what rings is cancelled. Calls in which somebody
    is talking go on."""
    try:
        await services.batches.stop(account, batch_id.hex)
    except NotRunning:
        raise ApiError(404, "Batch is not queued or running") from None
    return BatchDone(message="success", state="stopped")


@router.delete("/batches/{batch_id}", responses={200: {"model": BatchDone}})
async def delete_batch(batch_id: UUID, account: AccountId, services: ServicesDep) -> BatchDone:
    """Stop a batch and forget it. Its executions stay in the lists of its agent."""
    await services.batches.delete(account, batch_id.hex)
    return BatchDone(message="success", state="deleted")


# Looking at it


@router.get("/batches/{agent_id}/all", responses={200: {"model": list[Batch]}})
async def list_batches(agent_id: UUID, account: AccountId, services: ServicesDep) -> Response:
    """All batches of an agent, newest first, as an array."""
    await services.agents.require(account, str(agent_id))
    return StreamingResponse(_array(services, account, str(agent_id)), media_type="application/json")


async def _array(services: Services, account: str, agent_id: str) -> AsyncIterator[bytes]:
    opening, now_us = b"[", services.clock.now_us()
    async for view in services.batches.all(account, agent_id):
        yield opening + json.dumps(rendered(view, now_us), ensure_ascii=False, separators=(",", ":")).encode()
        opening = b","
    yield b"[]" if opening == b"[" else b"]"


@router.get("/batches/{batch_id}", responses={200: {"model": Batch}})
async def get_batch(batch_id: UUID, account: AccountId, services: ServicesDep) -> Response:
    """A batch and how far it is."""
    view = await services.batches.get(account, batch_id.hex)
    shown = rendered(view, services.clock.now_us())
    return Response(json.dumps(shown, ensure_ascii=False), media_type="application/json")


_FILE: Final[dict[str, Any]] = {
    "description": "The file",
    "headers": {
        "Content-Disposition": {"schema": {"type": "string"}, "required": True, "description": "Its name."}
    },
    "content": {"text/csv": {"schema": {"type": "string"}}},
}


@router.get("/batches/{batch_id}/bad-lines", response_class=StreamingResponse, responses={200: _FILE})
async def get_bad_lines(batch_id: UUID, account: AccountId, services: ServicesDep) -> Response:
    """Lines of a batch's file that are not dialled, as CSV: `line` (from 1, the header's), `contact_number` and
    `reason`; the first 100,000 of them."""
    await services.batches.agent_of(account, batch_id.hex)
    name = f'attachment; filename="bad-lines-{batch_id.hex}.csv"'
    return StreamingResponse(
        _bad_lines(services, account, batch_id.hex),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": name},
    )


async def _bad_lines(services: Services, account: str, batch_id: str) -> AsyncIterator[bytes]:
    yield opening(["line", "contact_number", "reason"])
    async for fault in services.batches.faults(account, batch_id):
        yield row([str(fault.line), fault.number or "", fault.reason])
