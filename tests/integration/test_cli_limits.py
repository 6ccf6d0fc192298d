"""`ringback limits` as an operator types it, on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ringback.accounts.shares import Share
from ringback.accounts.sub_accounts import Details, SubAccounts
from ringback.cli.main import app
from ringback.clock import SystemClock
from ringback.dialing.queue import CALLS
from ringback.store.database import Database, Row, open_database
from ringback.store.queries import gates
from ringback.store.wakeup import open_wakeup
from tests.support.ledgers import open_books

Run = Callable[..., Result]


@pytest.fixture
def ringback(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("RINGBACK_DATA", str(tmp_path))
    monkeypatch.setenv("RINGBACK_DATABASE_URL", database_url)

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, ["limits", *arguments])

    return run


@pytest.fixture
def owner(database_url: str) -> tuple[str, str]:
    """An account and its agent."""

    async def work() -> tuple[str, str]:
        db = await open_database(database_url)
        books = await open_books(db)
        await db.close()
        return books.account_id, books.agent_id

    return asyncio.run(work())


def test_a_limit_of_a_parent_is_shared_out_again(
    ringback: Run, database_url: str, owner: tuple[str, str]
) -> None:
    async def work() -> list[str]:
        db = await open_database(database_url)
        sub_accounts = SubAccounts(db, SystemClock())
        shares = (Share(2, None), Share(0, 9))
        made = [await sub_accounts.create(owner[0], Details("branch", share=share)) for share in shares]
        await db.close()
        return [sub.id for sub, _ in made]

    promised, other = asyncio.run(work())
    for calls, bounds in ((6, (6, 4)), (1, (1, 0)), (0, (None, 9))):
        assert ringback("set", owner[0], "--calls", str(calls)).exit_code == 0
        found = [gate(database_url, sub, "account") for sub in (promised, other)]
        assert tuple(row and row["max_calls"] for row in found) == bounds


def gate(url: str, account: str, kind: str, key: str = "") -> Row | None:
    async def work() -> Row | None:
        db = await open_database(url)
        found = await gates.get(db, account, kind, key)
        await db.close()
        return found

    return asyncio.run(work())


def test_limits_are_set_one_by_one_shown_and_taken_back(
    ringback: Run, database_url: str, owner: tuple[str, str]
) -> None:
    account, agent = owner
    assert ringback("set", account, "--calls", "5").exit_code == 0
    assert ringback("set", account, "--per-second", "2.5").exit_code == 0
    assert ringback("set", account, "--agent", agent, "--calls", "3").exit_code == 0
    own = gate(database_url, account, "account")
    assert own is not None
    assert (own["max_calls"], own["interval_us"]) == (5, 400_000)
    assert ringback("show").output.splitlines() == [
        f"account {account}: calls at a time: 5, dials in a second: 2.5",
        f"account {account} agent {agent}: calls at a time: 3",
    ]
    assert ringback("set", account, "--calls", "0", "--per-second", "0").exit_code == 0
    assert ringback("show").output.splitlines() == [f"account {account} agent {agent}: calls at a time: 3"]


async def test_raised_limits_wake_the_workers(
    ringback: Run, database: Database, tmp_path: Path, owner: tuple[str, str]
) -> None:
    worker = await open_wakeup(database, tmp_path)
    assert await worker.wait(CALLS, 0.05) is False
    result = await asyncio.to_thread(ringback, "set", owner[0], "--calls", "50")
    assert (result.exit_code, await worker.wait(CALLS, 10)) == (0, True)
    await worker.close()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_limits_hold_although_nobody_can_be_woken(
    ringback: Run, database_url: str, tmp_path: Path, owner: tuple[str, str]
) -> None:
    (tmp_path / "wake").write_text("in the way")
    result = ringback("set", owner[0], "--calls", "7")
    assert result.exit_code == 0
    assert "ringback: it is done, but holds only in a moment: cannot make a socket" in result.output
    own = gate(database_url, owner[0], "account")
    assert own is not None
    assert own["max_calls"] == 7


def test_what_cannot_be_set_is_one_sentence(ringback: Run, owner: tuple[str, str]) -> None:
    account, agent = owner
    for arguments, said in (
        (["nobody", "--calls", "1"], "no account nobody"),
        ([account, "--agent", "x", "--calls", "1"], "no agent x"),
        ([account, "--batch", "x", "--calls", "1"], "no batch x"),
        ([account], "nothing to set"),
        ([account, "--agent", agent, "--per-second", "1"], "limit of accounts"),
        ([account, "--agent", agent, "--batch", "x", "--calls", "1"], "not both"),
    ):
        result = ringback("set", *arguments)
        assert result.exit_code != 0
        assert said in result.output
    assert ringback("show").output == ""
