"""A call that becomes another agent's: lists, totals and segments of both are right, and the record knows."""

from __future__ import annotations

import pytest

from ringback.app.upkeep import LedgerUpkeep
from ringback.executions import counts, segments
from ringback.executions.filters import Filters
from ringback.executions.ledger import LeaseLost
from ringback.executions.lifecycle import Status
from ringback.executions.record import AttemptState, Execution, NewExecution
from ringback.store.database import Database
from tests.support.ledgers import Books, open_books


@pytest.fixture
async def books(database: Database, monkeypatch: pytest.MonkeyPatch) -> Books:
    monkeypatch.setattr(segments, "ROWS", 10)
    books = await open_books(database)
    await books.agent("another")
    return books


async def received(books: Books) -> Execution:
    """A call to the agent, in the hands of a worker."""
    new = NewExecution(
        books.account_id, "agent", "+14155550100", "+14155550123", "sip-trunk", call_type="inbound"
    )
    async with books.db.transaction() as tx:
        held = {"state": AttemptState.CLAIMED, "lease_owner": "worker", "lease_until": 2**60}
        execution = await books.ledger.receive(new, held, tx=tx)  # type: ignore[arg-type]
        return await books.ledger.transition(books.account_id, execution.id, Status.INITIATED, tx=tx)


async def stopped(books: Books, agent_id: str, count: int) -> list[str]:
    ids = []
    for _ in range(count):
        execution = await books.create(agent_id=agent_id)
        await books.ledger.transition(books.account_id, execution.id, Status.STOPPED)
        ids.append(execution.id)
    return ids


async def listed(books: Books, agent_id: str) -> list[str]:
    return [record["id"] for record in await books.list(agent_id)]


async def totals(books: Books) -> list[int]:
    await counts.fold(books.db)
    return [
        (await counts.total(books.db, books.account_id, agent, Filters())).count
        for agent in ("agent", "another")
    ]


async def test_it_moves_from_one_list_to_the_other_with_its_data(books: Books) -> None:
    call = await received(books)
    assert await totals(books) == [1, 0]
    moved = await books.ledger.reassign(
        books.account_id,
        call.id,
        "another",
        changes={"recipient_data": {"reason": "billing"}},
        number=1,
        lease_owner="worker",
    )
    assert (moved.agent_id, moved.seq, moved.status) == ("another", call.seq, Status.INITIATED)
    assert (await listed(books, "agent"), await listed(books, "another")) == ([], [call.id])
    assert await totals(books) == [0, 1]
    [record] = await books.list("another")
    assert record["agent_id"] == "another"
    assert record["context_details"]["recipient_data"] == {"reason": "billing"}
    attempt = await books.ledger.attempt(books.account_id, call.id)
    assert (attempt.agent_id, attempt.lane, attempt.lease_owner) == ("another", "another", "worker")
    assert "agent agent -> another" in [row["data"] for row in await books.log(call)]


async def test_who_holds_it_no_more_moves_nothing(books: Books) -> None:
    call = await received(books)
    with pytest.raises(LeaseLost):
        await books.ledger.reassign(books.account_id, call.id, "another", number=1, lease_owner="another")
    assert await listed(books, "agent") == [call.id]


@pytest.mark.parametrize("before", [0, 4, 10, 14, 20])
async def test_it_comes_where_it_belongs_among_what_is_sealed(books: Books, before: int) -> None:
    """The other agent's calls of that time lie in segments already: before them, in one, between two, after all."""
    ids = await stopped(books, "another", before)
    call = await received(books)
    ids += [call.id, *await stopped(books, "another", 20 - before)]
    upkeep = LedgerUpkeep(books.db)
    await upkeep()
    assert call.id not in await listed(books, "another")
    await books.ledger.reassign(books.account_id, call.id, "another")
    assert await listed(books, "another") == ids[::-1]
    await upkeep()
    await books.ledger.transition(books.account_id, call.id, Status.ERROR)
    for _ in range(2):
        assert await listed(books, "another") == ids[::-1]
        await upkeep()
    assert await listed(books, "agent") == []
