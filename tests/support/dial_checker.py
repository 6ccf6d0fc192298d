"""The checker of dialling histories: it is given the database and the log of the wire, and believes nobody.

`violations` names each breach of a promise. Nothing here imports the code that dials.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Final

from tests.support import dial_wire as wire
from tests.support.dial_case import (
    CALLED_OFF,
    OVER,
    SETTLED,
    Breach,
    Case,
    Violation,
    lane_stopped,
    retries,
    voicemail,
    wanted,
)
from tests.support.dial_history import History, Row


def violations(history: History) -> list[Violation]:
    """Every breach, those of one execution together where a check walks over them."""
    case = Case(history)
    return [violation for check in _CHECKS for violation in check(case)]


def counted(found: Iterable[Violation]) -> dict[str, int]:
    """How many of each breach; those that did not happen too."""
    counts = Counter(violation.breach for violation in found)
    return {str(breach): counts[breach] for breach in Breach}


_Check = Callable[[Case], Iterator[Violation]]


def _budget(case: Case) -> Iterator[Violation]:
    """What the rows admit to, whether or not a packet arrived; and each attempt after the first had a right to be."""
    for execution, attempts in case.each():
        dialled = sum(row["dialled_at"] is not None for row in attempts)
        if max(dialled, len(attempts)) > 1 + retries(execution):
            yield Violation(
                Breach.DOUBLE_DIAL,
                execution["id"],
                f"{len(attempts)} attempts, {dialled} dialled, {1 + retries(execution)} are allowed",
            )
        for row in attempts[:-1]:
            if not (wanted(execution, row) or voicemail(execution, row)):
                yield Violation(
                    Breach.DOUBLE_DIAL,
                    execution["id"],
                    f"an attempt followed number {row['number']}, which ended {row['status']} ({row['state']})",
                )


def _lost(case: Case) -> Iterator[Violation]:
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


def _on_the_wire(case: Case, row: Row) -> bool:
    """Whether it was dialled, or says itself that perhaps it was not, or never got so far."""
    if row["state"] not in SETTLED or row["state"] == "unknown" or not case.history.wire:
        return True
    if row["dialled_at"] is None:
        return row["status"] in CALLED_OFF | {"error"}  # error: the agent could not be made ready
    return row["status"] in CALLED_OFF or bool({"invite", "dropped"} & case.seen[row["call_id"]])


def _lost_retries(case: Case) -> Iterator[Violation]:
    """An end that the policy wants retried, and no attempt came after it."""
    for execution, attempts in case.each():
        if not attempts or execution["status"] not in OVER - CALLED_OFF:
            continue
        if attempts[-1]["cancel_requested"]:
            continue  # a stop whose answer may not have arrived is one
        last = attempts[-1]
        machine = voicemail(execution, last) and execution["answered_by_voice_mail"]
        if (
            (wanted(execution, last) or machine)
            and len(attempts) <= retries(execution)
            and not lane_stopped(case, last)
        ):
            yield Violation(
                Breach.LOST,
                execution["id"],
                f"attempt {last['number']} ended {last['status']}; the retry after it never came",
            )


def _slots(case: Case) -> Iterator[Violation]:
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


def _limits(case: Case) -> Iterator[Violation]:
    """No gate has more slots taken behind it than it allows. Defaults of the settings are not known here."""
    column = {"agent": "agent_id", "batch": "batch_id"}
    taken = Counter(
        (row["account_id"], kind, row[column[kind]] if kind in column else "")
        for row in case.history.attempts
        if row["slot_since"] is not None
        for kind in ("account", "agent", "batch")
    )
    for gate in case.history.gates:
        key = gate["account_id"], gate["kind"], gate["key"]
        if gate["max_calls"] is not None and taken[key] > gate["max_calls"]:
            yield Violation(Breach.LIMIT, "", f"{taken[key]} slots of {gate['max_calls']} are taken at {key}")


def _rates(case: Case) -> Iterator[Violation]:
    """No two grants of an account are closer together than its interval: then no second has too many."""
    for gate in case.history.gates:
        if gate["kind"] != "account" or gate["interval_us"] is None:
            continue
        granted = sorted(
            row["dial_at"]
            for row in case.history.attempts
            if row["account_id"] == gate["account_id"] and row["dial_at"] is not None
        )
        for before, after in pairwise(granted):
            if after - before < gate["interval_us"]:
                yield Violation(Breach.LIMIT, "", f"granted {after - before} us after another, at {after}")


def _ends(case: Case) -> Iterator[Violation]:
    if not case.history.finished:
        return
    for execution, attempts in case.each():
        status, last = execution["status"], attempts[-1] if attempts else {}
        if status not in OVER:
            yield Violation(Breach.NOT_OVER, execution["id"], f"it is {status} ({last.get('state')})")
        elif status != "stopped" and not (execution["error_message"] or last.get("hangup_reason")):
            yield Violation(Breach.NOT_OVER, execution["id"], f"it ended {status} and nothing says why")
        for row in attempts:
            if row["state"] not in SETTLED:
                yield Violation(
                    Breach.NOT_OVER, execution["id"], f"attempt {row['number']} is {row['state']}"
                )


def _rows(case: Case) -> Iterator[Violation]:
    for execution, attempts in case.each():
        numbers = [row["number"] for row in attempts]
        if numbers != list(range(1, execution["retry_count"] + 2)):
            yield Violation(
                Breach.ROWS, execution["id"], f"{execution['retry_count']} retries, attempts {numbers}"
            )
        open_ones = [row["number"] for row in attempts if row["state"] not in SETTLED]
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
    if state in SETTLED and row["status"] is None:
        return f"it is {state} without a status"
    return ""


def _gates(case: Case) -> Iterator[Violation]:
    """What waits is found: the hint of its lane, and the account's, is not later than the truth."""
    gates = {(row["account_id"], row["kind"], row["key"]): row for row in case.history.gates}
    due: dict[tuple[str, str, str], int] = {}
    for row in case.history.attempts:
        if row["state"] == "waiting" and not lane_stopped(case, row):
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


def _bills(case: Case) -> Iterator[Violation]:
    """Nothing is billed twice to one attempt."""
    for row in case.history.bills:
        if row["n"] > 1:
            what = f"attempt {row['attempt']} is billed {row['n']} times for {row['kind']}"
            yield Violation(Breach.ROWS, row["execution_id"], what)


def _words(case: Case) -> Iterator[Violation]:
    """What was said in one attempt is not in the record of another."""
    for row in case.history.words:
        if row["text"] != f"attempt {row['attempt']}":
            what = f"in attempt {row['attempt']} somebody said: {row['text']}"
            yield Violation(Breach.ROWS, row["execution_id"], what)


def _counters(case: Case) -> Iterator[Violation]:
    """The totals that lists and batches show are those of the rows."""
    true = Counter((row["account_id"], row["status"]) for row in case.history.executions)
    shown = {(row["account_id"], row["status"]): row["n"] for row in case.history.counters}
    for key in true.keys() | shown.keys() if shown else ():
        if true[key] != shown.get(key, 0):
            yield Violation(
                Breach.ROWS, "", f"{true[key]} executions are {key[1]}, counted are {shown.get(key, 0)}"
            )


_CHECKS: Final[Sequence[_Check]] = (
    wire.dials_per_person,
    wire.dials_per_attempt,
    _budget,
    wire.strangers,
    wire.moments,
    _lost,
    _slots,
    _limits,
    _rates,
    _ends,
    _rows,
    _gates,
    _bills,
    _words,
    _counters,
    wire.records,
)
