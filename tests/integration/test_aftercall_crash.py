"""kill -9 at every moment of the work after a call: what comes of it is what comes of it without a crash.

Processes and kills are real; the call before is written into the store, and nobody is asked over a network.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ringback.aftercall.recording import recording_path
from ringback.dialing.reaper import Reaper
from ringback.executions.record import Execution, Turn
from ringback.executions.recording_files import transfer_place
from ringback.executions.transfer import Transfer
from ringback.media.frame import FRAME_SAMPLES
from ringback.media.recorder import Recorder
from ringback.store.database import Database
from tests.support.after_call import OWNER, disconnected
from tests.support.dying_worker import Order, lives, work_after
from tests.support.ledgers import Books, open_books

OTHER = "another worker"
FRAME = np.full(FRAME_SAMPLES, 1000, np.int16)
TURNS = [Turn(0, "assistant", "Hello!", 0, 900), Turn(1, "user", "Who is it?", 1000, 1900)]
HAS_A_WEBHOOK = (
    "UPDATE agents SET webhook_url = 'https://client.example' WHERE account_id = :account AND id = :agent",
    """
    INSERT INTO webhook_endpoints (account_id, id, url, secret, created_at)
    VALUES (:account, 'endpoint', 'https://client.example', 'secret', 1)
    """,
)
OF_ITS_OWN = ("id", "execution_id", "created_at", "updated_at", "createdAt", "updatedAt", "initiated_at")
"""What differs between any two calls."""


@pytest.fixture
async def books(database: Database) -> Books:
    return await open_books(database)


async def _recorded(books: Books, folder: Path, part: bool) -> Execution:
    """A call that is over, and was somebody else's for its last minute; of a lost worker's recordings there is only
    what it had written, and nothing of the end of the transfer."""
    call = await disconnected(books)
    where = (books.account_id, call.id)
    await books.ledger.add_turns(*where, TURNS)
    answered, place = (await books.ledger.attempt(*where)).answered_at, transfer_place(*where, 1, 1)
    assert answered is not None
    transfer = Transfer("attended", "+14155550177", "+14155550100", "sip-trunk", "second", answered)
    transfer = replace(transfer, answered_at=answered + 1_000_000, recording_path=place)
    await books.ledger.update(*where, attempt={"transfers": [transfer]})
    for path in (recording_path(folder, *where, 1), folder / place):
        recorder = Recorder(path)
        for _ in range(50):
            recorder.write(FRAME, FRAME)
        await recorder.close()
        if part:
            path.rename(path.with_name(f"{path.name}.part"))
    return call


async def _adopt(books: Books) -> None:
    """The lost worker's lease runs out, and another one takes the call."""
    reaper = Reaper(books.db, books.ledger, books.clock, OTHER)
    books.clock.us += 3_600_000_000
    await reaper.reap()  # it looks so late that it leaves this round out
    await reaper.reap()


async def _content(books: Books, call: Execution) -> dict[str, Any]:
    """All that came of it, without what differs between any two calls."""
    body = await books.body(call)
    record = {key: value for key, value in body.items() if key not in OF_ITS_OWN}
    attempt = await books.ledger.attempt(books.account_id, call.id)
    written = json.dumps(record).replace(call.id, "its id")
    for token in (attempt.recording_token, attempt.transfer_token):
        written = written.replace(token or "?", "its token")
    found: dict[str, Any] = {"record": json.loads(written)}
    for table, columns in OF_TABLES.items():
        rows = await books.db.fetch_all(
            f"SELECT {columns} FROM {table} WHERE account_id = :account AND execution_id = :id",
            account=books.account_id,
            id=call.id,
        )
        found[table] = sorted(map(str, (tuple(row.values()) for row in rows)))
    return found


OF_TABLES = {
    "stages": "name, state, tries, result, error",
    "usage_lines": "attempt, kind, provider, model, unit, quantity, amount, price, purpose",
    "wallet_entries": "kind, debit, credit, amount, attempt",
    "execution_log": "type, component, data",
    "attempts": "number, state, status, recording_ms, recording_sha256, conversation_ms, lease_owner",
}


async def _told(books: Books, call: Execution) -> list[str]:
    """The statuses in the outbox, in their order."""
    rows = await books.db.fetch_all(
        "SELECT event FROM webhook_deliveries WHERE account_id = :account AND subject = :id ORDER BY position",
        account=books.account_id,
        id=call.id,
    )
    return [row["event"] for row in rows]


@pytest.mark.parametrize("part", [False, True], ids=["closed", "left open"])
async def test_whoever_dies_when(books: Books, database_url: str, tmp_path: Path, part: bool) -> None:
    async with books.db.transaction() as tx:
        for statement in HAS_A_WEBHOOK:
            values = {"account": books.account_id, "agent": books.agent_id}
            await tx.execute(statement, **{name: values[name] for name in values if f":{name}" in statement})
    call = await _recorded(books, tmp_path, part)
    await work_after(books.db, books.clock, tmp_path).complete(books.account_id, call.id, 1, OWNER)
    wanted, told = await _content(books, call), await _told(books, call)
    assert wanted["record"]["status"] == "completed"
    assert (
        wanted["record"]["transfer_call_data"]["duration"],
        wanted["record"]["cost_breakdown"]["transfer_cost"],
    ) == (60, 1.2)
    assert told[-2:] == ["call-disconnected", "completed"]
    deaths = 0
    while True:
        call = await _recorded(books, tmp_path, part)
        order = Order(database_url, tmp_path, books.account_id, call.id, books.clock.us, dies_at=deaths + 1)
        if await asyncio.to_thread(lives, order):
            break
        deaths += 1
        await _adopt(books)
        await work_after(books.db, books.clock, tmp_path).complete(books.account_id, call.id, 1, OTHER)
        assert await _content(books, call) == wanted, f"after a death at moment {order.dies_at}"
        assert await _told(books, call) == told
    assert deaths > 30
