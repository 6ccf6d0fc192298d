"""What the outbox must hold after a simulated day: each status of each execution once, in an order that can be."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Protocol

from ringback.executions.lifecycle import TRANSITIONS, Status

URL = "https://client.example/calls"


class _Store(Protocol):
    def rows(self, sql: str, **params: object) -> list[dict[str, Any]]: ...


def untold(store: _Store) -> Iterator[str]:
    """Every breach, a line each."""
    told = defaultdict(list)
    for row in store.rows(
        "SELECT subject, position, event, payload FROM webhook_deliveries WHERE kind = 'execution'"
        " ORDER BY subject, position"
    ):
        told[row["subject"]].append(row)
    for execution in store.rows("SELECT id, status, moves, retry_count FROM executions"):
        rows = told.pop(execution["id"], [])
        events = [Status(row["event"]) for row in rows]
        if [row["position"] for row in rows] != [*range(1, execution["moves"] + 1)]:
            yield f"{execution['id']} moved {execution['moves']} times and is told as {events}"
        elif events[-1] != execution["status"]:
            yield f"{execution['id']} is {execution['status']}, and told at last is {events[-1]}"
        for before, after in pairwise(events):
            following = TRANSITIONS[before]
            if after not in following and not (
                Status.QUEUED in following and after in TRANSITIONS[Status.QUEUED]
            ):
                yield f"{execution['id']}: {after} is told after {before}"
        if events.count(Status.SCHEDULED) < execution["retry_count"]:
            yield f"{execution['id']}: not each of {execution['retry_count']} retries is told: {events}"
        for row in rows:
            if json.loads(row["payload"])["status"] != row["event"]:
                yield f"{execution['id']}: the record told as {row['event']} is another"
    if told:
        yield f"executions are told that are not there: {sorted(told)}"
