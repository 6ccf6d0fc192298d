"""`ringback do-not-call` as an operator types it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ringback.accounts.accounts import Accounts
from ringback.cli.main import app
from ringback.clock import SystemClock
from ringback.store.database import open_database

Run = Callable[..., Result]


@pytest.fixture
def ringback(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Of a new account; its command, the arguments after it, and what it reads from its input."""
    monkeypatch.setenv("RINGBACK_DATA", str(tmp_path))
    monkeypatch.setenv("RINGBACK_DATABASE_URL", database_url)

    async def account() -> str:
        db = await open_database(database_url)
        made = await Accounts(db, SystemClock()).create("the account")
        await db.close()
        return made.id

    of = ["--account", asyncio.run(account())]

    def run(command: str, *arguments: str, text: str | None = None) -> Result:
        return CliRunner().invoke(app, ["do-not-call", command, *of, *arguments], input=text)

    return run


def _listed(ringback: Run) -> list[tuple[str, str]]:
    """Number and reason of each line."""
    lines = [line.split(maxsplit=2) for line in ringback("list").stdout.splitlines()]
    return [(line[0], line[2] if len(line) > 2 else "") for line in lines]


def test_add_list_and_remove(ringback: Run) -> None:
    assert _listed(ringback) == []
    assert ringback("add", "+14155550199", "+4930123456", "--reason", "asked for it").exit_code == 0
    assert ringback("add", "+14155550199", "+81312345678").exit_code == 0
    there = [("+14155550199", "asked for it"), ("+4930123456", "asked for it"), ("+81312345678", "")]
    assert _listed(ringback) == there
    assert ringback("remove", "+4930123456", "+81312345678").exit_code == 0
    assert _listed(ringback) == there[:1]


def test_a_bad_number_adds_none(ringback: Run) -> None:
    result = ringback("add", "+14155550199", "04155550199", "+1 415")
    assert result.exit_code == 1
    assert result.stderr == "ringback: not E.164, as +14155550123 is: 04155550199, +1 415\n"
    assert _listed(ringback) == []


def test_what_cannot_be_removed_is_told(ringback: Run) -> None:
    ringback("add", "+14155550199")
    result = ringback("remove", "+4930123456", "+14155550199")
    assert (result.exit_code, result.stderr) == (1, "ringback: not on the list: +4930123456\n")
    assert _listed(ringback) == []


def test_an_account_that_is_none(ringback: Run) -> None:
    for command in (("list",), ("add", "+14155550199"), ("remove", "+14155550199")):
        result = ringback(*command, "--account", "nobody")
        assert (result.exit_code, result.stderr) == (1, "ringback: there is no account nobody\n")


def test_import_from_the_input(ringback: Run) -> None:
    text = "".join(f"+1415{tail:07}\n" for tail in range(1234))
    result = ringback("import", "-", "--reason", "register", text=text)
    assert (result.exit_code, result.stdout) == (0, "1234 numbers are on the list\n")
    there = _listed(ringback)
    assert len(there) == 1234
    assert set(there) == {(f"+1415{tail:07}", "register") for tail in range(1234)}


def test_import_of_a_table(ringback: Run, tmp_path: Path) -> None:
    """With a mark at its start, a header, quotes, Excel's apostrophe, spaces, empty lines, and lines that are bad."""
    file = tmp_path / "numbers.csv"
    file.write_text(
        '\ufeffnumber,since\r\n"+14155550199",2024\r\n\'+4930123456,2025\r\n\r\n  +81312345678 \r\n'
        "4155550100,2024\r\nnumber\r\n",
        encoding="utf-8",
    )
    result = ringback("import", str(file))
    assert result.exit_code == 1
    assert result.stdout == "3 numbers are on the list\n"
    assert result.stderr == "ringback: not E.164, as +14155550123 is: line 6 (4155550100), line 7 (number)\n"
    assert [number for number, _ in _listed(ringback)] == ["+14155550199", "+4930123456", "+81312345678"]


def test_import_of_nothing_but_bad_lines_names_some(ringback: Run) -> None:
    result = ringback("import", "-", text="".join(f"{n}\n" for n in range(30)))
    assert result.exit_code == 1
    assert result.stderr.endswith("line 20 (19), and 10 more\n")


def test_import_of_a_file_that_cannot_be_read(ringback: Run, tmp_path: Path) -> None:
    missing = ringback("import", str(tmp_path / "nowhere.csv"))
    assert missing.exit_code == 1
    assert "nowhere.csv" in missing.stderr
    latin = tmp_path / "latin.csv"
    latin.write_bytes(b"+14155550199\n\xe4\n")
    result = ringback("import", str(latin))
    assert result.exit_code == 1
    assert "can't decode byte 0xe4" in result.stderr
