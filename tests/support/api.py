"""The real application on a real database, called through ASGI (or a socket), with two accounts."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from ringback.accounts.accounts import Accounts
from ringback.accounts.concurrency import Concurrencies
from ringback.accounts.idempotency import Idempotency
from ringback.accounts.keys import Keys
from ringback.accounts.sub_accounts import SubAccounts
from ringback.accounts.usage import Usages
from ringback.agents.definition import read
from ringback.agents.disposition import Disposition
from ringback.agents.dispositions import Dispositions
from ringback.agents.extraction_templates import ExtractionTemplates
from ringback.agents.registry import Agent, Agents
from ringback.api.app import create_app
from ringback.api.services import Services
from ringback.billing.wallet import Wallets
from ringback.dialing.batches import Batches
from ringback.dialing.call_events import CallEvents
from ringback.dialing.do_not_call import DoNotCall
from ringback.dialing.queue import CallQueue
from ringback.dialing.sweep import Sweep
from ringback.executions.bulk import Bulk
from ringback.executions.history import History
from ringback.executions.ledger import Ledger
from ringback.executions.listing import Listing
from ringback.executions.record import NewExecution
from ringback.executions.retention import Retention
from ringback.inbound.callers import Callers
from ringback.inbound.setup import Setup
from ringback.store.database import Database
from ringback.store.schema import metadata
from ringback.store.wakeup import TRUNKS, open_wakeup
from ringback.trunks.numbers import Numbers
from ringback.trunks.secrecy import Secrecy
from ringback.trunks.trunks import Trunks
from ringback.webhooks.deliveries import Deliveries
from ringback.webhooks.endpoints import Endpoints
from tests.support import agent_definitions

Client = httpx.AsyncClient

START_US = 1_795_493_045_000_000
"""2026-11-24T04:04:05Z"""
FROM = "+14155550100"
POOL = ("+14155550180", "+14155550181", "+14155550182", "+442071838750")
"""Numbers that accounts may take."""
MACHINE = "here"
BASE_URL = "http://ringback.test"


class SetClock:
    """Wall time stands still until a test moves it."""

    def __init__(self, us: int = START_US) -> None:
        self.us = us

    def now_us(self) -> int:
        return self.us

    def monotonic(self) -> float:
        return self.us / 1e6

    async def sleep(self, seconds: float) -> None:
        assert seconds == 0, "nothing in the API waits for the clock"


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


@dataclass
class Api:
    """`client` bears a key of `account`, `stranger` one of another account, `nobody` none."""

    account: str
    client: Client
    stranger: Client
    nobody: Client
    clock: SetClock
    ledger: Ledger
    recordings: Path
    services: Services
    db: Database

    async def agent(self) -> str:
        """A new agent of the account; its id."""
        return (await self.services.agents.create(self.account, read(agent_definitions.scripted()))).id

    async def executions(self, agent_id: str, count: int) -> list[str]:
        """Queued calls, a second apart, oldest first; their ids."""
        ids = []
        for _ in range(count):
            new = NewExecution(self.account, agent_id, "+14155550123", FROM, "sip-trunk")
            ids.append((await self.ledger.create(new)).id)
            self.clock.us += 1_000_000
        return ids

    async def rows(self) -> dict[str, int]:
        """How many rows each table holds."""
        counts = {}
        for table in metadata.tables:
            row = await self.db.fetch_one(f"SELECT count(*) AS n FROM {table}")
            assert row is not None
            counts[table] = row["n"]
        return counts

    async def revoke(self, client: Client) -> None:
        key = client.headers["authorization"].split()[1]
        [stored] = [k for k in await self.services.keys.list(self.account) if key.startswith(k.prefix)]
        assert await self.services.keys.revoke(self.account, stored.id)

    def with_services(self, **changes: Any) -> Client:
        """A client of another application, with the account's key, over changed services."""
        return _client(replace(self.services, **changes), self.client.headers["authorization"])

    @asynccontextmanager
    async def server(self) -> AsyncIterator[str]:
        """The application behind a socket on loopback; its URL."""
        config = uvicorn.Config(create_app(self.services), port=0, log_level="warning", lifespan="off")
        server = _Server(config)
        task = asyncio.create_task(server.serve())
        async with asyncio.timeout(10):
            await server.ready.wait()
        try:
            port = server.servers[0].sockets[0].getsockname()[1]
            yield f"http://127.0.0.1:{port}"
        finally:
            server.should_exit = True
            await task


async def found_nothing(
    agent: Agent, dispositions: Sequence[Disposition], transcript: str, at_us: int
) -> dict[str, Any]:
    """What a language model that is not there finds."""
    found: dict[str, Any] = {}
    for one in dispositions:
        found.setdefault(one.category, {})[one.name] = {
            "subjective": "" if one.is_subjective else None,
            "objective": None,
            "confidence": 0.0,
            "confidence_label": "Low",
            "reasoning_subjective": "nobody was asked",
            "reasoning_objective": None,
            "validation": None,
        }
    return found


@asynccontextmanager
async def open_api(db: Database, folder: Path) -> AsyncIterator[Api]:
    clock = SetClock()
    recordings = folder / "recordings"
    recordings.mkdir()
    ledger = Ledger(db, clock, BASE_URL)
    wakeup = await open_wakeup(db, folder)
    keys = Keys(db, clock)
    calls = CallQueue(db, ledger, wakeup, provider="sip-trunk", from_numbers=[FROM])
    sweep = Sweep(db, Bulk(ledger), clock, Retention(db, ledger, clock, recordings).agent)
    services = Services(
        keys=keys,
        agents=Agents(db, clock),
        listing=Listing(db),
        history=History(db),
        calls=calls,
        call_events=CallEvents(db, clock, wakeup),
        do_not_call=DoNotCall(db, clock),
        batches=Batches(db, clock, wakeup, calls, sweep, MACHINE),
        idempotency=Idempotency(db, clock),
        accounts=Accounts(db, clock),
        sub_accounts=SubAccounts(db, clock),
        usages=Usages(db),
        wallets=Wallets(db, clock),
        concurrencies=Concurrencies(db, clock),
        endpoints=Endpoints(db, clock, wakeup),
        deliveries=Deliveries(db, clock, wakeup),
        dispositions=Dispositions(db, clock),
        extraction_templates=ExtractionTemplates(db, clock),
        trunks=Trunks(db, clock, Secrecy.of_folder(folder)),
        trunks_changed=partial(wakeup.notify, TRUNKS),
        numbers=Numbers(db, clock),
        inbound=Setup(db, clock, BASE_URL),
        callers=Callers(db, clock),
        number_pool=POOL,
        try_dispositions=found_nothing,
        clock=clock,
        recordings=recordings,
        uploads=folder / "uploads",
    )
    accounts = Accounts(db, clock)
    mine, theirs = await accounts.create("mine"), await accounts.create("theirs")
    _, my_key = await keys.create(mine.id, "test")
    _, their_key = await keys.create(theirs.id, "test")
    clients = [_client(services, key) for key in (f"Bearer {my_key}", f"Bearer {their_key}", None)]
    yield Api(mine.id, *clients, clock, ledger, recordings, services, db)
    for client in clients:
        await client.aclose()
    await wakeup.close()


def _client(services: Services, authorization: str | None) -> Client:
    # Exceptions must have become answers: a client sees no other.
    transport = httpx.ASGITransport(create_app(services), raise_app_exceptions=False)
    headers = {"Authorization": authorization} if authorization else {}
    return Client(transport=transport, base_url=BASE_URL, headers=headers)


def assert_refused(answer: httpx.Response, status: int, message: str | None = None) -> None:
    """The one envelope of all errors."""
    body = answer.json()
    assert answer.status_code == status, body
    assert body["error"] == status
    assert body["message"] == body["detail"]
    assert body.keys() <= {"error", "message", "detail", "details"}
    if message is not None:
        assert body["message"] == message
