"""SQL for retention: how long an account keeps things, what is older, and its removal.

An attempt's age counts from its end. What ended until `recordings_removed_until` or `transcripts_removed_until` of
the account was dealt with already.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from ringback.store.database import Reader, Row, Transaction

Watermark = Literal["recordings_removed_until", "transcripts_removed_until"]


class Place(NamedTuple):
    """How far the attempts of an account were read, in the order of their end."""

    ended_at: int
    execution_id: str
    number: int


_POLICY: Final = (
    "account_id, keep_recordings_days, keep_transcripts_days, keep_records_days, recordings_removed_until, "
    "transcripts_removed_until"
)

# The next attempts that ended, whether they are their execution's newest, and which part of its log is theirs: that
# of an earlier one ends where the next was dialled.
_ENDED: Final = """
SELECT execution_id, number, state, answered_at, ended_at, recording_path, transfers,
  NOT EXISTS (
    SELECT 1 FROM attempts later
    WHERE later.account_id = attempts.account_id AND later.execution_id = attempts.execution_id
      AND later.number > attempts.number
  ) AS newest,
  CASE WHEN number = 1 THEN 0 ELSE COALESCE(dialled_at, ended_at) END AS log_from,
  COALESCE((
    SELECT MIN(COALESCE(later.dialled_at, later.ended_at)) FROM attempts later
    WHERE later.account_id = attempts.account_id AND later.execution_id = attempts.execution_id
      AND later.number > attempts.number
  ), 9223372036854775807) AS log_to
FROM attempts
WHERE account_id = :account_id AND ended_at >= :ended_at AND ended_at <= :until
  AND (ended_at > :ended_at OR execution_id > :execution_id OR (execution_id = :execution_id AND number > :number))
ORDER BY ended_at, execution_id, number LIMIT :limit
"""

# The rows that the ledger wrote itself, about the life cycle, name the provider. Those of a conversation quote what
# was said, prompted or keyed in.
_SAID: Final = "NOT (type = 'event' AND component = 'system' AND provider IS NOT NULL)"


async def policies(db: Reader) -> list[Row]:
    """account_id, days and watermarks of the accounts that don't keep everything for ever. Cross-account: for
    upkeep."""
    return await db.fetch_all(
        f"""
        SELECT {_POLICY} FROM accounts
        WHERE keep_recordings_days IS NOT NULL OR keep_transcripts_days IS NOT NULL
          OR keep_records_days IS NOT NULL ORDER BY account_id
        """
    )


async def policy(db: Reader, account_id: str) -> Row | None:
    """As one of `policies`; None: there is no such account."""
    return await db.fetch_one(
        f"SELECT {_POLICY} FROM accounts WHERE account_id = :account_id", account_id=account_id
    )


async def set_policy(
    tx: Transaction, *, account_id: str, recordings: int | None, transcripts: int | None, records: int | None
) -> None:
    await tx.execute(
        """
        UPDATE accounts SET keep_recordings_days = :recordings, keep_transcripts_days = :transcripts,
          keep_records_days = :records
        WHERE account_id = :account_id
        """,
        account_id=account_id,
        recordings=recordings,
        transcripts=transcripts,
        records=records,
    )


async def mark(tx: Transaction, account_id: str, watermark: Watermark, until: int) -> None:
    """What ended until then was dealt with. A watermark never goes back."""
    await tx.execute(
        f"UPDATE accounts SET {watermark} = :until WHERE account_id = :account_id AND {watermark} < :until",
        account_id=account_id,
        until=until,
    )


async def oldest_answers(db: Reader) -> dict[str, int]:
    """By account, when the longest of its calls that are not settled yet was answered: none of them ends earlier.
    Cross-account: for upkeep; the few calls that are live are found by their state."""
    rows = await db.fetch_all(
        """
        SELECT account_id, MIN(COALESCE(answered_at, 0)) AS answered_at FROM attempts
        WHERE state = 'live' GROUP BY account_id
        """
    )
    return {row["account_id"]: row["answered_at"] for row in rows}


async def ended(db: Reader, account_id: str, *, after: Place, until: int, limit: int) -> list[Row]:
    """execution_id, number, state, answered_at, ended_at, recording_path, newest, log_from and log_to (from when on
    and before when the log is theirs) of attempts that ended, in the order of `Place`."""
    return await db.fetch_all(_ENDED, account_id=account_id, until=until, limit=limit, **after._asdict())


async def ended_and_said(db: Reader, account_id: str, *, after: Place, until: int, limit: int) -> list[Row]:
    """As `ended`, with `said`: whether turns, lines of the log, a summary or latencies are there."""
    return await db.fetch_all(
        f"""
        SELECT ended.*, (
          EXISTS (
            SELECT 1 FROM turns WHERE turns.account_id = :account_id
              AND turns.execution_id = ended.execution_id AND turns.attempt = ended.number
          ) OR EXISTS (
            SELECT 1 FROM execution_log WHERE execution_log.account_id = :account_id
              AND execution_log.execution_id = ended.execution_id
              AND at_us >= ended.log_from AND at_us < ended.log_to AND {_SAID}
          ) OR (ended.newest AND EXISTS (
            SELECT 1 FROM executions WHERE executions.account_id = :account_id
              AND executions.id = ended.execution_id
              AND (executions.summary IS NOT NULL OR executions.latency_data IS NOT NULL)
          ))
        ) AS said
        FROM ({_ENDED}) AS ended ORDER BY ended_at, execution_id, number
        """,
        account_id=account_id,
        until=until,
        limit=limit,
        **after._asdict(),
    )


async def old_records(
    db: Reader,
    account_id: str,
    agent_id: str,
    *,
    terminal: Sequence[str],
    after: int,
    before: int,
    limit: int,
) -> list[Row]:
    """id and seq of an agent's executions that are over, were created before a moment and ended before it, oldest
    first, after a seq."""
    statuses = {f"status_{number}": status for number, status in enumerate(terminal)}
    return await db.fetch_all(
        f"""
        SELECT id, seq FROM executions
        WHERE account_id = :account_id AND agent_id = :agent_id AND seq > :after AND seq < :before
          AND status IN ({", ".join(f":{name}" for name in statuses)}) AND NOT EXISTS (
            SELECT 1 FROM attempts
            WHERE attempts.account_id = :account_id AND attempts.execution_id = executions.id
              AND (state NOT IN ('done', 'unknown') OR ended_at >= :before)
          )
        ORDER BY seq LIMIT :limit
        """,
        account_id=account_id,
        agent_id=agent_id,
        after=after,
        before=before,
        limit=limit,
        **statuses,
    )


async def has_records(db: Reader, account_id: str, agent_id: str) -> bool:
    """Whether an agent has executions."""
    row = await db.fetch_one(
        "SELECT id FROM executions WHERE account_id = :account_id AND agent_id = :agent_id LIMIT 1",
        account_id=account_id,
        agent_id=agent_id,
    )
    return row is not None


async def agents(db: Reader, account_id: str) -> list[str]:
    """The ids of the account's agents."""
    rows = await db.fetch_all(
        "SELECT id FROM agents WHERE account_id = :account_id ORDER BY id", account_id=account_id
    )
    return [row["id"] for row in rows]


async def attempts_of(
    db: Reader, account_id: str, execution_ids: Sequence[str], *, lock: bool = False
) -> list[Row]:
    """execution_id, number, state, recording_path and transfers of all attempts of these executions, in the order
    of their keys; locked until the transaction ends, if it is one and asks for it."""
    ids = _named(execution_ids)
    return await db.fetch_all(
        f"""
        SELECT execution_id, number, state, recording_path, transfers FROM attempts
        WHERE account_id = :account_id AND execution_id IN ({", ".join(f":{name}" for name in ids)})
        ORDER BY execution_id, number {"FOR UPDATE" if lock else ""}
        """,
        account_id=account_id,
        **ids,
    )


async def lock_executions(tx: Transaction, account_id: str, execution_ids: Sequence[str]) -> list[Row]:
    """account_id, id, agent_id, seq, status and provider, locked in the order of the ids until the transaction ends."""
    ids = _named(execution_ids)
    return await tx.fetch_all(
        f"""
        SELECT account_id, id, agent_id, seq, status, provider FROM executions
        WHERE account_id = :account_id AND id IN ({", ".join(f":{name}" for name in ids)})
        ORDER BY id FOR UPDATE
        """,
        account_id=account_id,
        **ids,
    )


async def delete_turns(tx: Transaction, account_id: str, execution_id: str, attempt: int) -> int:
    return await tx.execute(
        """
        DELETE FROM turns
        WHERE account_id = :account_id AND execution_id = :execution_id AND attempt = :attempt
        """,
        account_id=account_id,
        execution_id=execution_id,
        attempt=attempt,
    )


async def delete_log(
    tx: Transaction, account_id: str, execution_id: str, *, log_from: int, log_to: int
) -> int:
    """Delete the lines that quote what was said; those of the life cycle stay."""
    return await tx.execute(
        f"""
        DELETE FROM execution_log
        WHERE account_id = :account_id AND execution_id = :execution_id
          AND at_us >= :log_from AND at_us < :log_to AND {_SAID}
        """,
        account_id=account_id,
        execution_id=execution_id,
        log_from=log_from,
        log_to=log_to,
    )


async def delete_executions(tx: Transaction, account_id: str, execution_ids: Sequence[str]) -> None:
    """With all that hangs on them (foreign keys)."""
    await tx.execute_many(
        "DELETE FROM executions WHERE account_id = :account_id AND id = :id",
        [{"account_id": account_id, "id": execution_id} for execution_id in execution_ids],
    )


def _named(values: Sequence[str]) -> dict[str, str]:
    return {f"id_{number}": value for number, value in enumerate(values)}
