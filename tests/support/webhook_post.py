"""A post office of webhooks: a ledger whose agent has a URL, a receiver on loopback, a deliverer under a set clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from ringback.executions.bulk import Bulk
from ringback.executions.ledger import Ledger
from ringback.executions.lifecycle import Status
from ringback.executions.record import Execution
from ringback.net.addresses import Allowed
from ringback.net.client import GuardedClient
from ringback.net.signing import new_secret
from ringback.store.database import Database, Row
from ringback.store.queries import webhook_endpoints
from ringback.webhooks.deliverer import Deliverer
from ringback.webhooks.deliveries import Deliveries
from ringback.webhooks.endpoints import Endpoint, Endpoints
from tests.support.batches import Deaf
from tests.support.http_server import Page, Request
from tests.support.keep_alive import keep_alive_server, read_request
from tests.support.ledgers import PUBLIC_URL, Books, open_books

SECOND = 1_000_000
LOOPBACK = Allowed(["127.0.0.0/8"])
TALK = (
    Status.INITIATED,
    Status.RINGING,
    Status.IN_PROGRESS,
    Status.CALL_DISCONNECTED,
    Status.COMPLETED,
)
STORY = ["queued", *TALK]


@dataclass
class Receiver:
    """What arrives at a URL; `answer` decides what it gets."""

    answer: Callable[[Request], Page] = lambda request: Page()
    got: list[Request] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    """By the clock of the post."""
    connections: int = 0
    port: int = 0
    now_us: Callable[[], int] = lambda: 0
    arrival: asyncio.Event = field(default_factory=asyncio.Event)

    async def has(self, count: int) -> None:
        """Wait until so many have arrived."""
        async with asyncio.timeout(30):
            while len(self.got) < count:
                self.arrival.clear()
                await self.arrival.wait()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def ids(self) -> list[str]:
        return [request.headers["webhook-id"] for request in self.got]

    def events(self, execution: Execution | None = None) -> list[str]:
        """Statuses in the order of their arrival, all or those of an execution."""
        return [
            request.json["status"]
            for request in self.got
            if execution is None or request.json["id"] == execution.id
        ]

    async def serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        line, headers, body = await read_request(reader)
        method, path, _ = line.split(" ", 2)
        request = Request(method, path, headers, body)
        self.got.append(request)
        self.times.append(self.now_us())
        self.arrival.set()
        page = self.answer(request)
        await asyncio.sleep(page.wait_s)
        fields = {"Content-Length": str(len(page.body)), **page.headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        writer.write(f"HTTP/1.1 {page.status} X\r\n{head}\r\n".encode() + page.body)
        await writer.drain()
        return not page.breaks


@asynccontextmanager
async def receiver(now_us: Callable[[], int] = lambda: 0) -> AsyncIterator[Receiver]:
    found = Receiver(now_us=now_us)

    def connected() -> None:
        found.connections += 1

    async with keep_alive_server(found.serve_one, connected=connected, gone=lambda: None) as port:
        found.port = port
        yield found


@dataclass
class Post:
    books: Books
    client: GuardedClient
    deliverer: Deliverer
    deliveries: Deliveries
    endpoints: Endpoints

    @property
    def db(self) -> Database:
        return self.books.db

    @property
    def clock(self) -> Any:
        return self.books.clock

    def another(self) -> Deliverer:
        """Another process that delivers."""
        return Deliverer(self.db, self.clock, Deaf(), self.client, chance=lambda: 0.5)

    async def tell(self, url: str | None, agent_id: str = "agent") -> None:
        """Where the agent's calls are told."""
        async with self.db.transaction() as tx:
            if url is not None:
                await webhook_endpoints.ensure(
                    tx, self.books.account_id, url, secret=new_secret(), now_us=self.clock.us
                )
            await tx.execute("UPDATE agents SET webhook_url = :url WHERE id = :id", url=url, id=agent_id)

    async def endpoint(self, url: str) -> Endpoint:
        found = await self.endpoints.after(self.books.account_id, "", 100)
        return next(one for one in found if one.url == url)

    async def walk(self, execution: Execution, *statuses: Status) -> Execution:
        for status in statuses:
            execution = await self.books.ledger.transition(self.books.account_id, execution.id, status)
        return execution

    async def call(self, *statuses: Status, agent_id: str = "agent") -> Execution:
        """A call that has gone through these."""
        return await self.walk(await self.books.create(agent_id=agent_id), *statuses)

    async def rows(self, execution: Execution | None = None) -> list[Row]:
        """The outbox, in order."""
        rows = await self.db.fetch_all("SELECT * FROM webhook_deliveries ORDER BY subject, position")
        return [row for row in rows if execution is None or row["subject"] == execution.id]

    async def until(self, us: int, step: Callable[[], None] = lambda: None) -> None:
        """Deliver what is due until then, the clock jumping from one delivery to the next."""
        while (due := await self.deliverer.settle()) is not None and due <= us:
            self.clock.us = max(self.clock.us, due)
            step()
        self.clock.us = max(self.clock.us, us)


@asynccontextmanager
async def post_office(db: Database) -> AsyncIterator[Post]:
    books = await open_books(db)
    client = GuardedClient(LOOPBACK)
    deliverer = Deliverer(db, books.clock, Deaf(), client, chance=lambda: 0.5)
    yield Post(
        books,
        client,
        deliverer,
        Deliveries(db, books.clock),
        Endpoints(db, books.clock),
    )
    await client.close()


def bulk_of(books: Books) -> Bulk:
    return Bulk(Ledger(books.db, books.clock, PUBLIC_URL))
