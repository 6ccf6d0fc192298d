"""The migrations build what the metadata says, on both databases."""

from __future__ import annotations

import asyncio
import os
import sys
from decimal import Decimal
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, create_engine
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from ringback.billing.rating import amount_of
from ringback.executions.rows import to_usage_line
from ringback.store.database import Database, StoreError, open_database
from ringback.store.migrate import upgrade
from ringback.store.queries import usage_lines
from ringback.store.schema import metadata


def _differences(connection: Connection) -> list[Any]:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return list(compare_metadata(context, metadata))


async def _difference_of(url: str) -> list[Any]:
    if url.startswith("sqlite"):
        with create_engine(url, poolclass=NullPool).connect() as connection:
            return _differences(connection)
    engine = create_async_engine(url.replace("postgresql://", "postgresql+asyncpg://"), poolclass=NullPool)
    async with engine.connect() as async_connection:
        return await async_connection.run_sync(_differences)


async def test_migrations_build_the_metadata(empty_database_url: str) -> None:
    assert await _difference_of(empty_database_url) != []
    await upgrade(empty_database_url)
    assert await _difference_of(empty_database_url) == []
    await upgrade(empty_database_url)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_postgresql_has_no_opinion_of_accounts(database: Database) -> None:
    """With statistics a new account "has no rows", and whichever index begins with it is as good as the key."""
    rows = await database.fetch_all(
        "SELECT attrelid::regclass::text AS name FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid"
        " WHERE relkind = 'r' AND attname = 'account_id' AND attstattarget IS DISTINCT FROM 0"
    )
    assert rows == []


async def test_what_waits_and_what_runs_is_taken_over(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Calls of a version before gates are dialled by the next one, in their order."""
    upgrade_to = command.upgrade
    monkeypatch.setattr(command, "upgrade", lambda config, _: upgrade_to(config, "0003"))
    await upgrade(empty_database_url)
    db = await open_database(empty_database_url)
    calls = [
        (1, None, "waiting", 50),
        (2, None, "waiting", 40),
        (3, "b", "waiting", 30),
        (4, None, "live", 20),
    ]
    async with db.transaction() as tx:
        await tx.execute(
            "INSERT INTO accounts (account_id, name, last_seq, created_at) VALUES ('a', 'a', 9, 1)"
        )
        await tx.execute(
            "INSERT INTO agents (account_id, id, definition, prompts, status, created_at, updated_at)"
            " VALUES ('a', 'agent', '{}', '{}', 'processed', 1, 1)"
        )
        for seq, batch, state, due in calls:
            await tx.execute(
                """
                INSERT INTO executions (account_id, id, agent_id, seq, batch_id, status, call_type, provider,
                  hosted_telephony, recipient_data, agent_data, answered_by_voice_mail, retry_count, cost_llm,
                  cost_network, cost_platform, cost_synthesizer, cost_transcriber, updated_at, body)
                VALUES ('a', :id, 'agent', :seq, :batch, 'queued', 'outbound', 'sip-trunk', FALSE, '{}', '{}', FALSE,
                  0, 0, 0, 0, 0, 0, 1, '{}')
                """,
                id=str(seq),
                seq=seq,
                batch=batch,
            )
            await tx.execute(
                """
                INSERT INTO attempts (account_id, execution_id, number, state, due_at, cancel_requested,
                  conversation_ms) VALUES ('a', :id, 1, :state, :due, FALSE, 0)
                """,
                id=str(seq),
                state=state,
                due=due,
            )
    monkeypatch.undo()
    await upgrade(empty_database_url)
    attempts = await db.fetch_all(
        "SELECT seq, agent_id, batch_id, lane, trunk, slot_since, tries FROM attempts ORDER BY seq"
    )
    hints = await db.fetch_all("SELECT kind, key, next_due_at FROM gates ORDER BY kind")
    await db.close()
    assert [tuple(row.values()) for row in attempts] == [
        (1, "agent", None, "agent", "sip-trunk", None, 0),
        (2, "agent", None, "agent", "sip-trunk", None, 0),
        (3, "agent", "b", "b", "sip-trunk", None, 0),
        (4, "agent", None, "agent", "sip-trunk", 20, 0),
    ]
    assert [tuple(row.values()) for row in hints] == [
        ("account", "", 30),
        ("agent", "agent", 40),
        ("batch", "b", 30),
    ]


async def test_lines_of_before_prices_were_kept_have_their_amount_as_their_price(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgrade_to = command.upgrade
    monkeypatch.setattr(command, "upgrade", lambda config, _: upgrade_to(config, "0004"))
    await upgrade(empty_database_url)
    db = await open_database(empty_database_url)
    lines = [("network", 61_500, 24_000), ("llm", 7, 1), ("llm", 3, 123_456_789), ("platform", 0, 0)]
    async with db.transaction() as tx:
        await tx.execute(
            "INSERT INTO accounts (account_id, name, last_seq, created_at) VALUES ('a', 'a', 9, 1)"
        )
        await tx.execute(
            "INSERT INTO agents (account_id, id, definition, prompts, status, created_at, updated_at)"
            " VALUES ('a', 'agent', '{}', '{}', 'processed', 1, 1)"
        )
        await tx.execute(
            """
            INSERT INTO executions (account_id, id, agent_id, seq, status, call_type, provider, hosted_telephony,
              recipient_data, agent_data, answered_by_voice_mail, retry_count, cost_llm, cost_network, cost_platform,
              cost_synthesizer, cost_transcriber, updated_at, body)
            VALUES ('a', 'e', 'agent', 1, 'completed', 'outbound', 'sip-trunk', FALSE, '{}', '{}', FALSE, 0, 0, 0, 0, 0,
              0, 1, '{}')
            """
        )
        for position, (kind, quantity, amount) in enumerate(lines, 1):
            await tx.execute(
                """
                INSERT INTO usage_lines (account_id, execution_id, position, attempt, kind, provider, model, unit,
                  quantity, amount, detail)
                VALUES ('a', 'e', :position, 1, :kind, 'p', 'm', 'ms', :quantity, :amount, '')
                """,
                position=position,
                kind=kind,
                quantity=quantity,
                amount=amount,
            )
    monkeypatch.undo()
    await upgrade(empty_database_url)
    found = [to_usage_line(row) for row in await usage_lines.of_execution(db, "a", "e")]
    await db.close()
    assert [(line.kind, line.quantity, line.amount) for line in found] == lines
    assert [line.price for line in found] == [Decimal("2.4"), Decimal("0.0001"), Decimal("12345.6789"), None]
    assert [amount_of(line) for line in found] == [line.amount for line in found]
    assert {(line.at_us, line.turn, line.purpose) for line in found} == {(0, None, "conversation")}


async def test_processes_that_upgrade_at_once(empty_database_url: str) -> None:
    command = "import asyncio, os; from ringback.store.migrate import upgrade; "
    command += "asyncio.run(upgrade(os.environ['DATABASE']))"
    environment = {**os.environ, "DATABASE": empty_database_url}
    processes = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", command, env=environment) for _ in range(3)
    ]
    async with asyncio.timeout(30):
        assert [await process.wait() for process in processes] == [0, 0, 0]
    assert await _difference_of(empty_database_url) == []


async def test_the_sqlite_file_keeps_its_promises(tmp_path: Any) -> None:
    url = f"sqlite:///{tmp_path}/ringback.db"
    await upgrade(url)
    db = await open_database(url)
    async with db.transaction() as tx:
        assert await tx.fetch_one("PRAGMA journal_mode") == {"journal_mode": "wal"}
        assert await tx.fetch_one("PRAGMA synchronous") == {"synchronous": 2}
        assert await tx.fetch_one("PRAGMA foreign_keys") == {"foreign_keys": 1}
    await db.close()


async def test_every_primary_key_begins_with_the_account() -> None:
    for table in metadata.sorted_tables:
        assert next(iter(table.primary_key.columns)).name == "account_id", table.name


VALID = {"status": "queued", "call_type": "outbound", "state": "waiting", "role": "user", "kind": "llm"}
VALID_IN: dict[str, dict[str, str]] = {
    "gates": {"kind": "agent", "closed": "paused"},
    "batches": {"state": "created"},
    "jobs": {"kind": "sweep"},
    "webhook_endpoints": {"state": "enabled"},
    "webhook_deliveries": {"kind": "batch", "state": "waiting"},
    "workers": {"state": "serving"},
}


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("executions", "status"),
        ("executions", "call_type"),
        ("attempts", "state"),
        ("attempts", "status"),
        ("turns", "role"),
        ("usage_lines", "kind"),
        ("prices", "kind"),
        ("gates", "kind"),
        ("gates", "closed"),
        ("batches", "state"),
        ("jobs", "kind"),
        ("webhook_endpoints", "state"),
        ("webhook_deliveries", "kind"),
        ("webhook_deliveries", "state"),
        ("dispositions", "subjective_type"),
        ("workers", "state"),
    ],
)
async def test_check_constraints_are_in_the_database(database: Database, table: str, column: str) -> None:
    """Alembic's comparison does not see them."""
    columns = metadata.tables[table].columns
    row = {c.name: {int: 0, bool: False, str: "x"}[c.type.python_type] for c in columns}
    valid = VALID | VALID_IN.get(table, {})
    row |= {name: value for name, value in valid.items() if name in row and name != column}
    sql = f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join(f':{name}' for name in row)})"
    with pytest.raises(StoreError, match=f"ck_{table}_{column}"):
        async with database.transaction() as tx:
            await tx.execute(sql, **row)


async def test_urls_become_endpoints_and_old_events_stay(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a version that wrote webhooks of batches and sent none."""
    upgrade_to = command.upgrade
    monkeypatch.setattr(command, "upgrade", lambda config, _: upgrade_to(config, "0005"))
    await upgrade(empty_database_url)
    db = await open_database(empty_database_url)
    agents = [
        ("1", '{"webhook_url": "https://one.example"}'),
        ("2", '{"webhook_url": null}'),
        ("3", '{"webhook_url": "https://one.example"}'),
    ]
    async with db.transaction() as tx:
        await tx.execute(
            "INSERT INTO accounts (account_id, name, last_seq, created_at) VALUES ('a', 'a', 9, 1)"
        )
        for agent_id, definition in agents:
            await tx.execute(
                """
                INSERT INTO agents (account_id, id, definition, prompts, status, created_at, updated_at)
                VALUES ('a', :id, :definition, '{}', 'processed', CAST(:id AS INTEGER), 1)
                """.replace("CAST(:id AS INTEGER)", agent_id),
                id=agent_id,
                definition=definition,
            )
        for event in ("processed", "completed"):
            await tx.execute(
                """
                INSERT INTO webhook_deliveries (account_id, id, kind, subject, event, url, due_at, created_at)
                VALUES ('a', :event, 'batch', 'batch', :event, 'https://two.example', 7, 7)
                """,
                event=event,
            )
    await db.close()
    monkeypatch.undo()
    await upgrade(empty_database_url)
    db = await open_database(empty_database_url)
    endpoints = await db.fetch_all(
        "SELECT id, url, secret, state, created_at FROM webhook_endpoints ORDER BY url"
    )
    urls = await db.fetch_all("SELECT webhook_url FROM agents ORDER BY id")
    deliveries = await db.fetch_all(
        "SELECT subject, position, event, endpoint_id, state, last_error, payload FROM webhook_deliveries"
        " ORDER BY position"
    )
    await db.close()
    assert [(row["url"], row["state"], row["created_at"]) for row in endpoints] == [
        ("https://one.example", "enabled", 1),
        ("https://two.example", "enabled", 7),
    ]
    assert len({row["secret"] for row in endpoints}) == 2
    assert [row["webhook_url"] for row in urls] == ["https://one.example", None, "https://one.example"]
    sent = "Written by a version that sent no webhooks"
    assert [tuple(row.values()) for row in deliveries] == [
        (
            "batch",
            1,
            "processed",
            endpoints[1]["id"],
            "dead",
            sent,
            '{"batch_id":"batch","state":"processed"}',
        ),
        (
            "batch",
            2,
            "completed",
            endpoints[1]["id"],
            "dead",
            sent,
            '{"batch_id":"batch","state":"completed"}',
        ),
    ]


async def test_calls_of_before_there_were_wallets_are_charged_and_nobody_is_limited(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgrade_to = command.upgrade
    monkeypatch.setattr(command, "upgrade", lambda config, _: upgrade_to(config, "0004"))
    await upgrade(empty_database_url)
    db = await open_database(empty_database_url)
    async with db.transaction() as tx:
        for account in ("a", "b"):
            await tx.execute(
                "INSERT INTO accounts (account_id, name, last_seq, created_at) VALUES (:a, 'a', 9, 1)",
                a=account,
            )
        await tx.execute(
            "INSERT INTO agents (account_id, id, definition, prompts, status, created_at, updated_at)"
            " VALUES ('a', 'agent', '{}', '{}', 'processed', 1, 1)"
        )
        for seq, (status, amount) in enumerate((("completed", 7), ("busy", 0), (None, 5)), 1):
            await tx.execute(
                """
                INSERT INTO executions (account_id, id, agent_id, seq, status, call_type, provider, hosted_telephony,
                  recipient_data, agent_data, answered_by_voice_mail, retry_count, cost_llm, cost_network,
                  cost_platform, cost_synthesizer, cost_transcriber, updated_at, body)
                VALUES ('a', :id, 'agent', :seq, 'in-progress', 'outbound', 'sip-trunk', FALSE, '{}', '{}', FALSE, 0,
                  0, 0, 0, 0, 0, 1, '{}')
                """,
                id=str(seq),
                seq=seq,
            )
            await tx.execute(
                """
                INSERT INTO attempts (account_id, execution_id, number, state, due_at, cancel_requested,
                  conversation_ms, agent_id, lane, trunk, seq, status, ended_at)
                VALUES ('a', :id, 1, 'done', 0, FALSE, 0, 'agent', 'agent', 'sip-trunk', :seq, :status, 9)
                """,
                id=str(seq),
                seq=seq,
                status=status,
            )
            await tx.execute(
                """
                INSERT INTO usage_lines (account_id, execution_id, position, attempt, kind, provider, model, unit,
                  quantity, amount, detail) VALUES ('a', :id, 1, 1, 'llm', 'p', 'm', 'ms', 1, :amount, '')
                """,
                id=str(seq),
                amount=amount,
            )
    monkeypatch.undo()
    await upgrade(empty_database_url)
    entries = await db.fetch_all(
        "SELECT account_id, at_us, kind, amount, spender, execution_id, attempt FROM wallet_entries"
    )
    wallets = await db.fetch_all(
        "SELECT account_id, balance, reserved FROM wallets WHERE unlimited ORDER BY account_id"
    )
    await db.close()
    assert [tuple(row.values()) for row in entries] == [("a", 9, "charge", 7, "a", "1", 1)]
    assert [tuple(row.values()) for row in wallets] == [("a", -7, 0), ("b", 0, 0)]
