"""The checker of dialling histories: it is given the database and the log of the wire, and believes nobody.

`violations` names each breach of a promise. Nothing here imports the code that dials.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from tests.support.dial_history import History, Row

OVER: Final = frozenset(
    {"completed", "no-answer", "busy", "failed", "canceled", "stopped", "error", "balance-low"}
)
_CALLED_OFF: Final = frozenset({"canceled", "stopped", "balance-low"})
"""Ends after which nobody is dialled again, whatever the retry policy says."""
_SETTLED: Final = frozenset({"done", "unknown"})
_LATE_US: Final = 200_000
"""A packet may leave so long after the end that its record claims."""
_EARLY_US: Final = 2_000
"""The kernel's stamp against another process's clock."""


class Breach(StrEnum):
    DOUBLE_DIAL = "double_dials"
    """A person was dialled more often than configured."""
    LOST = "lost"
    """A call that was asked for, or a retry that was due, never came about."""
    SLOT = "slots_leaked"
    """A line counts as taken and is not, or the other way round."""
    NOT_OVER = "not_terminal"
    """No end, or one without a reason."""
    STRANGER = "strangers"
    """A dial that no attempt answers for."""
    LATE = "late_dials"
    """A packet after the end of its attempt, after a stop, or before its grant."""
    ROWS = "broken_rows"
    """Rows that contradict each other."""
    RECORD = "false_records"
    """The record claims what the wire did not see."""


@dataclass(frozen=True, slots=True)
class Violation:
    breach: Breach
    execution_id: str
    what: str


def violations(history: History) -> list[Violation]:
    """Every breach, those of one execution together where a check walks over them."""
    case = _Case(history)
    return [violation for check in _CHECKS for violation in check(case)]


def counted(found: Iterable[Violation]) -> dict[str, int]:
    """How many of each breach; those that did not happen too."""
    counts = Counter(violation.breach for violation in found)
    return {str(breach): counts[breach] for breach in Breach}


class _Case:
    """A history with its indexes."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.executions: dict[str, Row] = {row["id"]: row for row in history.executions}
        self.attempts: defaultdict[str, list[Row]] = defaultdict(list)
        self.by_call_id: dict[str, Row] = {}
        for row in history.attempts:
            self.attempts[row["execution_id"]].append(row)
            if row["call_id"] is not None:
                self.by_call_id.setdefault(row["call_id"], row)
        self.invites: dict[tuple[str, str], Row] = {}
        """The first INVITE of each (Call-ID, tag)."""
        self.seen: defaultdict[str, set[str]] = defaultdict(set)
        """Of a Call-ID: what happened on the wire, responses as their numbers."""
        for event in history.wire:
            if event["event"] == "invite":
                self.invites.setdefault((event["call_id"], event["tag"]), event)
            word = event["status"] if event["event"] == "final" else event["event"]
            self.seen[event["call_id"]].add(str(word))

    def each(self) -> Iterator[tuple[Row, list[Row]]]:
        for execution_id, execution in self.executions.items():
            yield execution, self.attempts[execution_id]


_Check = Callable[[_Case], Iterator[Violation]]


def _dials_per_person(case: _Case) -> Iterator[Violation]:
    """Distinct dials on the wire by number, against the sum of what its executions may use up."""
    budget: Counter[str] = Counter()
    for execution in case.executions.values():
        budget[execution["to_number"]] += 1 + _retries(execution)
    dials = Counter(event["number"] for event in case.invites.values())
    for number, count in dials.items():
        if count > budget[number]:
            yield Violation(
                Breach.DOUBLE_DIAL, "", f"{number} was dialled {count} times, {budget[number]} are allowed"
            )


def _dials_per_attempt(case: _Case) -> Iterator[Violation]:
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


def _budget(case: _Case) -> Iterator[Violation]:
    """What the rows admit to, whether or not a packet arrived; and each attempt after the first had a right to be."""
    for execution, attempts in case.each():
        dialled = sum(row["dialled_at"] is not None for row in attempts)
        if max(dialled, len(attempts)) > 1 + _retries(execution):
            yield Violation(
                Breach.DOUBLE_DIAL,
                execution["id"],
                f"{len(attempts)} attempts, {dialled} dialled, {1 + _retries(execution)} are allowed",
            )
        for row in attempts[:-1]:
            if not (_wanted(execution, row) or _voicemail(execution, row)):
                yield Violation(
                    Breach.DOUBLE_DIAL,
                    execution["id"],
                    f"an attempt followed number {row['number']}, which ended {row['status']} ({row['state']})",
                )


def _strangers(case: _Case) -> Iterator[Violation]:
    for (call_id, _), event in case.invites.items():
        attempt = case.by_call_id.get(call_id)
        if attempt is None:
            yield Violation(Breach.STRANGER, "", f"{call_id} to {event['number']} is no attempt's")
        elif event["number"] != (to := case.executions[attempt["execution_id"]]["to_number"]):
            yield Violation(
                Breach.STRANGER, attempt["execution_id"], f"{event['number']} was dialled instead of {to}"
            )


def _moments(case: _Case) -> Iterator[Violation]:
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
        for row in case.attempts[execution_id]:
            after_us = (row["dialled_at"] or 0) - stopped_us
            if after_us > 0 and row["status"] != "canceled":
                yield Violation(
                    Breach.LATE,
                    execution_id,
                    f"attempt {row['number']} was dialled {after_us} us after the stop",
                )


def _lost(case: _Case) -> Iterator[Violation]:
    for execution_id in case.history.placed:
        if execution_id not in case.executions:
            yield Violation(Breach.LOST, execution_id, "it was accepted and is not in the database")
    for execution, attempts in case.each():
        if not attempts:
            yield Violation(Breach.LOST, execution["id"], "it has no attempt")
        for row in attempts:
            if not _on_the_wire(case, row):
                yield Violation(
                    Breach.LOST,
                    execution["id"],
                    f"attempt {row['number']} ended {row['status']} ({row['state']}) and nobody was dialled",
                )
    yield from _lost_retries(case)


def _on_the_wire(case: _Case, row: Row) -> bool:
    """Whether it was dialled, or says itself that perhaps it was not, or never got so far."""
    if row["state"] not in _SETTLED or row["state"] == "unknown" or not case.history.wire:
        return True
    if row["dialled_at"] is None:
        return row["status"] in _CALLED_OFF | {"error"}  # error: the agent could not be made ready
    return row["status"] in _CALLED_OFF or "invite" in case.seen[row["call_id"]]


def _lost_retries(case: _Case) -> Iterator[Violation]:
    """An end that the policy wants retried, and no attempt came after it."""
    for execution, attempts in case.each():
        if not attempts or execution["status"] not in OVER - _CALLED_OFF:
            continue
        if execution["id"] in case.history.stopped:
            continue
        last = attempts[-1]
        machine = _voicemail(execution, last) and execution["answered_by_voice_mail"]
        if (
            (_wanted(execution, last) or machine)
            and len(attempts) <= _retries(execution)
            and not _lane_stopped(case, last)
        ):
            yield Violation(
                Breach.LOST,
                execution["id"],
                f"attempt {last['number']} ended {last['status']}; the retry after it never came",
            )


def _slots(case: _Case) -> Iterator[Violation]:
    """At the end nothing holds a slot; before, exactly what is under way does."""
    for row in case.history.attempts:
        has = row["slot_since"] is not None
        if case.history.finished:
            wrong = has
        else:
            live = row["state"] == "live" and row["ended_at"] is None
            must = row["state"] in ("claimed", "dialling") or live
            wrong = must is not has and not (has and row["state"] == "unknown")
        if wrong:
            yield Violation(
                Breach.SLOT,
                row["execution_id"],
                f"attempt {row['number']} is {row['state']} and has {'a' if has else 'no'} slot",
            )


def _ends(case: _Case) -> Iterator[Violation]:
    if not case.history.finished:
        return
    for execution, attempts in case.each():
        status, last = execution["status"], attempts[-1] if attempts else {}
        if status not in OVER:
            yield Violation(Breach.NOT_OVER, execution["id"], f"it is {status} ({last.get('state')})")
        elif status != "stopped" and not (execution["error_message"] or last.get("hangup_reason")):
            yield Violation(Breach.NOT_OVER, execution["id"], f"it ended {status} and nothing says why")
        for row in attempts:
            if row["state"] not in _SETTLED:
                yield Violation(
                    Breach.NOT_OVER, execution["id"], f"attempt {row['number']} is {row['state']}"
                )


def _rows(case: _Case) -> Iterator[Violation]:
    for execution, attempts in case.each():
        numbers = [row["number"] for row in attempts]
        if numbers != list(range(1, execution["retry_count"] + 2)):
            yield Violation(
                Breach.ROWS, execution["id"], f"{execution['retry_count']} retries, attempts {numbers}"
            )
        open_ones = [row["number"] for row in attempts if row["state"] not in _SETTLED]
        if len(open_ones) > 1 or (open_ones and open_ones[0] != numbers[-1]):
            yield Violation(Breach.ROWS, execution["id"], f"attempts {open_ones} of {numbers} are open")
        if not open_ones and execution["status"] not in OVER:
            yield Violation(Breach.ROWS, execution["id"], f"it is {execution['status']} and nothing is open")
        for row in attempts:
            if why := _contradiction(row):
                yield Violation(Breach.ROWS, execution["id"], f"attempt {row['number']}: {why}")


def _contradiction(row: Row) -> str:
    state, dialled = row["state"], row["dialled_at"] is not None
    if dialled is not (row["call_id"] is not None):
        return f"dialled_at is {row['dialled_at']} and call_id {row['call_id']}"
    if state in ("waiting", "claimed") and dialled:
        return f"it was dialled and is {state}"
    if state in ("dialling", "live", "unknown") and not dialled:
        return f"it is {state} and was not dialled"
    if state == "waiting" and row["lease_owner"] is not None:
        return f"it waits and is {row['lease_owner']}'s"
    if state in ("claimed", "dialling", "live") and row["lease_owner"] is None:
        return f"it is {state} and nobody's"
    if state in _SETTLED and row["status"] is None:
        return f"it is {state} without a status"
    return ""


def _gates(case: _Case) -> Iterator[Violation]:
    """What waits is found: the hint of its lane, and the account's, is not later than the truth."""
    gates = {(row["account_id"], row["kind"], row["key"]): row for row in case.history.gates}
    due: dict[tuple[str, str, str], int] = {}
    for row in case.history.attempts:
        if row["state"] == "waiting" and not _lane_stopped(case, row):
            lane = row["account_id"], "agent" if row["batch_id"] is None else "batch", row["lane"]
            due[lane] = min(due.get(lane, row["due_at"]), row["due_at"])
    for lane, due_at in due.items():
        gate, account = gates.get(lane), gates.get((lane[0], "account", ""))
        if gate is None or account is None:
            yield Violation(Breach.LOST, "", f"{lane} waits and has no gate")
        elif gate["closed"] is None:
            at = max(due_at, gate["opens_at"])
            for one in (gate, account):
                if one["next_due_at"] is None or one["next_due_at"] > at:
                    where = one["kind"], one["key"]
                    yield Violation(
                        Breach.LOST, "", f"{lane} is due {at}, the gate {where} says {one['next_due_at']}"
                    )


def _records(case: _Case) -> Iterator[Violation]:
    """What an attempt claims of the wire was seen there."""
    if not case.history.wire:
        return
    for row in case.history.attempts:
        if row["state"] not in _SETTLED or row["call_id"] is None:
            continue
        claimed = {"completed": "acked", "busy": "486"}.get(row["status"])
        if claimed is not None and claimed not in case.seen[row["call_id"]]:
            yield Violation(
                Breach.RECORD,
                row["execution_id"],
                f"attempt {row['number']} is {row['status']}; on the wire {sorted(case.seen[row['call_id']])}",
            )


_CHECKS: Final[Sequence[_Check]] = (
    _dials_per_person,
    _dials_per_attempt,
    _budget,
    _strangers,
    _moments,
    _lost,
    _slots,
    _ends,
    _rows,
    _gates,
    _records,
)


def _config(execution: Row) -> Mapping[str, Any]:
    config = execution["retry_config"]
    config = json.loads(config) if isinstance(config, str) else config
    return config if config and config.get("enabled") else {}


def _retries(execution: Row) -> int:
    return int(_config(execution).get("max_retries", 0))


def _wanted(execution: Row, attempt: Row) -> bool:
    """Whether the policy wants another attempt after this one, its budget aside."""
    return attempt["status"] in _config(execution).get("retry_on_statuses", ())


def _voicemail(execution: Row, attempt: Row) -> bool:
    """Whether it would want one if a machine took the call."""
    return attempt["status"] == "completed" and bool(_config(execution).get("retry_on_voicemail"))


def _lane_stopped(case: _Case, attempt: Row) -> bool:
    """Its batch or agent was stopped: then no retry is opened."""
    keys = attempt["lane"], attempt["agent_id"]
    return any(
        gate["closed"] == "stopped" or attempt["seq"] <= gate["stopped_seq"]
        for gate in case.history.gates
        if gate["account_id"] == attempt["account_id"] and gate["key"] in keys
    )
