"""Rate limits over both ways to count: in memory, and in PostgreSQL by two processes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from ringback.accounts.accounts import Accounts
from ringback.accounts.rate_limits import Bucket, MemoryWindows, Quota, RateLimits, Window, Windows, windows
from ringback.clock import SystemClock
from ringback.store.database import Database, open_database
from tests.support.api import SetClock

SECOND = 1_000_000
MINUTE = 60 * SECOND
NOON = 1_795_521_600 * SECOND
"""2026-11-24T12:00:00Z"""


class Watched:
    """Windows that know how often they were asked."""

    def __init__(self, windows: Windows) -> None:
        self._windows = windows
        self.asked = 0

    async def add(self, account_id: str, bucket: str, minute: int) -> Window:
        self.asked += 1
        return await self._windows.add(account_id, bucket, minute)


@dataclass
class Node:
    """An API process."""

    windows: Watched
    clock: SetClock = field(default_factory=lambda: SetClock(NOON))

    def limits(self, named: int = 3, other: int = 5) -> RateLimits:
        return RateLimits(self.windows, self.clock, named_per_minute=named, other_per_minute=other)


@dataclass
class World:
    mine: str
    theirs: str
    """Accounts."""
    node: Node
    other_node: Node


@pytest.fixture
async def world(database: Database, database_url: str) -> AsyncIterator[World]:
    accounts = Accounts(database, SystemClock())
    mine, theirs = await accounts.create("mine"), await accounts.create("theirs")
    counts = windows(database)
    if isinstance(counts, MemoryWindows):
        yield World(mine.id, theirs.id, Node(Watched(counts)), Node(Watched(counts)))
        return
    other = await open_database(database_url)
    yield World(mine.id, theirs.id, Node(Watched(counts)), Node(Watched(windows(other))))
    await other.close()


async def _passed(limits: RateLimits, account: str, bucket: Bucket, requests: int) -> int:
    """How many of so many requests, one after the other, are let through."""
    quotas = [await _count(limits, account, bucket) for _ in range(requests)]
    return sum(not quota.exceeded for quota in quotas)


async def _count(limits: RateLimits, account: str, bucket: Bucket) -> Quota:
    quota = await limits.count(account, bucket)
    assert quota is not None
    return quota


async def test_so_many_pass_in_a_minute_and_no_more(world: World) -> None:
    limits, clock = world.node.limits(), world.node.clock
    quotas = [await limits.count(world.mine, Bucket.CALL) for _ in range(5)]
    assert quotas == [
        (Bucket.CALL, 3, 2, 60, False),
        (Bucket.CALL, 3, 1, 60, False),
        (Bucket.CALL, 3, 0, 60, False),
        (Bucket.CALL, 3, 0, 60, True),
        (Bucket.CALL, 3, 0, 60, True),
    ]
    for later, seconds in ((1, 60), (SECOND, 59), (MINUTE - SECOND, 1), (MINUTE - 1, 1)):
        clock.us = NOON + later
        assert await limits.count(world.mine, Bucket.CALL) == (Bucket.CALL, 3, 0, seconds, True)
    clock.us = NOON + MINUTE
    assert await limits.count(world.mine, Bucket.CALL) == (Bucket.CALL, 3, 2, 60, False)
    assert await _passed(limits, world.mine, Bucket.CALL, 5) == 2


async def test_buckets_and_accounts_are_counted_apart(world: World) -> None:
    limits = world.node.limits(named=3, other=5)
    for account in (world.mine, world.theirs):
        passed = {bucket: await _passed(limits, account, bucket, 7) for bucket in Bucket}
        assert passed == {Bucket.AGENT: 3, Bucket.EXECUTIONS: 3, Bucket.CALL: 3, Bucket.OTHER: 5}


async def test_processes_share_a_limit(world: World) -> None:
    one, other = world.node.limits(), world.other_node.limits()
    assert await _passed(one, world.mine, Bucket.CALL, 2) == 2
    assert await _passed(other, world.mine, Bucket.CALL, 2) == 1
    assert (await _count(one, world.mine, Bucket.CALL)).exceeded


async def test_requests_at_the_same_time(world: World) -> None:
    nodes = [node.limits(named=25) for node in (world.node, world.other_node)]
    quotas = await asyncio.gather(*(_count(nodes[n % 2], world.mine, Bucket.CALL) for n in range(60)))
    assert sorted(quota.remaining for quota in quotas if not quota.exceeded) == list(range(25))


async def test_a_clock_that_is_a_little_behind_begins_no_new_window(world: World) -> None:
    world.node.clock.us = NOON + MINUTE + SECOND
    world.other_node.clock.us = NOON + MINUTE - SECOND
    ahead, behind = world.node.limits(), world.other_node.limits()
    assert await _passed(ahead, world.mine, Bucket.CALL, 1) == 1
    assert await _count(behind, world.mine, Bucket.CALL) == (Bucket.CALL, 3, 1, 61, False)
    assert await _passed(ahead, world.mine, Bucket.CALL, 3) == 1
    for _ in range(2):
        assert await _count(behind, world.mine, Bucket.CALL) == (Bucket.CALL, 3, 0, 61, True)
    world.other_node.clock.us += 61 * SECOND
    assert await _passed(behind, world.mine, Bucket.CALL, 4) == 3


async def test_a_clock_that_was_far_ahead_locks_nobody_out(world: World) -> None:
    wrong, right = world.node.limits(), world.other_node.limits()
    world.node.clock.us = NOON + 2 * MINUTE
    for account in (world.mine, world.theirs):
        assert await _passed(wrong, account, Bucket.CALL, 4) == 3
    assert await _passed(right, world.mine, Bucket.CALL, 4) == 3
    world.node.clock.us = NOON  # set right
    assert await _passed(wrong, world.theirs, Bucket.CALL, 4) == 3


async def test_a_spent_bucket_costs_no_database(world: World) -> None:
    one, other = world.node.limits(), world.other_node.limits()
    await _passed(one, world.mine, Bucket.CALL, 100)
    assert world.node.windows.asked == 3
    await _passed(other, world.mine, Bucket.CALL, 100)
    assert world.other_node.windows.asked == 1
    world.node.clock.us += MINUTE
    await _passed(one, world.mine, Bucket.CALL, 100)
    assert world.node.windows.asked == 6


async def test_what_was_spent_is_forgotten(world: World) -> None:
    limits = world.node.limits()
    for account in (world.mine, world.theirs):
        await _passed(limits, account, Bucket.CALL, 3)
        world.node.clock.us += MINUTE
    assert limits._spent.keys() == {(world.theirs, Bucket.CALL)}


async def test_without_a_limit_nothing_is_counted(world: World) -> None:
    limits = world.node.limits(named=0, other=1)
    for bucket in (Bucket.AGENT, Bucket.EXECUTIONS, Bucket.CALL):
        assert [await limits.count(world.mine, bucket) for _ in range(3)] == [None] * 3
    assert world.node.windows.asked == 0
    assert await _passed(limits, world.mine, Bucket.OTHER, 3) == 1
