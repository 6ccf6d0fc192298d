"""Uploads to a real api process that is told to stop, or killed, in their midst; on both databases."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ringback.accounts.keys import Keys
from ringback.agents.definition import read
from ringback.agents.registry import Agents
from ringback.app.supervisor import READY_FD
from ringback.clock import SystemClock
from ringback.demo.run import foreign_environment
from ringback.store.database import Database
from tests.support import agent_definitions
from tests.support.ledgers import open_books

START_S = 90
END_S = 30
FILE = b"contact_number\n+14155550123\n" + b"+14155550124\n" * 20_000


@dataclass
class Server:
    process: asyncio.subprocess.Process
    port: int
    uploads: Path

    def files(self) -> list[str]:
        return sorted(path.name for path in self.uploads.glob("*.csv*"))

    async def written(self) -> Path:
        """The file of the upload under way, once all of what was sent lies in it."""
        async with asyncio.timeout(END_S):
            while True:
                for path in self.uploads.glob("*.part"):
                    if path.stat().st_size > 100_000:
                        return path
                await asyncio.sleep(0.01)

    async def deaf(self) -> None:
        """Until it takes no more connections: it stops."""
        async with asyncio.timeout(END_S):
            while True:
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", self.port)):
                        return
                await asyncio.sleep(0.01)


@dataclass
class Place:
    """An installation that is not running yet, with an agent and a key."""

    db: Database
    folder: Path
    url: str
    agent_id: str
    key: str

    @asynccontextmanager
    async def api(self) -> AsyncIterator[Server]:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        ready, telling = os.pipe()
        settings = {
            "RINGBACK_CONFIG": "",
            "RINGBACK_DATA": str(self.folder),
            "RINGBACK_DATABASE_URL": self.url,
            "RINGBACK_PORT": str(port),
            "RINGBACK_TRUNK__FROM_NUMBERS": '["+14155550100"]',
            READY_FD: str(telling),
        }
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "ringback", "api"),
            env=foreign_environment() | settings,
            stdin=asyncio.subprocess.DEVNULL,
            pass_fds=[telling],
        )
        os.close(telling)
        try:
            assert await asyncio.wait_for(asyncio.to_thread(os.read, ready, 16), START_S), "it did not start"
            yield Server(process, port, self.folder / "uploads")
        finally:
            os.close(ready)
            if process.returncode is None:
                process.kill()
                await process.wait()

    def request(self) -> bytes:
        parts = {"agent_id": (self.agent_id.encode(), ""), "file": (FILE, '; filename="people.csv"')}
        body = b"".join(
            f'--b\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + content + b"\r\n"
            for name, (content, more) in parts.items()
        )
        body += b"--b--\r\n"
        head = (
            f"POST /batches HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.key}\r\n"
            f"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    async def rows(self, table: str) -> list[str]:
        column = "subject" if table == "jobs" else "id"
        return [row[column] for row in await self.db.fetch_all(f"SELECT {column} FROM {table}")]


@pytest.fixture
async def place(database: Database, database_url: str, tmp_path: Path) -> Place:
    books = await open_books(database)
    agent = await Agents(database, books.clock).create(books.account_id, read(agent_definitions.scripted()))
    _, key = await Keys(database, SystemClock()).create(books.account_id, "test")
    return Place(database, tmp_path, database_url, agent.id, key)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(END_S):
        while True:
            if await condition():
                return
            await asyncio.sleep(0.05)


async def answered(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], Any]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
    headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
    body = await reader.readexactly(int(headers["content-length"]))
    return int(head[0].split()[1]), headers, json.loads(body)


async def test_told_to_stop_it_refuses_what_does_not_arrive_and_leaves_nothing(place: Place) -> None:
    async with place.api() as server, asyncio.timeout(2 * END_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(place.request()[:-20])
        await server.written()
        server.process.terminate()
        status, headers, body = await answered(reader)
        assert (status, body["message"]) == (503, "The server is stopping; send the file again in a moment")
        assert headers["retry-after"]
        writer.close()
        assert await server.process.wait() == 0
        assert (server.files(), await place.rows("batches"), await place.rows("jobs")) == ([], [], [])


async def test_told_to_stop_it_takes_what_arrives_soon(place: Place) -> None:
    async with place.api() as server, asyncio.timeout(2 * END_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        request = place.request()
        writer.write(request[:-20])
        await server.written()
        server.process.terminate()
        await server.deaf()
        writer.write(request[-20:])
        status, _, body = await answered(reader)
        assert (status, body["state"]) == (201, "created")
        writer.close()
        assert await server.process.wait() == 0
        batch_id = body["batch_id"]
        assert await place.rows("batches") == [batch_id]
        if await place.rows("jobs"):  # not read any more
            assert server.files() == [f"{batch_id}.csv"]
            assert (server.uploads / f"{batch_id}.csv").read_bytes() == FILE

    async def no_job() -> bool:
        return not await place.rows("jobs")

    # The next process reads it to its end.
    async with place.api() as server, asyncio.timeout(2 * END_S):
        await until(no_job)
        [batch] = await place.db.fetch_all("SELECT state, total FROM batches")
        assert (batch["state"], batch["total"], server.files()) == ("processed", 20_001, [])


async def test_what_a_killed_process_left_goes_when_it_is_old(place: Place) -> None:
    async with place.api() as server, asyncio.timeout(2 * END_S):
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(place.request()[:-20])
        left = await server.written()
        server.process.kill()
        await server.process.wait()
        writer.close()
        young = server.uploads / f"{'a' * 32}.csv"
        young.write_bytes(FILE)
        os.utime(left, (0, 0))

    async def swept() -> bool:
        return not left.exists()

    async with place.api() as server, asyncio.timeout(2 * END_S):
        await until(swept)
        assert server.files() == [young.name]
    assert await place.rows("batches") == []
