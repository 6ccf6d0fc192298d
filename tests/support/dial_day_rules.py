"""Rules of dialling that a simulated day can prove exactly, beside those of `dial_checker`.

Read are the database (with a diary that triggers keep, `DIARY`), the log of the network, and what clients were told.
Calling hours are reckoned anew, with zoneinfo alone.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Final, Protocol
from zoneinfo import ZoneInfo

from tests.support.dial_day_plan import ZONES
from tests.support.dial_day_webhooks import untold
from tests.support.wallets import ROWS, contradicting

DIARY: Final = """
CREATE TABLE diary (
  id INTEGER PRIMARY KEY, what TEXT, account_id TEXT, execution_id TEXT, number INTEGER, agent_id TEXT, batch_id TEXT,
  trunk TEXT, at_us INTEGER
);
CREATE TRIGGER slot_taken AFTER UPDATE OF slot_since ON attempts
WHEN OLD.slot_since IS NULL AND NEW.slot_since IS NOT NULL BEGIN
  INSERT INTO diary VALUES (NULL, 'taken', NEW.account_id, NEW.execution_id, NEW.number, NEW.agent_id, NEW.batch_id,
    NEW.trunk, NEW.slot_since);
END;
CREATE TRIGGER slot_left AFTER UPDATE OF slot_since ON attempts
WHEN OLD.slot_since IS NOT NULL AND NEW.slot_since IS NULL BEGIN
  INSERT INTO diary VALUES (NULL, 'left', NEW.account_id, NEW.execution_id, NEW.number, NEW.agent_id, NEW.batch_id,
    NEW.trunk, NULL);
END;
CREATE TRIGGER granted AFTER UPDATE OF dial_at ON attempts WHEN NEW.dial_at IS NOT NULL BEGIN
  INSERT INTO diary VALUES (NULL, 'granted', NEW.account_id, NEW.execution_id, NEW.number, NEW.agent_id, NEW.batch_id,
    NEW.trunk, NEW.dial_at);
END;
CREATE TRIGGER overtaken AFTER UPDATE OF state ON attempts WHEN NEW.state = 'claimed' AND EXISTS (
  SELECT 1 FROM attempts a WHERE a.account_id = NEW.account_id AND a.lane = NEW.lane AND a.state = 'waiting'
    AND (a.due_at = 0) = (NEW.due_at = 0)
    AND (a.due_at < NEW.due_at OR (a.due_at = NEW.due_at AND a.seq < NEW.seq))
    AND a.seq > (SELECT stopped_seq FROM gates g
                 WHERE g.account_id = NEW.account_id AND g.kind = 'agent' AND g.key = NEW.agent_id)
) BEGIN
  INSERT INTO diary VALUES (NULL, 'overtook', NEW.account_id, NEW.execution_id, NEW.number, NEW.agent_id, NEW.batch_id,
    NEW.trunk, NULL);
END;
"""
"""Written by the database itself, at each statement: what a look afterwards, or now and then, would not show."""

_PUNCTUAL_US: Final = 1000


@dataclass
class Told:
    """What clients know for certain."""

    placed: list[str] = field(default_factory=list)
    stopped: list[tuple[str, int]] = field(default_factory=list)
    """Executions, and when somebody was told that they are stopped: the call, its batch or its agent."""
    forbidden: list[tuple[str, str, int]] = field(default_factory=list)
    """Account, number, and when it was told that the number is on its do-not-call list."""
    files: dict[str, bytes] = field(default_factory=dict)
    """Of batches."""


class _Store(Protocol):
    def rows(self, sql: str, **params: object) -> list[dict[str, Any]]: ...


@dataclass(frozen=True)
class Day:
    """What is known of a day."""

    store: _Store
    wire: Sequence[dict[str, Any]]
    told: Told


def broken(day: Day) -> list[str]:
    """Every breach, a line each."""
    return [f"{rule.__name__.strip('_')}: {what}" for rule in _RULES for what in rule(day)]


def miscounted(store: _Store) -> list[str]:
    """What a batch shows of its executions is what they are: at any moment."""
    shown: Counter[str] = Counter()
    for row in store.rows(
        """
        SELECT value, count AS n FROM execution_counts WHERE dimension = 'batch_status'
        UNION ALL SELECT batch_id || ':' || status, delta FROM count_changes WHERE batch_id IS NOT NULL
        """
    ):
        shown[row["value"]] += row["n"]
    true = {
        row["value"]: row["n"]
        for row in store.rows(
            """
            SELECT batch_id || ':' || status AS value, COUNT(*) AS n FROM executions WHERE batch_id IS NOT NULL
            GROUP BY batch_id, status
            """
        )
    }
    return [
        f"{true.get(value, 0)} are {value}, the counters say {shown[value]}"
        for value in sorted(true.keys() | shown.keys())
        if true.get(value, 0) != shown[value]
    ]


def _hours(day: Day) -> Iterator[str]:
    """Nobody's telephone rings outside of the calling hours where they are."""
    windows = {
        (row["account_id"], row["id"]): json.loads(row["definition"]).get("calling_guardrails")
        for row in day.store.rows("SELECT account_id, id, definition FROM agents")
    }
    people = {
        row["call_id"]: row
        for row in day.store.rows(
            """
            SELECT a.call_id, e.account_id, e.agent_id, e.to_number, e.recipient_data,
              e.bypass_guardrails OR COALESCE(b.bypass_guardrails, FALSE) AS bypasses
            FROM attempts a JOIN executions e ON e.account_id = a.account_id AND e.id = a.execution_id
            LEFT JOIN batches b ON b.account_id = e.account_id AND b.id = e.batch_id WHERE a.call_id IS NOT NULL
            """
        )
    }
    for event in day.wire:
        person = people.get(event["call_id"]) if event["event"] == "invite" else None
        if person is None or person["bypasses"]:
            continue
        window = windows[person["account_id"], person["agent_id"]]
        said = json.loads(person["recipient_data"]).get("timezone")
        for zone in (said,) if said else _lies_in(person["to_number"]):
            local = _local(event["at"], zone)
            if window and not _is_open(window["call_start_hour"], window["call_end_hour"], local.hour):
                yield f"{person['to_number']} was dialled at {local} in {zone}, hours are {window}"


def _lies_in(number: str) -> tuple[str, ...]:
    return next(zones for prefix, zones in ZONES.items() if number.startswith(prefix))


def _is_open(start: int, end: int, hour: int) -> bool:
    if start == end:
        return True
    hours = {(start + n) % 24 for n in range((end - start) % 24)}
    return hour in hours


def _local(at_us: int, zone: str) -> datetime:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)).astimezone(ZoneInfo(zone))


def _stops(day: Day) -> Iterator[str]:
    """No dial is decided on after somebody was told that there will be none."""
    decided: defaultdict[str, list[int]] = defaultdict(list)
    for row in day.store.rows(
        "SELECT execution_id, at_us FROM execution_log WHERE component = 'system' AND data LIKE '% -> initiated%'"
    ):
        decided[row["execution_id"]].append(row["at_us"])
    for execution_id, told_us in day.told.stopped:
        for at_us in decided[execution_id]:
            if at_us > told_us:
                yield f"{execution_id} was dialled {at_us - told_us} us after the answer to its stop"
    numbers: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for row in day.store.rows("SELECT account_id, id, to_number FROM executions"):
        numbers[row["account_id"], row["to_number"]].append(row["id"])
    for account_id, number, told_us in day.told.forbidden:
        for execution_id in numbers[account_id, number]:
            for at_us in decided[execution_id]:
                if at_us > told_us:
                    yield f"{number} was dialled {at_us - told_us} us after it was not to be called again"


def _rates(day: Day) -> Iterator[str]:
    """No two grants of an account or a trunk are closer than its interval: then no second has too many."""
    granted: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for row in day.store.rows("SELECT account_id, trunk, at_us FROM diary WHERE what = 'granted'"):
        granted["account", row["account_id"]].append(row["at_us"])
        granted["trunk", row["trunk"]].append(row["at_us"])
    for where, interval in _intervals(day).items():
        for before, after in pairwise(sorted(granted[where])):
            if after - before < interval:
                yield f"{where}: granted {after - before} us after another, at {after}; the rate is {interval}"


def _intervals(day: Day) -> dict[tuple[str, str], int]:
    account = "SELECT account_id, interval_us FROM gates WHERE kind = 'account' AND interval_us IS NOT NULL"
    trunk = "SELECT name, interval_us FROM trunk_gates WHERE interval_us IS NOT NULL"
    return {
        **{("account", row["account_id"]): row["interval_us"] for row in day.store.rows(account)},
        **{("trunk", row["name"]): row["interval_us"] for row in day.store.rows(trunk)},
    }


def _punctual(day: Day) -> Iterator[str]:
    """Who has a rate dials when it was granted: not before, and not in the time of the next but one."""
    intervals = _intervals(day)
    attempts = {
        row["call_id"]: row
        for row in day.store.rows(
            "SELECT call_id, account_id, trunk, dial_at FROM attempts WHERE call_id IS NOT NULL"
        )
    }
    for event in day.wire:
        row = attempts.get(event["call_id"]) if event["event"] == "invite" else None
        if row is None:
            continue
        found = (intervals.get(("account", row["account_id"])), intervals.get(("trunk", row["trunk"])))
        rates = [interval for interval in found if interval is not None]
        late_us = event["at"] - row["dial_at"]
        if late_us < -_PUNCTUAL_US or (rates and late_us > max(20_000, max(rates) // 2) + _PUNCTUAL_US):
            yield f"{event['call_id']} was dialled {late_us} us after the moment that was granted"


def _slots(day: Day) -> Iterator[str]:
    """Never more slots are taken than any limit allows, after whichever statement."""
    limits = _limits(day)
    taken: Counter[tuple[str, str, str]] = Counter()
    for row in day.store.rows("SELECT * FROM diary WHERE what IN ('taken', 'left') ORDER BY id"):
        change = 1 if row["what"] == "taken" else -1
        for key in _keys(row):
            taken[key] += change
            if change > 0 and taken[key] > limits.get(key, taken[key]):
                yield f"{taken[key]} slots of {limits[key]} are taken at {key} (entry {row['id']})"


def _lines(day: Day) -> Iterator[str]:
    """Nor does the network have more calls at a time.

    But for calls whose worker was lost while they were talking: their slots are free when that is noticed.
    """
    limits = _limits(day)
    attempts = {
        row["call_id"]: row
        for row in day.store.rows(
            """
            SELECT call_id, account_id, agent_id, batch_id, trunk FROM attempts WHERE call_id IS NOT NULL
            AND NOT (answered_at IS NOT NULL AND hangup_reason = 'worker lost')
            """
        )
    }
    calls: Counter[tuple[str, str, str]] = Counter()
    for event in day.wire:
        row = attempts.get(event["call_id"])
        change = {"invite": 1, "over": -1}.get(event["event"])
        if row is None or change is None:
            continue
        for key in _keys(row):
            calls[key] += change
            if change > 0 and calls[key] > limits.get(key, calls[key]):
                yield f"{calls[key]} calls of {limits[key]} are open at {key}, at {event['at']}"


def _limits(day: Day) -> dict[tuple[str, str, str], int]:
    gate = "SELECT account_id, kind, key, max_calls FROM gates WHERE max_calls IS NOT NULL"
    trunk = "SELECT name, max_calls FROM trunk_gates WHERE max_calls IS NOT NULL"
    return {
        **{(row["account_id"], row["kind"], row["key"]): row["max_calls"] for row in day.store.rows(gate)},
        **{("", "trunk", row["name"]): row["max_calls"] for row in day.store.rows(trunk)},
    }


def _keys(row: dict[str, Any]) -> tuple[tuple[str, str, str], ...]:
    account_id = row["account_id"]
    batch = ((account_id, "batch", row["batch_id"]),) if row["batch_id"] else ()
    agent = account_id, "agent", row["agent_id"]
    return ((account_id, "account", ""), agent, ("", "trunk", row["trunk"]), *batch)


def _order(day: Day) -> Iterator[str]:
    """Inside a lane first come is first served; those who were put off have a moment of their own."""
    for row in day.store.rows("SELECT * FROM diary WHERE what = 'overtook'"):
        yield f"attempt {row['number']} of {row['execution_id']} was claimed before somebody who came first"


def _money(day: Day) -> Iterator[str]:
    """Every cent of a wallet is entered, each attempt is settled once, and nothing stays reserved."""
    yield from poor(day.store)
    for row in day.store.rows("SELECT account_id, reserved FROM wallets WHERE reserved <> 0"):
        yield f"{row['reserved']} of {row['account_id']} are reserved, and nobody talks"
    for row in day.store.rows(
        """
        SELECT a.execution_id, a.number FROM attempts a JOIN wallets w ON w.account_id = a.account_id
        WHERE a.status = 'balance-low' AND a.dialled_at IS NOT NULL
        """
    ):
        yield f"attempt {row['number']} of {row['execution_id']} was dialled and not paid for"


def poor(store: _Store) -> list[str]:
    """What contradicts itself in the wallets: at any moment."""
    return contradicting(*[store.rows(sql) for sql in ROWS])


def _webhooks(day: Day) -> Iterator[str]:
    """Each status is told once, in its order."""
    yield from untold(day.store)


def _batches(day: Day) -> Iterator[str]:
    """Each line of a file is an execution or a fault, the totals say so, and each batch has one end."""
    yield from miscounted(day.store)
    for row in day.store.rows(
        """
        SELECT b.*, (SELECT COUNT(*) FROM executions e WHERE e.account_id = b.account_id AND e.batch_id = b.id) AS made,
          (SELECT COUNT(*) FROM batch_faults f WHERE f.account_id = b.account_id AND f.batch_id = b.id) AS faults,
          (SELECT COUNT(*) FROM webhook_deliveries w WHERE w.subject = b.id AND w.event = 'completed') AS completed,
          (SELECT COUNT(*) FROM webhook_deliveries w WHERE w.subject = b.id AND w.event = 'processed') AS processed
        FROM batches b
        """
    ):
        where = f"batch {row['id']}, {row['state']}:"
        if row["state"] not in ("completed", "stopped", "deleted"):
            yield f"{where} it has no end"
        if (row["valid"], row["total"]) != (row["made"], row["made"] + row["faults"]):
            yield f"{where} {row['made']} executions and {row['faults']} faults are {row['valid']} of {row['total']}"
        may_complete = {"completed": (1,), "deleted": (0, 1)}.get(row["state"], (0,))
        if row["completed"] not in may_complete or row["processed"] != bool(row["processed_at"]):
            yield f"{where} {row['processed']} processed, {row['completed']} completed were sent"
        lines = [line for line in day.told.files[row["id"]].decode().split("\n")[1:] if line]
        if row["processed_at"] and row["total"] != len(lines):
            yield f"{where} {row['total']} of {len(lines)} lines were read"
    if jobs := day.store.rows("SELECT kind, subject, tries, error FROM jobs"):
        yield f"jobs are left over: {jobs}"
    if unknown := day.told.files.keys() - {row["id"] for row in day.store.rows("SELECT id FROM batches")}:
        yield f"batches that were accepted are not in the database: {unknown}"


_RULES: Final[Sequence[Callable[[Day], Iterator[str]]]] = (
    _hours,
    _stops,
    _rates,
    _punctual,
    _slots,
    _lines,
    _order,
    _batches,
    _money,
    _webhooks,
)
