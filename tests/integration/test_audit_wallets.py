"""The audit of wallets: silent where every cent is entered, and each break is found by its check."""

from __future__ import annotations

import pytest

from ringback.accounts.sub_accounts import Details, SubAccounts
from ringback.aftercall.audit import CHECKS, audit_all
from ringback.billing.wallet import count
from ringback.executions.lifecycle import Status
from ringback.store.database import Database
from tests.support.ledgers import open_books
from tests.support.wallets import RESERVED, Till

OURS = ("wallets", "reservations", "charges")


@pytest.fixture
async def till(database: Database) -> Till:
    """With everything in it that can happen to a wallet."""
    till = Till(await open_books(database))
    await till.talked(await till.dialled(), 3, 4)
    await till.limited(4 * RESERVED)
    await till.talked(await till.dialled(), 10 * RESERVED, 0)  # written off in part
    await till.wallets.top_up(till.books.account_id, 3 * RESERVED)
    await till.moved(await till.dialled(), Status.BUSY)
    live = await till.dialled()
    await till.moved(live, Status.IN_PROGRESS)
    await till.moved(live, Status.CALL_DISCONNECTED, 7)
    await SubAccounts(database, till.books.clock).create(till.books.account_id, Details("branch"))
    return till


async def wrong(till: Till) -> set[str]:
    checks = [check for check in CHECKS if check.name in OURS]
    assert len(checks) == len(OURS)
    return {done.check.name for done in await audit_all(till.books.db, 100, checks) if done.wrong}


async def test_wallets_that_are_in_order(till: Till) -> None:
    assert await wrong(till) == set()
    await till.wallets.unlimit(till.books.account_id)
    await till.talked(await till.dialled(), 3, 4)
    assert await wrong(till) == set()
    assert await count(till.books.db) == 1
    assert await wrong(till) == set()


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE wallets SET balance = balance + 1", {"wallets"}),
        ("UPDATE wallets SET reserved = reserved + 1", {"wallets"}),
        ("DELETE FROM wallet_entries WHERE kind = 'adjust'", {"wallets"}),
        ("DELETE FROM wallet_entries WHERE kind = 'write-off'", {"charges"}),
        ("UPDATE wallet_entries SET amount = amount + 1 WHERE kind = 'charge'", {"wallets", "charges"}),
        ("UPDATE usage_lines SET amount = amount + 1 WHERE amount = 4", {"charges"}),
        ("DELETE FROM wallet_entries WHERE kind = 'reserve'", {"wallets", "reservations"}),
        ("UPDATE attempts SET reserved = reserved + 1 WHERE status = 'busy'", {"reservations"}),
        ("UPDATE attempts SET status = 'completed' WHERE status IS NULL", {"reservations", "charges"}),
        ("UPDATE attempts SET status = NULL WHERE status = 'busy'", {"reservations"}),
    ],
)
async def test_each_break_is_found(till: Till, statement: str, found: set[str]) -> None:
    async with till.books.db.transaction() as tx:
        assert await tx.execute(statement)
    assert await wrong(till) == found


async def test_a_call_that_was_removed_must_have_been_settled(till: Till) -> None:
    db = till.books.db
    async with db.transaction() as tx:
        await tx.execute("DELETE FROM executions WHERE status = 'busy'")
    assert await wrong(till) == set()
    async with db.transaction() as tx:
        await tx.execute("DELETE FROM executions WHERE status = 'call-disconnected'")
    assert await wrong(till) == {"reservations"}
