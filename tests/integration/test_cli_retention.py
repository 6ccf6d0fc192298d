"""`ringback retention` as an operator types it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ringback.cli.main import app
from ringback.clock import SystemClock
from ringback.store.database import open_database
from tests.support.archive import Archive, open_archive

Run = Callable[..., Result]


@pytest.fixture
def ringback(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("RINGBACK_DATA", str(tmp_path))
    monkeypatch.setenv("RINGBACK_DATABASE_URL", database_url)

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, ["retention", *arguments])

    return run


@pytest.fixture
def account(database_url: str, tmp_path: Path) -> str:
    """An account with calls that ended 40 and 20 days ago."""

    async def work() -> str:
        db = await open_database(database_url)
        archive: Archive = await open_archive(db, tmp_path / "recordings")
        archive = replace(archive, now=SystemClock().now_us())
        for days in (40, 20):
            await archive.call(days)
        await db.close()
        return archive.books.account_id

    return asyncio.run(work())


def _table(result: Result) -> list[list[str]]:
    return [line.split() for line in result.stdout.splitlines()]


def test_set_and_show(ringback: Run, account: str) -> None:
    head = ["account", "name", "recordings", "transcripts", "records"]
    assert _table(ringback("show")) == [head, [account, "the", "account", *["forever"] * 3]]
    result = ringback("set", account, "--recordings", "30", "--records", "365")
    assert result.exit_code == 0, result.output
    assert _table(result)[1] == [account, "30", "forever", "365"]
    assert ringback("set", account, "--records", "forever", "--transcripts", "90").exit_code == 0
    assert _table(ringback("show"))[1] == [account, "the", "account", "30", "90", "forever"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "nothing to set: give --recordings, --transcripts or --records"),
        (("--records", "soon"), "records: 'soon' is neither a whole number of days nor 'forever'"),
        (("--records", "1.5"), "records: '1.5' is neither"),
        (("--records", ""), "records: '' is neither"),
        (("--records", "9" * 5000), "is neither"),
        (("--records", "0"), "records: 0 is not from 1 to 36500 days"),
        (("--records", "5", "--recordings", "6"), "recordings cannot be kept for 6 days"),
    ],
)
def test_what_cannot_be_meant(ringback: Run, account: str, arguments: tuple[str, ...], message: str) -> None:
    result = ringback("set", account, *arguments)
    assert result.exit_code == 1
    assert result.stderr.startswith("ringback: ")
    assert message in result.stderr
    assert _table(ringback("show"))[1][-3:] == ["forever"] * 3


def test_an_account_that_is_not_there(ringback: Run, account: str) -> None:
    result = ringback("set", "nobody", "--records", "5")
    assert (result.exit_code, result.stderr) == (1, "ringback: there is no account nobody\n")


def test_a_dry_run_and_a_run(ringback: Run, account: str, tmp_path: Path) -> None:
    assert ringback("run").stdout == "nothing is too old\n"
    ringback("set", account, "--recordings", "10", "--transcripts", "30", "--records", "30")
    table = [["account", "recordings", "transcripts", "records"], [account, "2", "1", "1"]]
    for _ in range(2):
        dry = ringback("run", "--dry-run")
        assert _table(dry)[:2] == table
        assert dry.stdout.endswith("would be removed; nothing was\n")
    recordings = tmp_path / "recordings" / account
    assert len(list(recordings.iterdir())) == 2
    run = ringback("run")
    assert _table(run)[:2] == table
    assert run.stdout.endswith("\nremoved\n")
    assert list(recordings.iterdir()) == []
    assert ringback("run").stdout == "nothing is too old\n"
