"""A worker's reception on a real database and a real port, and the trunk, the number and the agent that are called."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ringback.agents.registry import Agents
from ringback.billing.reservation import Reservations
from ringback.calls.call import Attempted, Talker
from ringback.clock import SystemClock
from ringback.dialing.claims import LEASE_S
from ringback.executions.lifecycle import TERMINAL, Status
from ringback.executions.record import Execution
from ringback.inbound.call import Desk
from ringback.inbound.callers import Callers
from ringback.inbound.opening import Opening
from ringback.inbound.reception import House, Introduce, Reception, Wait
from ringback.inbound.setup import Setup
from ringback.inbound.sources import Own, Sources
from ringback.media.rtp_stream import PortRange
from ringback.net.addresses import Allowed
from ringback.net.client import GuardedClient
from ringback.net.resolving import SystemResolver
from ringback.store.database import Database
from ringback.telephony.sip.endpoint import Endpoint
from ringback.telephony.sip.guard import Guard
from ringback.trunks.gateway import Gateway
from ringback.trunks.numbers import NewNumber, Numbers
from ringback.trunks.secrecy import Secrecy
from ringback.trunks.trunk import Trunk, TrunkFields
from ringback.trunks.trunks import Trunks
from tests.support.after_call import pipeline
from tests.support.exchange import TIMEOUT_S, listener
from tests.support.ledgers import Books, open_books

NUMBER: Final = "+14155550100"
"""That is called."""
CALLER: Final = "+14155550123"


@dataclass
class Foyer:
    """What is behind a reception: the store, and whoever answers."""

    books: Books
    folder: Path
    trunks: Trunks
    numbers: Numbers
    setup: Setup
    callers: Callers
    client: GuardedClient
    worker: str = "worker"
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def open(
        self,
        prepare: Callable[[Execution], Awaitable[Talker]] = listener,
        *,
        capacity: int = 10,
        drain_s: float = TIMEOUT_S,
        admits: Callable[[], bool] = lambda: True,
        others: Callable[[], int] = lambda: 0,
        introduce: Introduce = lambda execution, menus, talker: talker,
        lease_s: float = LEASE_S,
        own: Own | None = None,
        proxies: Sequence[str] = (),
        wait: Wait | None = None,
        most_waiting: int = 0,
    ) -> AsyncIterator[Receiving]:
        """On a port of its own."""
        clock, db, ledger = SystemClock(), self.books.db, self.books.ledger
        after = pipeline(db, ledger, self.folder)

        async def after_call(held: Attempted) -> None:
            await after.complete(held.account_id, held.execution_id, held.number, self.worker)

        sources = Sources(
            self.trunks.active, own or Own("sip-trunk", (), proxies), resolve=SystemResolver(), clock=clock
        )
        await sources.refresh()
        reception = Reception(
            House(
                db,
                sources,
                self.numbers,
                Agents(db, clock),
                self.callers,
                Opening(db, ledger, Reservations(db, clock), self.worker, lease_s),
                Desk(ledger, clock, self.worker, prepare, after_call),
                introduce,
                lease_s,
                wait,
            ),
            capacity=capacity,
            drain_s=drain_s,
            most_waiting=most_waiting,
            admits=admits,
            others=others,
        )
        guard = Guard(asyncio.get_running_loop().time)
        guard.known = sources.knows
        endpoint = await Endpoint.open("127.0.0.1", 0, PortRange(31000, 31999), guard=guard)
        endpoint.on_invite = reception.receive
        running = asyncio.create_task(reception.run(self.stopping))
        try:
            yield Receiving(reception, endpoint, sources)
        finally:
            self.stopping.set()
            await asyncio.wait_for(running, TIMEOUT_S)
            await endpoint.close()

    async def define(self, **config: Any) -> None:
        """Change the agent's definition: `task_config` keys, and `ingest` for ingest_source_config."""
        ingest = config.pop("ingest", None)
        definition = {
            "tasks": [{"task_type": "conversation", "task_config": config}],
            "ingest_source_config": ingest,
        }
        async with self.books.db.transaction() as tx:
            await tx.execute(
                "UPDATE agents SET definition = :definition WHERE account_id = :account_id AND id = 'agent'",
                definition=json.dumps(definition),
                account_id=self.books.account_id,
            )

    async def trunk(
        self, number: str | None = NUMBER, agent_id: str | None = "agent", **fields: Any
    ) -> Trunk:
        """A trunk of the account on this machine, whose number the agent answers."""
        values: dict[str, Any] = {
            "name": "here",
            "provider": "plivo",
            "auth_type": "ip-based",
            "gateways": (Gateway("127.0.0.1"),),
            "ip_identifiers": ("127.0.0.1",),
            "inbound_enabled": True,
        }
        account = self.books.account_id
        numbers = [NewNumber(number)] if number else []
        trunk = await self.trunks.create(account, TrunkFields(**(values | fields)), numbers)
        for added in await self.numbers.of_trunk(account, trunk.id):
            if agent_id is not None:
                await self.setup.link(account, added.id, agent_id)
        return trunk

    async def records(self) -> list[dict[str, Any]]:
        return await self.books.list()

    async def until(self, *wanted: Status, count: int = 1) -> dict[str, Any]:
        """The newest record that has one of the statuses, once so many have."""
        async with asyncio.timeout(TIMEOUT_S):
            while True:
                found = [record for record in await self.records() if record["smart_status"] in wanted]
                if len(found) >= count:
                    return found[0]
                await asyncio.sleep(0.01)

    async def over(self) -> dict[str, Any]:
        return await self.until(*TERMINAL)

    async def statuses(self, execution_id: str) -> list[str]:
        rows = await self.books.listing.log(self.books.account_id, execution_id)
        moved = [row.data.rpartition("-> ")[2].partition(":")[0] for row in rows if row.component == "system"]
        return [word for word in moved if word in set(Status)]


@dataclass(frozen=True)
class Receiving:
    reception: Reception
    endpoint: Endpoint
    sources: Sources

    @property
    def address(self) -> tuple[str, int]:
        return self.endpoint.address


@asynccontextmanager
async def open_foyer(database: Database, folder: Path) -> AsyncIterator[Foyer]:
    books = await open_books(database)
    clock = SystemClock()
    client = GuardedClient(Allowed(["127.0.0.1"]))
    yield Foyer(
        books,
        folder,
        Trunks(database, clock, Secrecy.of_folder(folder)),
        Numbers(database, clock),
        Setup(database, clock, "https://ringback.example"),
        Callers(database, clock, client),
        client,
    )
    await client.close()
