"""`ringback webhooks` as an operator types it, on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ringback.cli.main import app
from ringback.executions.lifecycle import Status
from ringback.store.database import open_database
from tests.support.webhook_post import Post, post_office

Run = Callable[..., Result]
URL = "https://crm.example/calls"


@pytest.fixture
def ringback(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("RINGBACK_DATA", str(tmp_path))
    monkeypatch.setenv("RINGBACK_DATABASE_URL", database_url)

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, ["webhooks", *arguments])

    return run


def at_the_post(url: str, work: Callable[[Post], Awaitable[str]]) -> str:
    async def run() -> str:
        db = await open_database(url)
        try:
            async with post_office(db) as post:
                return await work(post)
        finally:
            await db.close()

    return asyncio.run(run())


async def _a_call(post: Post) -> str:
    await post.tell(URL)
    call = await post.call(Status.STOPPED)
    async with post.db.transaction() as tx:
        await tx.execute(
            "UPDATE webhook_deliveries SET state = 'dead', tries = 21, last_error = 'Given up.' WHERE position = 1"
        )
    endpoint = await post.endpoint(URL)
    await post.endpoints.set_state(post.books.account_id, endpoint.id, "disabled")
    return f"{post.books.account_id} {call.id} {endpoint.id}"


def test_shown_sent_again_and_enabled(ringback: Run, database_url: str) -> None:
    account, call, endpoint = at_the_post(database_url, _a_call).split()
    of = ("--account", account)
    shown = ringback("list", *of).stdout.splitlines()
    assert [line.split()[:3] for line in shown] == [
        [f"{call}-2", "stopped", "waiting"],
        [f"{call}-1", "queued", "dead"],
    ]
    assert "21 tries" in shown[1]
    assert shown[1].endswith("Given up.")
    assert [line.split()[0] for line in ringback("list", "--state", "dead", *of).stdout.splitlines()] == [
        f"{call}-1"
    ]
    assert ringback("list", "--execution", call, "--limit", "1", *of).stdout.startswith(f"{call}-2")
    endpoints = ringback("endpoints", *of).stdout
    assert endpoints.split()[:3] == [endpoint, "disabled", URL]
    assert "whsec_" not in endpoints
    assert ringback("replay", f"{call}-1", *of).exit_code == 0
    assert ringback("list", "--state", "dead", *of).stdout == ""
    assert ringback("enable", endpoint, *of).exit_code == 0
    assert " enabled " in ringback("endpoints", *of).stdout


def test_what_is_not_there_fails(ringback: Run, database_url: str) -> None:
    account, call, _ = at_the_post(database_url, _a_call).split()
    missing = ringback("replay", f"{call}-9", "nonsense", "--account", account)
    assert missing.exit_code == 1
    assert f"there is no delivery {call}-9, nonsense" in missing.stderr
    assert ringback("enable", "0" * 32, "--account", account).exit_code == 1
    assert ringback("list", "--state", "lost").exit_code == 2
