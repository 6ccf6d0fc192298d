"""Which number a call is made from, by which trunk, and within which trunk's limits; on both databases."""

from __future__ import annotations

from pathlib import Path

import pytest

from ringback.dialing.limits import Defaults
from ringback.dialing.taking import Taking
from ringback.dialing.ways import NoFromNumber, Way, Ways
from ringback.executions.lifecycle import Status
from ringback.store.database import Database
from ringback.store.queries import trunk_gates
from ringback.trunks.gateway import Gateway
from ringback.trunks.numbers import NewNumber, Numbers
from ringback.trunks.secrecy import Secrecy
from ringback.trunks.trunk import Trunk, TrunkFields
from ringback.trunks.trunks import Trunks
from tests.support.ledgers import Books, open_books

SHARED = ("+14155550100", "+14155550101")


class Desk:
    """An account with trunks."""

    def __init__(self, books: Books, folder: Path) -> None:
        self.books = books
        self.trunks = Trunks(books.db, books.clock, Secrecy.of_folder(folder))
        self.numbers = Numbers(books.db, books.clock)

    async def trunk(self, name: str, *numbers: str, **fields: object) -> Trunk:
        given: dict[str, object] = {
            "name": name,
            "provider": "p",
            "auth_type": "ip-based",
            "ip_identifiers": ("192.0.2.7",),
            "gateways": (Gateway("192.0.2.7"),),
        }
        new = [NewNumber(number) for number in numbers]
        return await self.trunks.create(self.books.account_id, TrunkFields(**(given | fields)), new)  # type: ignore[arg-type]

    async def calls(self, count: int, trunk_id: str | None, agent: str = "agent") -> list[str]:
        made = [await self.books.create(trunk_id=trunk_id, agent_id=agent) for _ in range(count)]
        return [one.id for one in made]

    async def taken(self, room: int = 20) -> list[str]:
        """Which calls a worker claims."""
        taking = Taking(self.books.db, self.books.ledger, self.books.clock, "one", defaults=Defaults())
        ids = []
        while claims := (await taking.take(room)).claims:
            ids += [claim.execution_id for claim in claims]
        return ids


@pytest.fixture
async def desk(database: Database, tmp_path: Path) -> Desk:
    return Desk(await open_books(database), tmp_path)


async def test_which_number_and_which_trunk(desk: Desk) -> None:
    db, account, ways = desk.books.db, desk.books.account_id, Ways(SHARED)
    assert await ways.way(db, account, None) == Way(SHARED[0])
    assert await ways.way(db, account, SHARED[1]) == Way(SHARED[1])
    trunk = await desk.trunk("one", "4930123456", "+4930123457")
    own = Way("+4930123456", trunk.id)
    assert await ways.way(db, account, "+4930123456") == own
    assert await ways.way(db, account, None) == own, "the account's own comes before what all share"
    await desk.trunks.change(account, trunk.id, {"is_active": False})
    assert await ways.way(db, account, None) == Way(SHARED[0])
    rented = await desk.numbers.take(account, NewNumber("+14155550180"))
    assert await ways.way(db, account, None) == Way("+14155550180")
    assert await ways.way(db, account, rented.phone_number) == Way("+14155550180")
    for number in ("+4930999", "+14155550181"):
        with pytest.raises(NoFromNumber, match="is not one of your numbers"):
            await ways.way(db, account, number)
    with pytest.raises(NoFromNumber, match="there is no number to call from"):
        await Ways().way(db, "somebody else", None)
    with pytest.raises(NoFromNumber, match="is not one of your numbers"):
        await ways.way(db, "somebody else", "+4930123456")


async def test_a_batch_has_one_trunk(desk: Desk) -> None:
    db, account, ways = desk.books.db, desk.books.account_id, Ways(SHARED)
    trunk = await desk.trunk("one", "4930123456", "4930123457")
    pool = await ways.pool(db, account, ("+4930123456", "+4930123457"))
    assert [way.trunk_id for way in pool] == [trunk.id, trunk.id]
    assert await ways.pool(db, account, ()) == (Way("+4930123456", trunk.id),)
    with pytest.raises(NoFromNumber, match="on the same trunk"):
        await ways.pool(db, account, ("+4930123456", SHARED[0]))


async def test_each_trunk_has_its_own_limit(desk: Desk) -> None:
    """And a full one keeps no call of another waiting, not even behind it in the same lane."""
    narrow = await desk.trunk("narrow", "4930123456", max_calls=2)
    wide = await desk.trunk("wide", "4930123457")
    first = await desk.calls(5, narrow.id)
    others = await desk.calls(3, wide.id)
    shared = await desk.calls(2, None)
    taken = await desk.taken()
    assert sorted(taken) == sorted([*first[:2], *others, *shared])
    assert await desk.taken() == []
    for status in (Status.INITIATED, Status.FAILED):
        await desk.books.ledger.transition(desk.books.account_id, first[0], status)
    assert await desk.taken() == [first[2]]


async def test_a_raised_limit_holds_at_once(desk: Desk) -> None:
    narrow = await desk.trunk("narrow", "4930123456", max_calls=1)
    calls = await desk.calls(4, narrow.id)
    assert await desk.taken() == calls[:1]
    await desk.trunks.change(desk.books.account_id, narrow.id, {"max_calls": 3})
    assert await desk.taken() == calls[1:3]
    await desk.trunks.change(desk.books.account_id, narrow.id, {"max_calls": None})
    assert await desk.taken() == calls[3:]


async def test_a_retry_leaves_by_the_same_trunk(desk: Desk) -> None:
    trunk = await desk.trunk("one", "4930123456")
    retry = {
        "enabled": True,
        "max_retries": 1,
        "retry_on_statuses": ["busy"],
        "retry_intervals_minutes": [30],
    }
    call = await desk.books.create(trunk_id=trunk.id, retry_config=retry)
    for status in (Status.INITIATED, Status.BUSY):
        await desk.books.ledger.transition(desk.books.account_id, call.id, status)
    attempt = await desk.books.ledger.attempt(desk.books.account_id, call.id)
    assert (attempt.number, attempt.trunk) == (2, trunk.id)


async def test_a_full_shared_trunk_keeps_nobody_waiting_who_has_one_of_their_own(desk: Desk) -> None:
    """However many accounts wait for the shared one before them."""
    async with desk.books.db.transaction() as tx:
        await trunk_gates.set_limits(tx, "sip-trunk", max_calls=1, interval_us=None)
    for _ in range(40):
        await (await open_books(desk.books.db)).create()
    own = await desk.trunk("own", "4930123456")
    mine = set(await desk.calls(3, own.id))
    taking = Taking(desk.books.db, desk.books.ledger, desk.books.clock, "one")
    claimed, looks = set[str](), 0
    while not mine <= claimed:
        taken = await taking.take(20)
        claimed |= {claim.execution_id for claim in taken.claims}
        looks += 1
        assert taken.claims or taken.next_look_us is not None, "it looks again without being woken"
        assert looks < 10
    assert len(claimed - mine) == 1
