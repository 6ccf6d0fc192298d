"""SQL for deliveries of webhooks: what is due, what became of it, and the log that clients see."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from ringback.store.database import Reader, Row, Transaction


class Key(NamedTuple):
    """Of a delivery in its account."""

    subject: str
    position: int


class Place(NamedTuple):
    """In the log, newest first."""

    created_at: int
    subject: str
    position: int


NEWEST: Final = Place(2**62, "", 0)

_SHOWN: Final = """
SELECT d.subject, d.position, d.kind, d.event, d.endpoint_id, e.url, d.state, d.due_at, d.lease_until, d.tries,
  d.first_try_at, d.last_try_at, d.last_code, d.last_error, d.ended_at, d.created_at
FROM webhook_deliveries d JOIN webhook_endpoints e ON e.account_id = d.account_id AND e.id = d.endpoint_id
WHERE d.account_id = :account_id
"""
_THIS: Final = "subject = :subject AND position = :position"
# Where the subject is given. As a plain comparison PostgreSQL, as long as it knows nothing of the table, would look it
# up among all that waits for the endpoint.
_WAITS: Final = "CASE {}state WHEN 'waiting' THEN 1 ELSE 0 END = 1"
_MOST_BEFORE: Final = 1000
"""Of one subject, whose statuses are some dozens."""
_FREE: Final = "(lease_until IS NULL OR lease_until <= :now)"


# Delivering


async def claim(
    tx: Transaction, account_id: str, endpoint_id: str, *, now_us: int, until_us: int, limit: int
) -> list[Row]:
    """subject, position, kind, event, payload, tries, first_try_at and created_at of deliveries that are due, and ours
    until then: of each subject the first that waits for the endpoint, so that none overtakes another."""
    # The position is looked up for each row: a join might read all that waits.
    rows = await tx.fetch_all(
        f"""
        SELECT subject, position, kind, event, payload, tries, first_try_at, created_at FROM webhook_deliveries d
        WHERE account_id = :account_id AND endpoint_id = :endpoint_id AND state = 'waiting' AND due_at <= :now
          AND position = (
            SELECT MIN(position) FROM webhook_deliveries before
            WHERE before.account_id = d.account_id AND before.subject = d.subject
              AND before.endpoint_id = d.endpoint_id AND {_WAITS.format("before.")}
          )
        ORDER BY due_at LIMIT :limit FOR UPDATE SKIP LOCKED
        """,
        account_id=account_id,
        endpoint_id=endpoint_id,
        now=now_us,
        limit=limit,
    )
    await tx.execute_many(
        f"""
        UPDATE webhook_deliveries SET due_at = :until, lease_until = :until
        WHERE account_id = :account_id AND {_THIS}
        """,
        [
            {
                "account_id": account_id,
                "subject": row["subject"],
                "position": row["position"],
                "until": until_us,
            }
            for row in rows
        ],
    )
    return rows


async def delivered(tx: Transaction, rows: Sequence[dict[str, Any]]) -> None:
    """Each has account_id, subject, position, the `lease` that it was sent under, the moment `at` and the `code`. Whose
    lease is somebody else's by now is left alone: it is sent again."""
    await tx.execute_many(
        f"""
        UPDATE webhook_deliveries SET state = 'delivered', tries = tries + 1,
          first_try_at = COALESCE(first_try_at, CAST(:at AS BIGINT)), last_try_at = :at, last_code = :code,
          last_error = NULL, lease_until = NULL, ended_at = :at
        WHERE account_id = :account_id AND {_THIS} AND lease_until = :lease AND state = 'waiting'
        """,
        rows,
    )


async def failed(
    tx: Transaction,
    account_id: str,
    key: Key,
    *,
    lease_us: int,
    state: str,
    due_us: int,
    code: int | None,
    error: str,
    now_us: int,
) -> bool:
    """It is due again, or dead. False: the lease is somebody else's by now."""
    return (
        await tx.execute(
            f"""
            UPDATE webhook_deliveries SET state = :state, due_at = :due, tries = tries + 1,
              first_try_at = COALESCE(first_try_at, CAST(:now AS BIGINT)), last_try_at = :now, last_code = :code,
              last_error = :error, lease_until = NULL,
              ended_at = CASE WHEN CAST(:state AS TEXT) = 'dead' THEN CAST(:now AS BIGINT) END
            WHERE account_id = :account_id AND {_THIS} AND lease_until = :lease AND state = 'waiting'
            """,
            account_id=account_id,
            **key._asdict(),
            lease=lease_us,
            state=state,
            due=due_us,
            code=code,
            error=error,
            now=now_us,
        )
        == 1
    )


async def put_off(tx: Transaction, account_id: str, endpoint_id: str, key: Key, *, due_us: int) -> None:
    """What comes after it in its subject: nobody need look at it before."""
    await tx.execute(
        f"""
        UPDATE webhook_deliveries SET due_at = :due
        WHERE account_id = :account_id AND subject = :subject AND position > :position
          AND endpoint_id = :endpoint_id AND due_at < :due AND {_WAITS.format("")}
        """,
        account_id=account_id,
        endpoint_id=endpoint_id,
        **key._asdict(),
        due=due_us,
    )


async def put_off_told(tx: Transaction, account_id: str, endpoint_id: str, *, now_us: int) -> None:
    """As `put_off`, of what was told since: behind whatever is to be tried again later."""
    # Subject by subject, in order: else PostgreSQL joins the table with itself, or reads all of it each time.
    before = f"""
      (SELECT MAX(due_at) FROM (
         SELECT first.due_at FROM webhook_deliveries first
         WHERE first.account_id = :account_id AND first.subject = webhook_deliveries.subject
           AND first.endpoint_id = :endpoint_id AND {_WAITS.format("first.")} AND first.lease_until IS NULL
           AND first.position < webhook_deliveries.position
         ORDER BY first.position LIMIT {_MOST_BEFORE}) AS before)
    """
    await tx.execute(
        f"""
        UPDATE webhook_deliveries SET due_at = {before}
        WHERE account_id = :account_id AND endpoint_id = :endpoint_id AND state = 'waiting' AND due_at <= :now
          AND COALESCE({before}, 0) > :now
        """,
        account_id=account_id,
        endpoint_id=endpoint_id,
        now=now_us,
    )


async def hurry(tx: Transaction, account_id: str, endpoint_id: str, *, now_us: int) -> None:
    """All that waits for an endpoint is due, as if it had never been tried."""
    await tx.execute(
        f"""
        UPDATE webhook_deliveries SET due_at = :now, tries = 0, first_try_at = NULL
        WHERE account_id = :account_id AND endpoint_id = :endpoint_id AND state = 'waiting'
          AND (due_at > :now OR tries > 0) AND {_FREE}
        """,
        account_id=account_id,
        endpoint_id=endpoint_id,
        now=now_us,
    )


async def replay(tx: Transaction, account_id: str, key: Key, *, now_us: int) -> None:
    """It is due, as if it had never been tried, and so is what waits behind it. What is under way stays so."""
    await tx.execute(
        f"""
        UPDATE webhook_deliveries SET state = 'waiting', due_at = :now, tries = 0, first_try_at = NULL,
          lease_until = NULL, ended_at = NULL
        WHERE account_id = :account_id AND {_THIS} AND {_FREE}
        """,
        account_id=account_id,
        **key._asdict(),
        now=now_us,
    )
    await tx.execute(
        f"""
        UPDATE webhook_deliveries SET due_at = :now
        WHERE account_id = :account_id AND subject = :subject AND position > :position AND {_WAITS.format("")}
          AND due_at > :now AND {_FREE}
        """,
        account_id=account_id,
        **key._asdict(),
        now=now_us,
    )


# The log


async def get(db: Reader, account_id: str, key: Key) -> Row | None:
    """All but the payload, with the `url`."""
    return await db.fetch_one(
        f"{_SHOWN} AND d.subject = :subject AND d.position = :position",
        account_id=account_id,
        **key._asdict(),
    )


async def newest(
    db: Reader,
    account_id: str,
    *,
    subject: str | None,
    endpoint_id: str | None,
    state: str | None,
    before: Place,
    limit: int,
) -> list[Row]:
    """As `get`, of those that fit, newest first, from a place on."""
    given = {"subject": subject, "endpoint_id": endpoint_id, "state": state}
    wanted = {name: value for name, value in given.items() if value is not None}
    fits = "".join(f" AND d.{name} = :{name}" for name in wanted)
    if state is not None and state != "delivered":
        fits += " AND d.state <> 'delivered'"  # the words of the index
    # The few of a subject are found by its name, not among all by their time.
    created_at = "d.created_at" if subject is None else "(d.created_at + 0)"
    return await db.fetch_all(
        f"""
        {_SHOWN} AND {created_at} <= :created_at
          AND ({created_at}, d.subject, d.position) < (:created_at, :last_subject, :last_position) {fits}
        ORDER BY {created_at} DESC, d.subject DESC, d.position DESC LIMIT :limit
        """,
        account_id=account_id,
        created_at=before.created_at,
        last_subject=before.subject,
        last_position=before.position,
        limit=limit,
        **wanted,
    )


# Upkeep


async def too_old(
    db: Reader, account_id: str, *, delivered_before: int, dead_before: int, limit: int
) -> list[Key]:
    """Some that ended before then."""
    rows = await db.fetch_all(
        """
        SELECT subject, position FROM webhook_deliveries
        WHERE account_id = :account_id AND created_at < :delivered_before
          AND ((state = 'delivered' AND ended_at < :delivered_before) OR (state = 'dead' AND ended_at < :dead_before))
        ORDER BY created_at LIMIT :limit
        """,
        account_id=account_id,
        delivered_before=delivered_before,
        dead_before=dead_before,
        limit=limit,
    )
    return [Key(row["subject"], row["position"]) for row in rows]


async def remove(tx: Transaction, account_id: str, keys: Sequence[Key]) -> None:
    """But not what is replayed meanwhile."""
    await tx.execute_many(
        f"DELETE FROM webhook_deliveries WHERE account_id = :account_id AND {_THIS} AND state <> 'waiting'",
        [{"account_id": account_id, **key._asdict()} for key in keys],
    )


async def forsaken(db: Reader, account_id: str, *, before: int, limit: int) -> list[Key]:
    """Some that wait, since before then, for an endpoint that was disabled before then."""
    rows = await db.fetch_all(
        """
        SELECT d.subject, d.position FROM webhook_endpoints e
        JOIN webhook_deliveries d ON d.account_id = e.account_id AND d.endpoint_id = e.id
        WHERE e.account_id = :account_id AND e.state = 'disabled' AND e.disabled_at < :before
          AND d.state = 'waiting' AND d.created_at < :before
        LIMIT :limit
        """,
        account_id=account_id,
        before=before,
        limit=limit,
    )
    return [Key(row["subject"], row["position"]) for row in rows]


async def give_up(tx: Transaction, account_id: str, keys: Sequence[Key], *, why: str, now_us: int) -> None:
    await tx.execute_many(
        f"""
        UPDATE webhook_deliveries SET state = 'dead', last_error = :why, lease_until = NULL, ended_at = :now
        WHERE account_id = :account_id AND {_THIS} AND state = 'waiting'
        """,
        [{"account_id": account_id, **key._asdict(), "why": why, "now": now_us} for key in keys],
    )
