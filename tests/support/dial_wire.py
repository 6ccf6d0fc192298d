"""Dialling histories: what the wire saw against what the rows admit to."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Final

from tests.support.dial_case import SETTLED, Breach, Case, Violation, retries

_LATE_US: Final = 200_000
"""A packet may leave so long after the end that its record claims."""
_EARLY_US: Final = 2_000
"""The kernel's stamp against another process's clock."""


def dials_per_person(case: Case) -> Iterator[Violation]:
    """Distinct dials on the wire by number, against the sum of what its executions may use up."""
    budget: Counter[str] = Counter()
    for execution in case.executions.values():
        budget[execution["to_number"]] += 1 + retries(execution)
    dials = Counter(event["number"] for event in case.invites.values())
    for number, count in dials.items():
        if count > budget[number]:
            yield Violation(
                Breach.DOUBLE_DIAL, "", f"{number} was dialled {count} times, {budget[number]} are allowed"
            )


def dials_per_attempt(case: Case) -> Iterator[Violation]:
    tags: defaultdict[str, list[str]] = defaultdict(list)
    for call_id, tag in case.invites:
        tags[call_id].append(tag)
    for call_id, several in tags.items():
        if len(several) > 1:
            owner = case.by_call_id.get(call_id, {}).get("execution_id", "")
            yield Violation(Breach.DOUBLE_DIAL, owner, f"{call_id} was dialled with the tags {several}")
    uses = Counter(row["call_id"] for row in case.history.attempts if row["call_id"] is not None)
    for call_id, count in uses.items():
        if count > 1:
            yield Violation(Breach.ROWS, "", f"{call_id} belongs to {count} attempts")


def strangers(case: Case) -> Iterator[Violation]:
    for (call_id, _), event in case.invites.items():
        attempt = case.by_call_id.get(call_id)
        if attempt is None:
            yield Violation(Breach.STRANGER, "", f"{call_id} to {event['number']} is no attempt's")
        elif event["number"] != (to := case.executions[attempt["execution_id"]]["to_number"]):
            yield Violation(
                Breach.STRANGER, attempt["execution_id"], f"{event['number']} was dialled instead of {to}"
            )


def moments(case: Case) -> Iterator[Violation]:
    """No packet before its grant or after its attempt's end; none by an intent after a stop was answered."""
    for (call_id, _), event in case.invites.items():
        attempt = case.by_call_id.get(call_id)
        if attempt is None:
            continue
        granted = attempt["dial_at"] if attempt["dial_at"] is not None else attempt["dialled_at"]
        where = f"attempt {attempt['number']}, {call_id}:"
        if granted is None or event["at"] < granted - _EARLY_US:
            yield Violation(
                Breach.LATE, attempt["execution_id"], f"{where} a packet at {event['at']}, granted {granted}"
            )
        if attempt["ended_at"] is not None and event["at"] > attempt["ended_at"] + _LATE_US:
            late_ms = (event["at"] - attempt["ended_at"]) / 1000
            yield Violation(Breach.LATE, attempt["execution_id"], f"{where} {late_ms:.0f} ms after its end")
    for execution_id, stopped_us in case.history.stopped.items():
        initiated_us = case.executions[execution_id]["initiated_at"] or 0
        if initiated_us > stopped_us:
            what = f"its last dial was decided {initiated_us - stopped_us} us after the answer to its stop"
            yield Violation(Breach.LATE, execution_id, what)


def records(case: Case) -> Iterator[Violation]:
    """What an attempt claims of the wire was seen there."""
    if not case.history.wire:
        return
    for row in case.history.attempts:
        if row["state"] not in SETTLED or row["call_id"] is None:
            continue
        claimed = {"completed": "200", "busy": "486"}.get(row["status"])
        if claimed is not None and claimed not in case.seen[row["call_id"]]:
            yield Violation(
                Breach.RECORD,
                row["execution_id"],
                f"attempt {row['number']} is {row['status']}; on the wire {sorted(case.seen[row['call_id']])}",
            )
