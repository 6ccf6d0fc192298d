"""The limits of the settings, held by real processes: two on PostgreSQL, one on SQLite."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx

from ringback.accounts.accounts import Accounts
from ringback.accounts.keys import Keys
from ringback.app.supervisor import Child
from ringback.clock import SystemClock
from ringback.store.database import Database
from tests.integration.test_app_serve import START_S, STOP_S, free_port


@asynccontextmanager
async def _api_process(database_url: str, data: Path) -> AsyncIterator[httpx.AsyncClient]:
    port = str(free_port())
    environment = {
        "RINGBACK_DATABASE_URL": database_url,
        "RINGBACK_DATA": str(data),
        "RINGBACK_CONFIG": "",
        "RINGBACK_HOST": "127.0.0.1",
        "RINGBACK_PORT": port,
        "RINGBACK_RATE_LIMITS__NAMED_PER_MINUTE": "25",
        "RINGBACK_RATE_LIMITS__OTHER_PER_MINUTE": "0",
    }
    child = Child("api", ["api"], environment)
    try:
        await child.start(START_S)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=STOP_S) as client:
            yield client
    finally:
        await child.stop(STOP_S)


async def test_processes_let_exactly_so_many_through(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    processes = 2 if database_url.startswith("postgresql") else 1
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(_api_process(database_url, tmp_path)) for _ in range(processes)
        ]
        while True:
            began = time.time() // 60
            statuses = await _burst(database, clients, "/v2/agent/00000000-0000-4000-8000-000000000009")
            if time.time() // 60 == began:
                break  # else they fell into two minutes: once more, with an account that has spent nothing
        assert (statuses.count(404), statuses.count(429)) == (25, 35)
        assert await _burst(database, clients, "/v2/agent/all") == [200] * 60


async def _burst(database: Database, clients: list[httpx.AsyncClient], path: str) -> list[int]:
    """The statuses of 60 requests of a new account, sent at the same time."""
    account = await Accounts(database, SystemClock()).create("busy")
    _, key = await Keys(database, SystemClock()).create(account.id, "test")
    headers = {"Authorization": f"Bearer {key}"}
    answers = await asyncio.gather(*(clients[n % len(clients)].get(path, headers=headers) for n in range(60)))
    return [answer.status_code for answer in answers]
