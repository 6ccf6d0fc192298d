"""`ringback audit` as an operator types it, on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ringback.aftercall.audit import CHECKS
from ringback.cli.main import app
from ringback.store.database import open_database
from tests.support.billed import billed, break_it

Run = Callable[..., Result]


@pytest.fixture
def ringback(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("RINGBACK_DATA", str(tmp_path))
    monkeypatch.setenv("RINGBACK_DATABASE_URL", database_url)

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, ["audit", *arguments])

    return run


@pytest.fixture
def completed(database_url: str) -> str:
    """A completed execution in a store that adds up."""

    async def work() -> str:
        db = await open_database(database_url)
        store = await billed(db)
        await db.close()
        return store.completed.id

    return asyncio.run(work())


def broken(url: str, *statements: str) -> None:
    async def work() -> None:
        db = await open_database(url)
        await break_it(db, *statements)
        await db.close()

    asyncio.run(work())


def test_an_invoice_is_printed_line_by_line(ringback: Run, completed: str) -> None:
    shown = ringback(completed)
    assert shown.exit_code == 0, shown.output
    lines = shown.output.splitlines()
    assert lines[0] == f"execution {completed} of agent agent, completed"
    assert lines[1].split() == [
        "line",
        "attempt",
        "turn",
        "at",
        "what",
        "for",
        "quantity",
        "charged",
        "price",
        "cents",
    ]
    network = next(line for line in lines if "network sip-trunk" in line).split()
    assert network[0:2] == ["5", "1"]
    assert network[-7:] == ["61500", "ms", "120000", "1.2", "for", "60000", "2.4000"]
    welcome = next(line for line in lines if "welcome_message" in line).split()
    assert welcome[2] == "0", "its turn"
    assert welcome[-4:] == ["characters", "6", "none", "0.0000"]
    assert lines[-1].split() == ["total", "6.4000"]
    assert [line.split()[0] for line in lines[-6:-1]] == [
        "llm",
        "network",
        "platform",
        "synthesizer",
        "transcriber",
    ]


def test_an_invoice_that_does_not_add_up_fails(ringback: Run, completed: str, database_url: str) -> None:
    broken(database_url, "UPDATE usage_lines SET amount = amount + 1 WHERE kind = 'network'")
    shown = ringback(completed)
    assert shown.exit_code == 1
    assert "line 5 amounts to 2.4001, its quantity and price give 2.4000" in shown.output
    assert "network: the lines give 2.4001, the execution has 2.4000" in shown.output


def test_the_whole_store(ringback: Run, completed: str, database_url: str) -> None:
    shown = ringback("--all")
    assert shown.exit_code == 0, shown.output
    assert [line.split()[0] for line in shown.output.splitlines()] == [check.name for check in CHECKS]
    broken(database_url, "UPDATE usage_lines SET amount = amount + 1 WHERE kind = 'network'")
    shown = ringback("--all", "--limit", "1")
    assert shown.exit_code == 1
    [amounts] = [line for line in shown.output.splitlines() if line.startswith("amounts")]
    assert amounts.endswith("A usage line amounts to its quantity times its price. NOT TRUE of more than 1")
    findings = [line for line in shown.output.splitlines() if line.startswith("  ")]
    assert len(findings) == shown.output.count("NOT TRUE") >= 2, "one of each check that is not true"
    assert "amount 24001, must_be 24000" in shown.output


def test_what_cannot_be_audited_is_said(ringback: Run, completed: str) -> None:
    shown = ringback("nobody")
    assert (shown.exit_code, shown.output) == (1, "ringback: there is no execution nobody\n")
    assert ringback().exit_code == 2
    assert ringback(completed, "--all").exit_code == 2
