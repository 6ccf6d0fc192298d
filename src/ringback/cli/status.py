"""`ringback status`: the workers and what waits for them, for people and (`--json`) for programs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final

import typer

from ringback.app.settings import load
from ringback.clock import SystemClock
from ringback.store.database import Database, open_database
from ringback.store.queries import queue, status, trunks, workers
from ringback.store.version import require_newest

_MOST: Final = 10_000
"""Waiting calls are counted so far."""
_MOST_LANES: Final = 100

Report = dict[str, Any]


def register(app: typer.Typer) -> None:
    app.command("status", help="Show the workers, and what waits for them.")(show)


def show(
    as_json: Annotated[bool, typer.Option("--json", help="For programs: one JSON object.")] = False,
) -> None:
    settings = load()

    async def look() -> Report:
        await require_newest(settings.store_url)
        db = await open_database(settings.store_url)
        try:
            return await report(db, SystemClock().now_us())
        finally:
            await db.close()

    found = asyncio.run(look())
    typer.echo(json.dumps(found, indent=2) if as_json else "\n".join(lines(found)))


async def report(db: Database, now_us: int) -> Report:
    """Ages and waits in seconds."""
    due, later = (
        await queue.depth(db, now_us=now_us, limit=_MOST),
        await status.promised(db, now_us=now_us, limit=_MOST),
    )
    assert later is not None
    return {
        "workers": [_worker(row, now_us) for row in await workers.everyone(db)],
        "queue": {
            "due": due["due"],
            "oldest_s": _seconds(due["oldest"], now_us),
            "later": later["later"],
            "next_in_s": None if later["next_at"] is None else -(_seconds(later["next_at"], now_us) or 0.0),
            "counted_up_to": _MOST,
        },
        "accounts": [
            {"account_id": row["account_id"], "calls": row["calls"], "unknown": row["unknown"]}
            for row in await status.slots(db)
        ],
        "paused": [
            {
                "account_id": row["account_id"],
                "kind": row["kind"],
                "id": row["key"],
                "since_s": _seconds(row["closed_at"], now_us),
                "why": row["closed_why"],
            }
            for row in await status.closed_lanes(db, limit=_MOST_LANES)
        ],
        "trunks": await _trunks(db, now_us),
        "jobs": [
            {"kind": row["kind"], "waiting": row["jobs"], "failing": row["failing"]}
            for row in await status.jobs(db)
        ],
    }


def _worker(row: Mapping[str, Any], now_us: int) -> Report:
    return {
        "name": row["name"],
        "machine": row["machine"],
        "number": row["number"],
        "pid": row["pid"],
        "address": row["address"],
        "state": row["state"],
        "calls": row["calls"],
        "capacity": row["capacity"],
        "lateness_ms": row["lateness_us"] / 1000,
        "up_s": _seconds(row["started_at"], now_us),
        "seen_s": _seconds(row["seen_at"], now_us),
    }


async def _trunks(db: Database, now_us: int) -> list[Report]:
    gateways = await trunks.gateways(db)
    return [
        {
            "account_id": row["account_id"],
            "id": row["id"],
            "name": row["name"],
            "kept_by": row["lease_owner"] if (row["lease_until"] or 0) > now_us else None,
            "registration": row["registration"],
            "contact": row["contact"],
            "error": row["registration_error"],
            "gateways": [
                {
                    "address": f"{one['address']}:{one['port']}",
                    "state": one["state"],
                    "answer_ms": None if one["answer_us"] is None else one["answer_us"] / 1000,
                    "asked_s": _seconds(one["asked_at"], now_us),
                    "error": one["error"],
                }
                for one in gateways
                if (one["account_id"], one["trunk_id"]) == (row["account_id"], row["id"])
            ],
        }
        for row in await trunks.active(db)
    ]


def _seconds(since_us: int | None, now_us: int) -> float | None:
    return None if since_us is None else round((now_us - since_us) / 1_000_000, 1)


def lines(found: Report) -> Iterator[str]:
    yield f"{'machine':<16} {'no':>2} {'address':<22} {'state':<9} {'calls':>9} {'late':>8} {'up':>9} {'seen':>8}"
    for worker in found["workers"]:
        calls = f"{worker['calls']}/{worker['capacity']}"
        yield (
            f"{worker['machine']:<16} {worker['number']:>2} {worker['address'] or '-':<22} {worker['state']:<9}"
            f" {calls:>9} {worker['lateness_ms']:>5.1f} ms {worker['up_s']:>7.0f} s {worker['seen_s']:>6.1f} s"
        )
    if not found["workers"]:
        yield "no worker has said that it is there"
    waiting = found["queue"]
    oldest = "" if waiting["oldest_s"] is None else f", the oldest for {waiting['oldest_s']:.0f} s"
    soon = "" if waiting["next_in_s"] is None else f", the next in {waiting['next_in_s']:.0f} s"
    yield f"queue: {_counted(waiting['due'])} due{oldest}; {_counted(waiting['later'])} later{soon}"
    for account in found["accounts"]:
        lost = f", {account['unknown']} of them lost" if account["unknown"] else ""
        yield f"account {account['account_id']}: {account['calls']} calls{lost}"
    for lane in found["paused"]:
        yield f"paused: {lane['kind']} {lane['id']} for {lane['since_s'] or 0:.0f} s: {lane['why'] or 'no reason'}"
    for trunk in found["trunks"]:
        kept = "" if trunk["kept_by"] else ", kept by no worker"
        error = f": {trunk['error']}" if trunk["error"] else ""
        yield f"trunk {trunk['id']} ({trunk['name']}): {trunk['registration'] or 'not registered'}{error}{kept}"
        for gateway in trunk["gateways"]:
            took = "" if gateway["answer_ms"] is None else f" in {gateway['answer_ms']:.0f} ms"
            why = f" ({gateway['error']})" if gateway["error"] else ""
            yield f"  gateway {gateway['address']}: {gateway['state']}{took}{why}"
    for job in found["jobs"]:
        yield f"jobs: {job['waiting']} {job['kind']}, {job['failing']} failing"


def _counted(number: int) -> str:
    return f"{number} or more" if number >= _MOST else str(number)
