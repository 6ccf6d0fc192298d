"""Webhooks in an api process: told by any process, delivered at once, because somebody rang."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from ringback.accounts.accounts import Accounts
from ringback.agents.definition import read
from ringback.app.bell import Bell
from ringback.app.core import opened
from ringback.app.settings import OutboundSettings, Settings, SettingsError
from ringback.app.telemetry.telemetry import Telemetry
from ringback.app.webhooks import delivering
from ringback.executions.lifecycle import Status
from ringback.executions.record import NewExecution
from ringback.webhooks import deliverer
from tests.support import agent_definitions
from tests.support.batches import Deaf
from tests.support.ledgers import TickingClock
from tests.support.webhook_post import receiver

LOOPBACK = OutboundSettings(allow=["127.0.0.0/8"])


def settings(url: str, folder: Path, outbound: OutboundSettings = LOOPBACK) -> Settings:
    return Settings(data=folder, database_url=url, outbound=outbound)


async def test_what_another_process_writes_is_delivered_at_once(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliverer, "_IDLE_S", 600.0)  # nobody looks by himself
    chosen = settings(database_url, tmp_path)
    async with (
        receiver() as hook,
        opened(chosen) as api,
        opened(chosen) as worker,
        delivering(chosen, api, Telemetry("api")),
    ):
        account = await Accounts(api.db, api.clock).create("the account")
        definition = agent_definitions.scripted()
        definition["agent_config"]["webhook_url"] = hook.url
        agent = await api.agents.create(account.id, read(definition))
        await asyncio.sleep(0.2)  # it has looked, and sleeps
        call = await worker.ledger.create(
            NewExecution(account.id, agent.id, "+14155550123", "+14155550100", "sip-trunk")
        )
        await worker.ledger.transition(account.id, call.id, Status.STOPPED)
        await hook.has(2)
        assert hook.events() == ["queued", "stopped"]


async def test_a_bad_list_of_addresses_is_told_at_the_start(database_url: str, tmp_path: Path) -> None:
    chosen = settings(database_url, tmp_path, OutboundSettings(allow=["10.0.0.0/99"]))
    async with opened(chosen) as core:
        with pytest.raises(SettingsError, match=r"outbound.allow: .*10\.0\.0\.0/99"):
            async with delivering(chosen, core, Telemetry("api")):
                pass


async def test_a_bell_passes_on_many_rings_as_one() -> None:
    wakeup = Deaf()
    bell = Bell(wakeup, TickingClock(), "webhooks")
    async with bell.heard():
        for _ in range(100):
            bell.ring()
        for _ in range(10):
            await asyncio.sleep(0)
        assert wakeup.topics == ["webhooks"]
        bell.ring()
    assert wakeup.topics == ["webhooks", "webhooks"]
