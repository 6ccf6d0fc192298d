"""What the checks of dialling histories share: the breaches there are, a history with its indexes, the retry policy."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from tests.support.dial_history import History, Row

OVER: Final = frozenset(
    {"completed", "no-answer", "busy", "failed", "canceled", "stopped", "error", "balance-low"}
)
CALLED_OFF: Final = frozenset({"canceled", "stopped", "balance-low"})
"""Ends after which nobody is dialled again, whatever the retry policy says."""
SETTLED: Final = frozenset({"done", "unknown"})


class Breach(StrEnum):
    DOUBLE_DIAL = "double_dials"
    """A person was dialled more often than configured."""
    LOST = "lost"
    """A call that was asked for, or a retry that was due, never came about."""
    SLOT = "slots_leaked"
    """A line counts as taken and is not, or the other way round."""
    LIMIT = "limits_exceeded"
    """More calls at a time, or grants closer together, than a gate allows."""
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


class Case:
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


def _config(execution: Row) -> Mapping[str, Any]:
    config = execution["retry_config"]
    config = json.loads(config) if isinstance(config, str) else config
    return config if config and config.get("enabled") else {}


def retries(execution: Row) -> int:
    return int(_config(execution).get("max_retries", 0))


def wanted(execution: Row, attempt: Row) -> bool:
    """Whether the policy wants another attempt after this one, its budget aside. Who was talked to is not called again
    because our own work failed afterwards."""
    return attempt["answered_at"] is None and attempt["status"] in _config(execution).get(
        "retry_on_statuses", ()
    )


def voicemail(execution: Row, attempt: Row) -> bool:
    """Whether it would want one if a machine took the call."""
    return attempt["status"] == "completed" and bool(_config(execution).get("retry_on_voicemail"))


def lane_stopped(case: Case, attempt: Row) -> bool:
    """Its batch or agent was stopped: then no retry is opened."""
    keys = attempt["lane"], attempt["agent_id"]
    return any(
        gate["closed"] == "stopped" or attempt["seq"] <= gate["stopped_seq"]
        for gate in case.history.gates
        if gate["account_id"] == attempt["account_id"] and gate["key"] in keys
    )
