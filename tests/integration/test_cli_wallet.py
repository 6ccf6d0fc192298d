"""`ringback wallet` as an operator types it, on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ringback.accounts.sub_accounts import Details, SubAccounts
from ringback.cli.main import app
from ringback.executions.lifecycle import Status
from ringback.store.database import open_database
from tests.support.ledgers import open_books
from tests.support.wallets import Till

Run = Callable[..., Result]


@pytest.fixture
def ringback(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("RINGBACK_DATA", str(tmp_path))
    monkeypatch.setenv("RINGBACK_DATABASE_URL", database_url)

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, ["wallet", *arguments])

    return run


@pytest.fixture
def owner(database_url: str) -> tuple[str, str]:
    """An account with a call that was talked and one that is on, and its sub-account."""

    async def work() -> tuple[str, str]:
        db = await open_database(database_url)
        till = Till(await open_books(db))
        await till.talked(await till.dialled(), 5_000, 0)
        await till.moved(await till.dialled(), Status.RINGING)
        sub, _ = await SubAccounts(db, till.books.clock).create(till.books.account_id, Details("branch"))
        await db.close()
        return till.books.account_id, sub.id

    return asyncio.run(work())


def test_a_wallet_is_topped_up_limited_and_shown(ringback: Run, owner: tuple[str, str]) -> None:
    account, _ = owner
    assert ringback("show").stdout == f"account {account}: -0.5000 cents, unlimited\n"
    assert ringback("limit", account).stdout == f"account {account}: 0.0000 cents, limited\n"
    done = ringback("top-up", account, "12.5", "--note", "invoice 7")
    assert (done.exit_code, done.stdout) == (0, f"account {account}: 12.5000 cents, limited\n")
    shown = ringback("show", account, "--entries", "2").stdout.splitlines()
    assert shown[0] == f"account {account}: 12.5000 cents, limited"
    assert [line.partition("Z  ")[2] for line in shown[1:]] == [
        "top-up     cash -> wallet  12.5000  invoice 7",
        "adjust     written-off -> wallet  0.5000  metered before it was limited",
    ]
    [*_, charge] = ringback("show", account).stdout.splitlines()
    assert "charge     wallet -> revenue  0.5000  call " in charge
    assert charge.endswith(" attempt 1")
    assert ringback("unlimit", account).stdout == f"account {account}: 12.5000 cents, unlimited\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["top-up", "nobody", "5"], "there is no account nobody"),
        (["limit", "nobody"], "there is no account nobody"),
        (["unlimit", "nobody"], "there is no account nobody"),
        (["show", "nobody"], "there is no account nobody"),
    ],
)
def test_unknown_accounts(ringback: Run, arguments: list[str], message: str) -> None:
    done = ringback(*arguments)
    assert (done.exit_code, done.stderr) == (1, f"ringback: {message}\n")


@pytest.mark.parametrize("cents", ["0", "ten", "0.00001", "1000000000001"])
def test_what_is_no_sum_of_money(ringback: Run, owner: tuple[str, str], cents: str) -> None:
    done = ringback("top-up", owner[0], cents)
    assert done.exit_code == 1
    assert done.stderr.startswith("ringback: ")
    assert "0.0000" not in ringback("show").stdout


def test_a_sub_account_has_no_wallet(ringback: Run, owner: tuple[str, str]) -> None:
    account, sub = owner
    done = ringback("top-up", sub, "5")
    assert (done.exit_code, done.stderr) == (
        1,
        f"ringback: account {sub} is a sub-account: {account} pays for its calls\n",
    )
