"""SQL for the audit: what does not add up in the whole store.

The checks give account_id, subject (the id of what is wrong) and the columns that contradict each other, at most
`limit` rows. Each is a few passes over whole tables, whatever their size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from ringback.store.database import Reader, Row
from ringback.store.queries.counts import HOUR_US, VALUES

RECORDING_SLACK_MS: Final = 50
"""A recording and the time of the conversation are the same to a tenth of a second."""

OVER: Final = "('completed', 'no-answer', 'busy', 'failed', 'canceled', 'stopped', 'error', 'balance-low')"
KINDS: Final = ("llm", "network", "platform", "synthesizer", "transcriber")
_TERMS: Final = "quantity, price, per, step, amount"


async def statuses(db: Reader, limit: int) -> list[Row]:
    """Executions whose status is not that of their newest attempt, or whose attempts are not one after the other.
    Cross-account."""
    return await db.fetch_all(
        f"""
        SELECT e.account_id, e.id AS subject, e.status, e.retry_count, a.number AS attempt, a.state,
          a.status AS attempt_status
        FROM executions e LEFT JOIN attempts a ON a.account_id = e.account_id AND a.execution_id = e.id
        WHERE a.number IS NULL OR a.number > e.retry_count + 1
          OR (a.number = e.retry_count + 1 AND e.status IN {OVER} AND (
            a.status IS NULL OR a.status <> e.status OR a.state NOT IN ('done', 'unknown')))
          OR (a.number = e.retry_count + 1 AND e.status NOT IN {OVER} AND a.status IS NOT NULL)
          OR (a.number <= e.retry_count AND (a.status IS NULL OR a.state NOT IN ('done', 'unknown')))
        UNION ALL
        SELECT e.account_id, e.id, e.status, e.retry_count, NULL, NULL, NULL
        FROM executions e LEFT JOIN attempts a
          ON a.account_id = e.account_id AND a.execution_id = e.id AND a.number = e.retry_count + 1
        WHERE a.number IS NULL
        LIMIT :limit
        """,
        limit=limit,
    )


async def counters(db: Reader, limit: int) -> list[Row]:
    """Agents of which a counter is not what counting gives: `off` is by how much it is too high. Cross-account."""
    profile = "account_id, agent_id, status, call_type, provider, batch_id, answered_by_voice_mail"
    expanded = " UNION ALL ".join(
        f"""
        SELECT account_id, agent_id, '{dimension}' AS dimension, {value} AS value, delta AS number
        FROM differences WHERE {value} IS NOT NULL
        """
        for dimension, value in VALUES.items()
    )
    return await db.fetch_all(
        f"""
        WITH differences AS (
          SELECT {profile}, hour, delta FROM count_changes
          UNION ALL
          SELECT {profile}, seq / {HOUR_US} AS hour, -COUNT(*) AS delta FROM executions
          GROUP BY {profile}, seq / {HOUR_US}
        )
        SELECT account_id, agent_id AS subject, dimension, value, CAST(SUM(number) AS BIGINT) AS off FROM (
          SELECT account_id, agent_id, dimension, value, count AS number FROM execution_counts
          UNION ALL {expanded}
        ) AS parts
        GROUP BY account_id, agent_id, dimension, value HAVING SUM(number) <> 0 LIMIT :limit
        """,
        limit=limit,
    )


async def recordings(db: Reader, limit: int) -> list[Row]:
    """Attempts whose recording is not as long as their conversation. Cross-account."""
    return await db.fetch_all(
        f"""
        SELECT account_id, execution_id AS subject, number AS attempt, recording_ms, conversation_ms FROM attempts
        WHERE recording_path IS NOT NULL AND status IS NOT NULL
          AND (recording_ms IS NULL OR ABS(recording_ms - conversation_ms) > {RECORDING_SLACK_MS})
        LIMIT :limit
        """,
        limit=limit,
    )


async def telephone(db: Reader, limit: int) -> list[Row]:
    """Attempts that are over and are not billed for the time from the answer to the end of the call, exactly once by
    the carrier and once by the platform. Cross-account."""
    return await db.fetch_all(
        """
        SELECT * FROM (
          SELECT a.account_id, a.execution_id AS subject, a.number AS attempt,
            CASE WHEN a.ended_at > a.answered_at THEN (a.ended_at - a.answered_at) / 1000 ELSE 0 END AS leg_ms,
            COALESCE(u.legs, 0) AS legs, COALESCE(u.network_ms, 0) AS network_ms,
            COALESCE(u.platform_ms, 0) AS platform_ms
          FROM attempts a LEFT JOIN (
            SELECT account_id, execution_id, attempt, COUNT(*) AS legs,
              SUM(CASE WHEN kind = 'network' THEN quantity ELSE 0 END) AS network_ms,
              SUM(CASE WHEN kind = 'platform' THEN quantity ELSE 0 END) AS platform_ms
            FROM usage_lines WHERE kind IN ('network', 'platform') AND purpose = 'conversation' AND quantity > 0
            GROUP BY account_id, execution_id, attempt
          ) AS u ON u.account_id = a.account_id AND u.execution_id = a.execution_id AND u.attempt = a.number
          WHERE a.status IS NOT NULL
        ) AS legs
        WHERE network_ms <> leg_ms OR platform_ms <> leg_ms OR legs <> CASE WHEN leg_ms > 0 THEN 2 ELSE 0 END
        LIMIT :limit
        """,
        limit=limit,
    )


async def costs(db: Reader, limit: int) -> list[Row]:
    """Executions whose cost is not the sum of their lines, or whose shown cost is not that. Cross-account."""
    sums = ", ".join(
        f"CAST(SUM(CASE WHEN kind = '{kind}' THEN amount ELSE 0 END) AS BIGINT) AS {kind}" for kind in KINDS
    )
    columns = ", ".join(f"e.cost_{kind}, COALESCE(u.{kind}, 0) AS lines_{kind}" for kind in KINDS)
    differ = " OR ".join(f"e.cost_{kind} <> COALESCE(u.{kind}, 0)" for kind in KINDS)
    total = " + ".join(f"e.cost_{kind}" for kind in KINDS)
    return await db.fetch_all(
        f"""
        SELECT e.account_id, e.id AS subject, e.total_cost, {columns}
        FROM executions e LEFT JOIN (
          SELECT account_id, execution_id, {sums} FROM usage_lines GROUP BY account_id, execution_id
        ) AS u ON u.account_id = e.account_id AND u.execution_id = e.id
        WHERE {differ}
          OR e.total_cost <> CASE WHEN e.status IN {OVER} OR e.retry_count > 0 THEN {total} ELSE 0 END
        LIMIT :limit
        """,
        limit=limit,
    )


async def doubtful_amounts(db: Reader) -> list[Row]:
    """quantity, price, per, step and amount of lines whose amount may not be what these give; each combination once.

    Reckoned in floating point, which is sure of all but what lies near to a half; those are to be reckoned exactly.
    Cross-account.
    """
    return await db.fetch_all(
        f"""
        SELECT DISTINCT {_TERMS} FROM usage_lines
        WHERE CASE WHEN price IS NULL THEN amount <> 0 ELSE amount > 1000000000000 OR ABS(
          amount - (quantity + step - 1) / step * step * CAST(price AS DOUBLE PRECISION) * 10000 / per) > 0.499 END
        """
    )


async def lines_of_terms(db: Reader, terms: Row, limit: int) -> list[Row]:
    """The lines with these quantity, price, per, step and amount. Cross-account."""
    return await db.fetch_all(
        f"""
        SELECT account_id, execution_id AS subject, position AS line, {_TERMS} FROM usage_lines
        WHERE quantity = :quantity AND amount = :amount AND per = :per AND step = :step
          AND COALESCE(price, '') = :price
        LIMIT :limit
        """,
        **{**terms, "price": terms["price"] or "", "limit": limit},
    )


async def priced(db: Reader) -> list[Row]:
    """Which prices were used for what, from when to when: account_id, kind, provider, model, unit, price, per, step,
    first_us, last_us. Cross-account."""
    return await db.fetch_all(
        """
        SELECT account_id, kind, provider, model, unit, price, per, step, MIN(at_us) AS first_us,
          MAX(at_us) AS last_us
        FROM usage_lines WHERE at_us > 0
        GROUP BY account_id, kind, provider, model, unit, price, per, step
        """
    )


async def lines_priced(
    db: Reader, group: Mapping[str, Any], spans: Sequence[tuple[int, int]], limit: int
) -> list[Row]:
    """The lines of one of `priced` whose moment lies in one of the spans, ends excluded. Cross-account."""
    moments = {
        f"{end}_{place}": at for place, span in enumerate(spans) for end, at in zip("fu", span, strict=True)
    }
    within = " OR ".join(f"(at_us >= :f_{place} AND at_us < :u_{place})" for place in range(len(spans)))
    names = ("account_id", "kind", "provider", "model", "unit", "per", "step")
    return await db.fetch_all(
        f"""
        SELECT account_id, execution_id AS subject, position AS line, at_us, kind, provider, model, unit, price, per,
          step
        FROM usage_lines
        WHERE {" AND ".join(f"{name} = :{name}" for name in names)} AND COALESCE(price, '') = :price
          AND ({within})
        LIMIT :limit
        """,
        **{name: group[name] for name in names},
        price=group["price"] or "",
        limit=limit,
        **moments,
    )
