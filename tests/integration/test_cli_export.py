"""`ringback export` on real databases."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import sys
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from click.testing import Result
from typer.testing import CliRunner

from ringback.accounts.accounts import Accounts
from ringback.agents.definition import read
from ringback.agents.registry import Agents
from ringback.cli.main import app
from ringback.clock import SystemClock
from ringback.executions.export import parquet_file
from ringback.executions.ledger import Ledger
from ringback.executions.listing import Listing
from ringback.store.database import Database, StoreError, open_database
from tests.support import agent_definitions
from tests.support.exports import (
    assert_csv_row,
    assert_parquet_row,
    hostile_history,
    read_csv,
    read_ndjson,
    read_parquet,
)


@dataclass(frozen=True)
class Store:
    account: str
    agent: str
    records: list[dict[str, Any]]
    """Newest first."""

    def export(self, *options: str) -> Result:
        return CliRunner().invoke(app, ["export", self.agent, "--account", self.account, *options])


@pytest.fixture
def store(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """An agent with a history, in the store that the commands open."""
    monkeypatch.setenv("RINGBACK_DATABASE_URL", database_url)
    monkeypatch.setenv("RINGBACK_DATA", str(tmp_path / "data"))

    async def fill() -> Store:
        db = await open_database(database_url)
        try:
            return await _fill(db)
        finally:
            await db.close()

    return asyncio.run(fill())


async def _fill(db: Database) -> Store:
    clock = SystemClock()
    account = (await Accounts(db, clock).create("mine")).id
    agent = (await Agents(db, clock).create(account, read(agent_definitions.scripted()))).id
    await hostile_history(Ledger(db, clock, "http://ringback.test"), account, agent)
    batches = Listing(db).batches(account, agent)
    return Store(account, agent, [json.loads(one.body) async for batch in batches for one in batch])


def test_files_of_every_format(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    for format_ in ("csv", "ndjson", "parquet"):
        result = store.export("--format", format_, "--output", str(folder / f"x.{format_}"))
        assert (result.exit_code, result.stdout) == (0, "")
        assert result.stderr == f"20 executions in {folder}/x.{format_}\n"
    assert len(store.records) == 20
    assert read_ndjson((folder / "x.ndjson").read_bytes()) == store.records
    for row, record in zip(read_csv((folder / "x.csv").read_bytes()), store.records, strict=True):
        assert_csv_row(row, record)
    for row, record in zip(read_parquet((folder / "x.parquet").read_bytes()), store.records, strict=True):
        assert_parquet_row(row, record)
    assert {path.name for path in folder.iterdir()} == {"x.csv", "x.ndjson", "x.parquet"}


def test_standard_output_is_the_default_and_holds_nothing_else(store: Store) -> None:
    result = store.export("--format", "ndjson")
    assert (result.exit_code, result.stderr) == (0, "")
    assert read_ndjson(result.stdout_bytes) == store.records
    assert read_csv(store.export("--output", "-").stdout_bytes)[0]["id"] == store.records[0]["id"]


def test_every_filter_is_an_option(store: Store) -> None:
    def found(*options: str) -> list[int]:
        result = store.export("--format", "ndjson", *options)
        assert result.exit_code == 0, result.stderr
        ids = [record["id"] for record in store.records]
        return [ids.index(record["id"]) for record in read_ndjson(result.stdout_bytes)]

    assert found("--status", "stopped,error") == [1, 2]
    assert found("--batch", "baab7cdc-8331-45bf-8dd2-60ff1f0a3f21") == [2]
    assert found("--call-type", "inbound") == []
    assert found("--provider", "carrier-pigeon") == []
    assert len(found("--voice-mail")) == 8
    assert len(found("--no-voice-mail")) == 12
    assert found("--from", "2100-01-01") == []
    assert found("--to", "2020-01-01T00:00:00Z") == []
    assert len(found("--from", "2020-01-01", "--to", "2100-01-01")) == 20
    assert len(found("--to-number", "+14155550123")) == 20
    assert len(found("--from-number", "+14155550100")) == 19
    assert found("--hangup-reason", "''+") == [12]
    assert found("--min-duration", "43.5") == [4]
    assert len(found("--max-duration", "0")) == 4
    assert len(found("--min-cost", "0.1")) == 16
    assert len(found("--max-cost", "0")) == 4
    assert found("--extracted-data", "said=''+") == [12]
    assert found("--recipient-data", "''+=''+", "--recipient-data", "nothing=x") == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--status", "lost"], "status must be one or more of prepared, "),
        (["--from", "yesterday"], "from must be an ISO 8601 time, such as 2026-06-05T16:35:00Z"),
        (["--from", "2026-01-02", "--to", "2026-01-01"], "to must not be before from"),
        (["--recipient-data", "name"], "recipient_data must be KEY=VALUE, not name"),
        (["--output", "/nowhere/x.csv"], "cannot write /nowhere/x.csv: No such file or directory"),
        (["--output", "/"], "cannot write /: Is a directory"),
    ],
)
def test_what_is_wrong_is_one_sentence(store: Store, options: list[str], message: str) -> None:
    result = store.export(*options)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"ringback: {message}")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "options", [["--format", "xlsx"], ["--min-cost", "nan"], ["--min-cost", "-1"], ["--batch", "x"]]
)
def test_options_that_cannot_be_read(store: Store, options: list[str]) -> None:
    result = store.export(*options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert options[0] in result.stderr


def test_an_agent_of_nobody_and_of_another_account(store: Store, tmp_path: Path) -> None:
    target = tmp_path / "x.csv"
    for account, agent in ((store.account, str(uuid4())), (str(uuid4()), store.agent)):
        result = Store(account, agent, []).export("--output", str(target))
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr == f"ringback: account {account} has no agent {agent}\n"
    assert not target.exists()


def test_parquet_without_pyarrow(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.delitem(sys.modules, parquet_file.__name__)
    result = store.export("--format", "parquet", "--output", str(tmp_path / "x.parquet"))
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "ringback: the format parquet needs pyarrow: pip install 'ringback[parquet]'\n"


@pytest.mark.parametrize("target_exists", [False, True])
def test_a_failure_midway_leaves_no_file_and_keeps_the_old_one(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target_exists: bool
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    target = folder / "x.ndjson"
    if target_exists:
        target.write_text("old")
    batches = Listing.batches

    async def failing(*args: Any, **kwargs: Any) -> AsyncGenerator[Any]:
        async for batch in batches(*args, **kwargs):
            yield batch
            assert [path.suffix for path in folder.iterdir() if path != target] == [".part"]
            raise StoreError("the database went away")

    monkeypatch.setattr(Listing, "batches", failing)
    result = store.export("--format", "ndjson", "--output", str(target))
    assert isinstance(result.exception, StoreError)
    assert [path.name for path in folder.iterdir()] == (["x.ndjson"] if target_exists else [])
    assert not target_exists or target.read_text() == "old"


def test_a_target_keeps_its_mode_and_a_link_keeps_pointing(store: Store, tmp_path: Path) -> None:
    target, link = tmp_path / "private.csv", tmp_path / "link.csv"
    target.write_text("old")
    target.chmod(0o600)
    link.symlink_to(target)
    assert store.export("--output", str(link)).exit_code == 0
    assert link.is_symlink()
    assert len(read_csv(target.read_bytes())) == 20
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_what_is_no_regular_file_is_written_and_not_replaced(store: Store, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)  # open at once, so that the writer needn't wait
    try:
        assert store.export("--format", "ndjson", "--status", "stopped", "--output", str(pipe)).exit_code == 0
        assert [row["status"] for row in read_ndjson(os.read(reader, 65_536))] == ["stopped"]
    finally:
        os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_bar_is_drawn_on_a_terminal_only(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    assert store.export("--format", "ndjson").stderr == ""
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes it for a terminal
    shown = store.export("--format", "ndjson")
    assert "20/20" in shown.stderr
    assert read_ndjson(shown.stdout_bytes) == store.records
