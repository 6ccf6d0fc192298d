"""What is known about a run of dialling: the rows of the database, the events of the wire, what a client was told."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

Row = Mapping[str, Any]


class _Reader(Protocol):
    async def fetch_all(self, sql: str, **params: object) -> list[Row]: ...


@dataclass(frozen=True, slots=True)
class History:
    """Rows as they lie in the tables; times in microseconds."""

    executions: Sequence[Row]
    attempts: Sequence[Row]
    gates: Sequence[Row] = ()
    wire: Sequence[Row] = ()
    """The events of the sink (benchmarks/crash/sink.py), in their order."""
    placed: Collection[str] = ()
    """Executions that a client was told of."""
    stopped: Mapping[str, int] = field(default_factory=dict)
    """When a client was told that a call is stopped."""
    bills: Sequence[Row] = ()
    """execution_id, attempt, kind, n: how many lines of usage there are."""
    counters: Sequence[Row] = ()
    """account_id, status, n: the counters of executions, changes not folded in yet included."""
    words: Sequence[Row] = ()
    """execution_id, attempt, text: what was said. Talkers of the crash test name their attempt: "attempt 1"."""
    finished: bool = True
    """Everybody had time to end; else a moment in the middle."""

    @classmethod
    async def read(
        cls,
        db: _Reader,
        wire: Sequence[Row],
        placed: Collection[str] = (),
        stopped: Mapping[str, int] | None = None,
        *,
        finished: bool = True,
    ) -> History:
        return cls(
            await db.fetch_all(
                """
                SELECT account_id, id, seq, status, to_number, error_message, retry_config, retry_count, initiated_at,
                  answered_by_voice_mail FROM executions ORDER BY account_id, seq
                """
            ),
            await db.fetch_all("SELECT * FROM attempts ORDER BY account_id, seq, number"),
            await db.fetch_all("SELECT * FROM gates"),
            wire,
            placed,
            stopped or {},
            await db.fetch_all(
                """
                SELECT execution_id, attempt, kind, COUNT(*) AS n FROM usage_lines
                GROUP BY account_id, execution_id, attempt, kind, provider, model, detail, purpose
                """
            ),
            await db.fetch_all(
                """
                SELECT account_id, status, CAST(SUM(n) AS BIGINT) AS n FROM (
                  SELECT account_id, value AS status, count AS n FROM execution_counts WHERE dimension = 'status'
                  UNION ALL SELECT account_id, status, delta AS n FROM count_changes
                ) AS parts GROUP BY account_id, status
                """
            ),
            await db.fetch_all("SELECT execution_id, attempt, text FROM turns WHERE text LIKE 'attempt %'"),
            finished,
        )

    def story(self, execution_id: str) -> list[str]:
        """What is known about one execution, a line a row, for whoever looks for the reason of a violation."""
        rows = [row for row in self.executions if row["id"] == execution_id]
        attempts = [row for row in self.attempts if row["execution_id"] == execution_id]
        call_ids = {row["call_id"] for row in attempts}
        rows += [*attempts, *(event for event in self.wire if event["call_id"] in call_ids)]
        return ["    " + ", ".join(f"{name}={value}" for name, value in row.items() if value) for row in rows]
