"""Whether the outbox has all that it must have: for the audit."""

from __future__ import annotations

import time
from typing import Final

from ringback.executions.lifecycle import TRANSITIONS, Status
from ringback.store.database import Reader, Row
from ringback.store.queries import webhook_audit

_KEPT_US: Final = 7 * 86_400 * 1_000_000
"""Nothing younger is removed (`webhooks.deliveries`)."""


async def untold(db: Reader, limit: int, *, now_us: int | None = None) -> list[Row]:
    """Executions with a change of status that was not told, though their agent has a webhook."""
    now = time.time_ns() // 1000 if now_us is None else now_us
    return await webhook_audit.untold(db, since_us=now - _KEPT_US, limit=limit)


async def disordered(db: Reader, limit: int) -> list[Row]:
    """Deliveries that tell a status after one that it cannot follow."""
    wrong: list[Row] = []
    for step in await webhook_audit.steps(db):
        if len(wrong) < limit and not _may_follow(Status(step["before"]), Status(step["event"])):
            left = limit - len(wrong)
            wrong += await webhook_audit.with_step(db, step["before"], step["event"], limit=left)
    return wrong


def _may_follow(before: Status, after: Status) -> bool:
    """Of many moved at once, `queued` is left out (`bulk`)."""
    following = TRANSITIONS[before]
    return after in following or (Status.QUEUED in following and after in TRANSITIONS[Status.QUEUED])
