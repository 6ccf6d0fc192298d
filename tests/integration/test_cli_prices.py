"""`ringback prices` as an operator types it, on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ringback.billing.price_list import default, read
from ringback.cli.main import app
from ringback.store.database import open_database
from tests.support.ledgers import open_books

Run = Callable[..., Result]
LIST = '[[prices]]\nkind = "llm"\nunit = "input_tokens"\nprice = 0.25\nper = 1_000_000\nprovider = "openai"\n'


@pytest.fixture
def ringback(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("RINGBACK_DATA", str(tmp_path))
    monkeypatch.setenv("RINGBACK_DATABASE_URL", database_url)

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, ["prices", *arguments])

    return run


@pytest.fixture
def account(database_url: str) -> str:
    async def work() -> str:
        db = await open_database(database_url)
        books = await open_books(db)
        await db.close()
        return books.account_id

    return asyncio.run(work())


def test_what_is_shown_can_be_loaded(ringback: Run, tmp_path: Path) -> None:
    shown = ringback("show")
    assert shown.exit_code == 0
    assert shown.output.startswith("# Prices of all accounts at 20")
    assert read(shown.output) == list(default())
    (tmp_path / "list.toml").write_text(shown.output)
    loaded = ringback("load", str(tmp_path / "list.toml"))
    assert loaded.exit_code == 0
    assert loaded.output.endswith("on: 0 new, 0 ended, 2 as before\n")


def test_a_list_is_loaded_for_all_and_for_one(ringback: Run, tmp_path: Path, account: str) -> None:
    file = tmp_path / "list.toml"
    file.write_text(LIST)
    loaded = ringback("load", str(file), "--from", "2100-01-01")
    assert loaded.exit_code == 0
    assert loaded.output.splitlines() == [
        "- network *: 1.2 cents for 60000 ms, by 60000",
        "- platform *: 2 cents for 60000 ms, by 60000",
        "+ llm openai: 0.25 cents for 1000000 input_tokens",
        "from 2100-01-01T00:00:00Z on: 1 new, 2 ended, 0 as before",
    ]
    assert read(ringback("show").output) == list(default())
    assert read(ringback("show", "--at", "2100-01-01").output) == read(LIST)
    file.write_text(LIST.replace("0.25", "7").replace('"openai"', '"openai"\nmodel = "big"'))
    own = ringback("load", str(file), "--account", account, "--from", "2100-01-01T00:00:00Z")
    assert "+ llm openai big: 7 cents for 1000000 input_tokens" in own.output
    assert read(ringback("show", "--account", account).output) == []
    [price] = read(ringback("show", "--account", account, "--at", "2101-01-01").output)
    assert (price.price, price.model) == (7, "big")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["load", "{missing}"], "cannot read"),
        (["load", "{bad}"], "[[prices]] number 1: kind must be one of"),
        (["load", "{binary}"], "cannot read"),
        (["load", "{good}", "--from", "2001-01-01"], "what was used until then is rated already"),
        (["load", "{good}", "--from", "soon"], "'soon' is no moment"),
        (["load", "{good}", "--account", "nobody"], "there is no account nobody"),
        (["show", "--at", "soon"], "'soon' is no moment"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_changes(
    ringback: Run, tmp_path: Path, arguments: list[str], said: str
) -> None:
    (tmp_path / "good").write_text(LIST)
    (tmp_path / "bad").write_text(LIST.replace("llm", "words"))
    (tmp_path / "binary").write_bytes(b"\xff")
    paths = {name: str(tmp_path / name) for name in ("good", "bad", "binary", "missing")}
    done = ringback(*(argument.format(**paths) for argument in arguments))
    assert done.exit_code == 1
    assert done.output.startswith("ringback: ")
    assert said in done.output
    assert read(ringback("show", "--at", "2100-01-01").output) == list(default())
