"""What must be true of the work after the calls when all is over, however often its workers died.

Every call that was answered is completed, with what it would have without a crash; its money moved once; each of its
statuses arrived at its webhook, in their order. What the product's own audit finds counts too.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from benchmarks.crash.pondering import NAMES, expected
from ringback.aftercall.audit import audit_all
from ringback.store.database import Database
from tests.support.dial_case import Breach, Violation
from tests.support.webhook_post import Receiver

_Row = Mapping[str, Any]
_SHOWN: Final = 20

_COMPLETED: Final = """
SELECT a.execution_id, a.number, a.status, e.body,
  CASE WHEN a.number = e.retry_count + 1 THEN 1 ELSE 0 END AS is_last, (a.ended_at - a.answered_at) / 1000 AS leg_ms,
  (SELECT COUNT(*) FROM turns t WHERE t.account_id = a.account_id AND t.execution_id = a.execution_id
     AND t.attempt = a.number) AS turns
FROM attempts a JOIN executions e ON e.account_id = a.account_id AND e.id = a.execution_id
WHERE a.answered_at IS NOT NULL
"""
_MONEY: Final = """
SELECT a.execution_id, a.number,
  (SELECT COALESCE(SUM(u.amount), 0) FROM usage_lines u WHERE u.account_id = a.account_id
     AND u.execution_id = a.execution_id AND u.attempt = a.number) AS used,
  (SELECT COUNT(*) FROM usage_lines u WHERE u.account_id = a.account_id AND u.execution_id = a.execution_id
     AND u.attempt = a.number AND u.kind = 'llm') AS asked,
  {sums}
FROM attempts a
"""
_KINDS: Final = ("reserve", "release", "charge", "write-off")


async def aftermath(db: Database, receiver: Receiver) -> list[Violation]:
    found = [
        *await _contents(db),
        *await _money(db),
        *_told(await db.fetch_all("SELECT * FROM webhook_deliveries ORDER BY subject, position"), receiver),
    ]
    for checked in await audit_all(db, _SHOWN):
        for row in checked.wrong:
            what = f"audit, {checked.check.name}: {dict(row)}"
            found.append(Violation(Breach.ROWS, str(row["subject"]), what))
    return found


async def _contents(db: Database) -> list[Violation]:
    rows = await db.fetch_all("SELECT execution_id, attempt, name, state, result FROM stages ORDER BY at_us")
    stages: defaultdict[tuple[str, int], list[_Row]] = defaultdict(list)
    for row in rows:
        stages[row["execution_id"], row["attempt"]].append(row)
    return [
        Violation(Breach.RECORD, row["execution_id"], f"attempt {row['number']}: {why}")
        for row in await db.fetch_all(_COMPLETED)
        for why in _wrong(row, stages[row["execution_id"], row["number"]])
    ]


def _wrong(row: _Row, stages: Sequence[_Row]) -> Iterator[str]:
    if row["status"] != "completed":
        yield f"it was answered and ended {row['status']}"
        return
    said = row["turns"] > 0
    results = {name: expected(row["turns"], said + place) for place, name in enumerate(NAMES)}
    # Of a worker that was lost at the answer nobody knows that it talked: there is nothing to rate.
    rated = {"rating": None} if row["leg_ms"] else {}
    wanted = rated | results | ({"transcript": {"turns": row["turns"]}} if said else {})
    # Who took over a call after a loss writes down too what found nothing.
    done = {stage["name"]: stage for stage in stages if stage["result"] or stage["name"] in wanted}
    if any(stage["state"] != "done" for stage in stages):
        yield f"not every stage is done: {[dict(stage) for stage in stages]}"
    elif {name: _result(stage) for name, stage in done.items()} != wanted:
        yield f"its stages found {[dict(stage) for stage in stages]}"
    if row["is_last"] and json.loads(row["body"])["extracted_data"] != results:
        yield f"its record says {json.loads(row['body'])['extracted_data']}, not {results}"


def _result(stage: _Row) -> Any:
    return None if stage["result"] is None else json.loads(stage["result"])


async def _money(db: Database) -> list[Violation]:
    """Of each attempt once: reserved and released as much, charged what was used; the wallet is what is left."""
    found = []
    total = 0
    for row in await db.fetch_all(_MONEY.format(sums=", ".join(_sum(kind) for kind in _KINDS))):
        total += row["charge"]
        wrong = row["charge"] + row["write_off"] != row["used"] or row["reserve"] != row["release"]
        if wrong or row["asked"] not in (0, len(NAMES)):
            found.append(Violation(Breach.ROWS, row["execution_id"], f"its money: {dict(row)}"))
    [wallet] = await db.fetch_all("SELECT balance, reserved FROM wallets")
    [paid] = await db.fetch_all("SELECT SUM(amount) AS amount FROM wallet_entries WHERE kind = 'top-up'")
    if wallet["reserved"] or wallet["balance"] != paid["amount"] - total:
        found.append(Violation(Breach.ROWS, "", f"{dict(paid)}, charged {total}, the wallet: {dict(wallet)}"))
    return found


def _sum(kind: str) -> str:
    return f"""
    (SELECT COALESCE(SUM(w.amount), 0) FROM wallet_entries w WHERE w.account_id = a.account_id
       AND w.execution_id = a.execution_id AND w.attempt = a.number AND w.kind = '{kind}'
    ) AS {kind.replace("-", "_")}"""


def _told(rows: Sequence[_Row], receiver: Receiver) -> Iterator[Violation]:
    arrived: defaultdict[str, list[int]] = defaultdict(list)
    events: dict[tuple[str, int], str] = {}
    for request in receiver.got:
        subject, _, position = request.headers["webhook-id"].rpartition("-")
        arrived[subject].append(int(position))
        events[subject, int(position)] = request.json["status"]
    written: defaultdict[str, list[_Row]] = defaultdict(list)
    for row in rows:
        written[row["subject"]].append(row)
    for subject, deliveries in written.items():
        positions = [row["position"] for row in deliveries]
        firsts = list(dict.fromkeys(arrived[subject]))
        if any(row["state"] != "delivered" for row in deliveries) or firsts != positions:
            what = f"told {[dict(row) | {'payload': ''} for row in deliveries]}, arrived {arrived[subject]}"
            yield Violation(Breach.LOST, subject, what)
        elif any(events[subject, row["position"]] != row["event"] for row in deliveries):
            yield Violation(Breach.RECORD, subject, "a delivery said another status than it was written for")
