"""What the deliverer asks again and again reads an index, beside 60,000 webhooks that nobody has analysed."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest

from ringback.store.database import Database
from ringback.store.queries import webhook_deliveries
from ringback.webhooks.deliverer import Deliverer
from ringback.webhooks.deliveries import Deliveries
from tests.integration.test_dialing_plans import Recorder
from tests.support.batches import Deaf
from tests.support.http_server import Page
from tests.support.webhook_post import TALK, Post, post_office, receiver

CALLS, EACH = 10_000, 6
COLUMNS = (
    "account_id",
    "subject",
    "position",
    "kind",
    "event",
    "endpoint_id",
    "payload",
    "due_at",
    "created_at",
)


@pytest.fixture
async def post(database: Database) -> AsyncIterator[Post]:
    async with post_office(database) as office:
        yield office


async def _backlog(post: Post, url: str) -> None:
    endpoint, now = (await post.endpoint(url)).id, post.clock.us
    async with post.db.transaction() as tx:
        for first in range(0, CALLS, 2_000):
            rows = [
                (
                    post.books.account_id,
                    f"c-{n}",
                    position,
                    "execution",
                    "queued",
                    endpoint,
                    "{}",
                    now,
                    now + n,
                )
                for n in range(first, first + 2_000)
                for position in range(1, EACH + 1)
            ]
            await tx.insert_rows("webhook_deliveries", COLUMNS, rows)


def _slow(plan: str) -> bool:
    """It reads the table, or all that waits for an endpoint where one subject is asked for."""
    table = r"webhook_deliveries( (d|before|first))?"
    among_all = r"ix_webhook_deliveries_\w+ on webhook_deliveries (before|first)"
    return bool(re.search(rf"Seq Scan on {table}|SCAN ({table}|d|before|first)\b|{among_all}", plan))


async def test_what_is_asked_again_and_again_reads_an_index(post: Post) -> None:
    recorder = Recorder(post.db)
    async with receiver() as hook:
        await post.tell(hook.url)
        await _backlog(post, hook.url)
        hook.answer = lambda request: Page(status=500)
        deliverer = Deliverer(recorder, post.clock, Deaf(), post.client)
        await deliverer.round()
        await hook.has(32)
        await post.call(*TALK)
        await deliverer.round()
        hook.answer = lambda request: Page()
        await deliverer._close()
    account, log = post.books.account_id, Deliveries(recorder, post.clock)
    async with recorder.transaction() as tx:
        await webhook_deliveries.put_off_told(
            tx, account, (await post.endpoint(hook.url)).id, now_us=post.clock.us
        )
    assert len(await log.newest(account, subject="c-7", limit=50)) == EACH
    assert len(await log.newest(account, limit=50)) == 50
    assert await log.newest(account, state="dead", limit=50) == []
    statements = {sql: params for sql, params in recorder.seen.items() if "webhook_deliveries" in sql}
    assert len(statements) >= 8
    explain = "EXPLAIN" if post.db.url.startswith("postgresql") else "EXPLAIN QUERY PLAN"
    for sql, params in statements.items():
        rows = await post.db.fetch_all(f"{explain} {sql}", **params)
        plan = "\n".join(str(row.get("QUERY PLAN") or row.get("detail")) for row in rows)
        assert not _slow(plan), f"{sql}\n{plan}"
