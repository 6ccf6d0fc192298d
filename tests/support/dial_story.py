"""A dialling history that is as it should be, to be broken by hand."""

from __future__ import annotations

import json
from collections import Counter
from copy import deepcopy
from typing import Any

from tests.support.dial_case import Breach
from tests.support.dial_checker import violations
from tests.support.dial_history import History

Rows = dict[str, Any]
S = 1_000_000
RETRY = {"enabled": True, "max_retries": 2, "retry_on_statuses": ["busy", "error"]}


def execution(name: str, status: str, **more: Any) -> Rows:
    return {
        "account_id": "account",
        "id": name,
        "seq": 1,
        "status": status,
        "to_number": f"+1415555000{name}",
        "error_message": None,
        "retry_config": None,
        "retry_count": 0,
        "initiated_at": 10 * S,
        "answered_by_voice_mail": False,
        **more,
    }


def attempt(name: str, number: int, state: str, status: str | None, **more: Any) -> Rows:
    """One that was dialled at second 10 x number and ended a second later, if it is settled."""
    over = state in ("done", "unknown")
    return {
        "account_id": "account",
        "execution_id": name,
        "number": number,
        "state": state,
        "status": status,
        "due_at": 1 * S,
        "lease_owner": None,
        "cancel_requested": False,
        "call_id": f"{name}-{number}",
        "dialled_at": 10 * number * S,
        "dial_at": None,
        "answered_at": None,
        "ended_at": (10 * number + 1) * S if over else None,
        "hangup_reason": "why" if over else None,
        "agent_id": "agent",
        "batch_id": None,
        "lane": "agent",
        "seq": 1,
        "slot_since": None,
        **more,
    }


def waiting(name: str, **more: Any) -> Rows:
    return attempt(name, 1, "waiting", None, call_id=None, dialled_at=None, **more)


def gate(kind: str, key: str, **more: Any) -> Rows:
    return {
        "account_id": "account",
        "kind": kind,
        "key": key,
        "max_calls": None,
        "interval_us": None,
        "opens_at": 0,
        "next_due_at": None,
        "closed": None,
        "stopped_seq": 0,
        **more,
    }


def seen(call_id: str, number: str, at_s: float, final: int) -> list[Rows]:
    def event(kind: str, **more: Any) -> Rows:
        return {
            "event": kind,
            "call_id": call_id,
            "tag": "t",
            "number": number,
            "at": round(at_s * S),
            **more,
        }

    return [event("invite"), event("final", status=final), event("acked"), event("over", by="sink")]


class Story:
    """Busy, then answered; another one busy without a policy; a third whose worker was lost."""

    def __init__(self) -> None:
        self.executions = [
            execution("1", "completed", retry_config=json.dumps(RETRY), retry_count=1),
            execution("2", "busy"),
            execution("3", "error", error_message="lost"),
        ]
        self.attempts = [
            attempt("1", 1, "done", "busy"),
            attempt("1", 2, "done", "completed"),
            attempt("2", 1, "done", "busy"),
            attempt("3", 1, "unknown", "error"),
        ]
        self.gates: list[Rows] = []
        self.wire = [
            *seen("1-1", "+14155550001", 10.1, 486),
            *seen("1-2", "+14155550001", 20.1, 200),
            *seen("2-1", "+14155550002", 10.1, 486),
        ]
        self.placed = ["1", "2", "3"]
        self.stopped: dict[str, int] = {}
        self.bills: list[Rows] = [{"execution_id": "1", "attempt": 2, "kind": "platform", "n": 1}]
        self.words: list[Rows] = [{"execution_id": "1", "attempt": 2, "text": "attempt 2"}]
        self.miscounted: dict[str, int] = {}
        self.finished = True

    def breaches(self) -> set[Breach]:
        known = deepcopy(vars(self))
        counts = Counter(row["status"] for row in self.executions)
        counts.update(known.pop("miscounted"))
        counters = [{"account_id": "account", "status": status, "n": n} for status, n in counts.items()]
        return {violation.breach for violation in violations(History(counters=counters, **known))}
