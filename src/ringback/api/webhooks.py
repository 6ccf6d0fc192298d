"""Webhooks: where they go, their secrets, what became of them (ours; Bolna has none of it)."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query

from ringback.agents.validation import check
from ringback.api.auth import AccountId
from ringback.api.body import JsonObject, body_of
from ringback.api.errors import ApiError, responses
from ringback.api.schemas.fields import Id
from ringback.api.schemas.webhook import (
    CURSOR,
    DELIVERY_ID,
    EndpointPatch,
    WebhookDelivery,
    WebhookDeliveryPage,
    WebhookEndpoint,
    WebhookEndpointPage,
    WebhookSecret,
)
from ringback.api.services import ServicesDep
from ringback.api.times import iso
from ringback.webhooks.deliveries import NEWEST, Delivery, DeliveryState, Place, UnknownDelivery
from ringback.webhooks.endpoints import Endpoint, Secret, UnknownEndpoint

router = APIRouter(tags=["Webhooks"], responses=responses(400, 401))

_NONE_OF_THEIRS = responses(404)
DeliveryIdInPath = Annotated[str, Path(pattern=DELIVERY_ID)]


@router.get("/webhooks/endpoints", responses={200: {"model": WebhookEndpointPage}})
async def list_endpoints(
    account: AccountId,
    services: ServicesDep,
    page_size: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: Annotated[UUID | None, Query(description="`next_cursor` of a page.")] = None,
) -> WebhookEndpointPage:
    """The URLs that the account's agents and batches have named as webhooks, a page at a time; go on while
    `has_more`."""
    found = await services.endpoints.after(account, cursor.hex if cursor else "", page_size + 1)
    shown, has_more = found[:page_size], len(found) > page_size
    return WebhookEndpointPage(
        page_size=page_size,
        has_more=has_more,
        next_cursor=shown[-1].id if has_more else None,
        data=[_endpoint(one) for one in shown],
    )


@router.get(
    "/webhooks/endpoints/{endpoint_id}", responses={200: {"model": WebhookEndpoint}, **_NONE_OF_THEIRS}
)
async def get_endpoint(endpoint_id: UUID, account: AccountId, services: ServicesDep) -> WebhookEndpoint:
    """One of them."""
    try:
        return _endpoint(await services.endpoints.get(account, endpoint_id.hex))
    except UnknownEndpoint:
        raise _no_endpoint(endpoint_id) from None


@router.patch(
    "/webhooks/endpoints/{endpoint_id}",
    responses={200: {"model": WebhookEndpoint}, **responses(404, 413)},
    openapi_extra=body_of("EndpointPatch"),
)
async def patch_endpoint(
    endpoint_id: UUID, account: AccountId, body: JsonObject, services: ServicesDep
) -> WebhookEndpoint:
    """Enable an endpoint, or disable it. Enabled, it gets all that has waited, in its order, and three days for each of
    it; disabled, it gets nothing, and what is told waits for seven days."""
    wanted = check(EndpointPatch, body)
    try:
        return _endpoint(await services.endpoints.set_state(account, endpoint_id.hex, wanted.state))
    except UnknownEndpoint:
        raise _no_endpoint(endpoint_id) from None


@router.get(
    "/webhooks/endpoints/{endpoint_id}/secret", responses={200: {"model": WebhookSecret}, **_NONE_OF_THEIRS}
)
async def get_secret(endpoint_id: UUID, account: AccountId, services: ServicesDep) -> WebhookSecret:
    """What this endpoint's webhooks are signed with. No list shows it."""
    try:
        return _secret(endpoint_id, await services.endpoints.secret(account, endpoint_id.hex))
    except UnknownEndpoint:
        raise _no_endpoint(endpoint_id) from None


@router.post(
    "/webhooks/endpoints/{endpoint_id}/secret", responses={200: {"model": WebhookSecret}, **_NONE_OF_THEIRS}
)
async def rotate_secret(endpoint_id: UUID, account: AccountId, services: ServicesDep) -> WebhookSecret:
    """Make a new secret. For a day messages are signed with both; rotate twice to be rid of the old one at once."""
    try:
        return _secret(endpoint_id, await services.endpoints.rotate(account, endpoint_id.hex))
    except UnknownEndpoint:
        raise _no_endpoint(endpoint_id) from None


@router.get("/webhooks/deliveries", responses={200: {"model": WebhookDeliveryPage}})
async def list_deliveries(
    account: AccountId,
    services: ServicesDep,
    execution_id: Annotated[Id | None, Query(description="Of this execution only.")] = None,
    batch_id: Annotated[UUID | None, Query(description="Of this batch itself only.")] = None,
    endpoint_id: Annotated[UUID | None, Query(description="To this endpoint only.")] = None,
    state: Annotated[DeliveryState | None, Query(description="In this state only.")] = None,
    page_size: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(pattern=CURSOR, description="`next_cursor` of a page.")] = None,
) -> WebhookDeliveryPage:
    """What was sent, waits or was given up, newest first: of the last 7 days what was delivered, of 30 what was given
    up. Payloads are not shown."""
    if execution_id is not None and batch_id is not None:
        raise ApiError(400, "execution_id and batch_id exclude each other")
    subject = (
        str(execution_id) if execution_id is not None else batch_id.hex if batch_id is not None else None
    )
    found = await services.deliveries.newest(
        account,
        subject=subject,
        endpoint_id=endpoint_id.hex if endpoint_id else None,
        state=state,
        before=_place(cursor) if cursor else NEWEST,
        limit=page_size + 1,
    )
    shown, has_more = found[:page_size], len(found) > page_size
    return WebhookDeliveryPage(
        page_size=page_size,
        has_more=has_more,
        next_cursor="-".join(map(str, shown[-1].place)) if has_more else None,
        data=[_delivery(one) for one in shown],
    )


@router.post(
    "/webhooks/deliveries/{delivery_id}/replay",
    responses={200: {"model": WebhookDelivery}, **_NONE_OF_THEIRS},
)
async def replay_delivery(
    delivery_id: DeliveryIdInPath, account: AccountId, services: ServicesDep
) -> WebhookDelivery:
    """Send a webhook (again), with the same id and the same payload, also one that was delivered or given up. If its
    endpoint is disabled, it waits for that."""
    try:
        return _delivery(await services.deliveries.replay(account, delivery_id))
    except UnknownDelivery:
        raise ApiError(404, f"There is no delivery {delivery_id}") from None


def _no_endpoint(endpoint_id: UUID) -> ApiError:
    return ApiError(404, f"There is no endpoint {endpoint_id.hex}")


def _place(cursor: str) -> Place:
    created_at, _, rest = cursor.partition("-")
    subject, _, position = rest.rpartition("-")
    return Place(int(created_at), subject, int(position))


def _at(us: int | None) -> str | None:
    return None if us is None else iso(us)


def _endpoint(endpoint: Endpoint) -> WebhookEndpoint:
    return WebhookEndpoint(
        id=endpoint.id,
        url=endpoint.url,
        state=endpoint.state,
        failing_since=_at(endpoint.failing_since),
        failures=endpoint.failures,
        disabled_at=_at(endpoint.disabled_at),
        disabled_reason=endpoint.disabled_why,
        old_secret_until=_at(endpoint.old_secret_until),
        created_at=iso(endpoint.created_at),
    )


def _secret(endpoint_id: UUID, secret: Secret) -> WebhookSecret:
    return WebhookSecret(
        endpoint_id=endpoint_id.hex, secret=secret.text, old_secret_until=_at(secret.old_until)
    )


def _delivery(delivery: Delivery) -> WebhookDelivery:
    return WebhookDelivery(
        id=delivery.id,
        kind=delivery.kind,
        subject_id=delivery.key.subject,
        event=delivery.event,
        position=delivery.key.position,
        endpoint_id=delivery.endpoint_id,
        url=delivery.url,
        state=delivery.state,
        under_way=delivery.under_way,
        tries=delivery.tries,
        next_try_at=iso(delivery.due_at) if delivery.state == "waiting" else None,
        last_try_at=_at(delivery.last_try_at),
        last_code=delivery.last_code,
        last_error=delivery.last_error,
        ended_at=_at(delivery.ended_at),
        created_at=iso(delivery.created_at),
    )
