"""What came of requests, written to the outbox and to the endpoints."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from ringback.store.database import Row, Transaction
from ringback.store.queries import webhook_deliveries, webhook_endpoints
from ringback.store.queries.webhook_deliveries import Key
from ringback.webhooks import policy
from ringback.webhooks.policy import Failure, Health, Next

EndpointKey: TypeAlias = tuple[str, str]
"""Account and id."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A delivery under way."""

    endpoint: EndpointKey
    key: Key
    tries: int
    """With this one."""
    first_try_at: int | None
    """None: this is it."""
    lease_until: int
    down: bool
    """Its endpoint failed again and again before."""

    @property
    def account_id(self) -> str:
        return self.endpoint[0]


@dataclass(frozen=True, slots=True)
class Landed:
    """A delivery of which something came."""

    sent: Sent
    outcome: int | Failure
    """The status of the answer, a 2xx."""
    at_us: int


async def written(
    tx: Transaction, landed: Sequence[Landed], now_us: int, chance: Callable[[], float]
) -> None:
    """Write what came of them, each in its time. Endpoints are locked first, in the order of their ids."""
    if not landed:
        return
    disabled = {
        key
        for key in sorted({one.sent.endpoint for one in landed})
        if await _judged(tx, key, [one.outcome for one in landed if one.sent.endpoint == key], now_us)
    }
    await webhook_deliveries.delivered(
        tx, [_row(one.sent, one.outcome, one.at_us) for one in landed if isinstance(one.outcome, int)]
    )
    for one in landed:
        if isinstance(one.outcome, Failure):
            await _failed(tx, one.sent, one.outcome, one.sent.endpoint in disabled, now_us, chance())


async def _judged(tx: Transaction, key: EndpointKey, outcomes: Sequence[int | Failure], now_us: int) -> bool:
    """How the endpoint does after these. True: it is disabled."""
    if not any(isinstance(outcome, Failure) for outcome in outcomes):
        await webhook_endpoints.succeeded(tx, *key)
        return False
    row = await webhook_endpoints.lock(tx, *key)
    if row is None:
        return False
    health, why = _health(row), ""
    for outcome in outcomes:
        if isinstance(outcome, Failure):
            health, why = policy.after_failure(health, outcome, now_us), outcome.error
        else:
            health = Health()
    await webhook_endpoints.failed(
        tx,
        *key,
        since_us=health.failing_since,
        failures=health.failures,
        paused_until_us=health.paused_until,
    )
    if health.disabled:
        await webhook_endpoints.disable(
            tx, *key, why=f"No delivery succeeded for three days; at last: {why}", now_us=now_us
        )
    return health.disabled or row["state"] == "disabled"


def _health(row: Row) -> Health:
    return Health(row["failing_since"], row["failures"], row["paused_until"])


async def _failed(
    tx: Transaction, sent: Sent, failure: Failure, disabled: bool, now_us: int, chance: float
) -> None:
    first = sent.first_try_at or now_us
    then = policy.after_try(failure, tries=sent.tries, first_try_at=first, now_us=now_us, chance=chance)
    if disabled:
        # It waits for the user, who enables the endpoint.
        then = Next("waiting", now_us, failure.error)
    held = await webhook_deliveries.failed(
        tx,
        sent.account_id,
        sent.key,
        lease_us=sent.lease_until,
        state=then.state,
        due_us=then.due_at,
        code=failure.code,
        error=then.error,
        now_us=now_us,
    )
    if held and then.state == "waiting":
        await webhook_deliveries.put_off(tx, *sent.endpoint, sent.key, due_us=then.due_at)


def _row(sent: Sent, code: int, at_us: int) -> dict[str, object]:
    return {
        "account_id": sent.account_id,
        **sent.key._asdict(),
        "lease": sent.lease_until,
        "at": at_us,
        "code": code,
    }
