"""The roles started one by one, as on many machines, on one database."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from ringback.demo.run import foreign_environment
from tests.support.sipp import free_udp_ports

START_S = 90


class Machine:
    """Commands with one environment; what was started ends with the block."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = foreign_environment() | environment
        self.started: list[asyncio.subprocess.Process] = []

    async def start(self, *command: str) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "ringback", *command),
            env=self._environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
        )
        self.started.append(process)
        return process

    async def said(self, *command: str) -> str:
        process = await self.start(*command)
        told, _ = await asyncio.wait_for(process.communicate(), START_S)
        assert process.returncode == 0
        return told.decode()

    async def workers(self, count: int) -> list[dict[str, Any]]:
        """Once so many are there."""
        async with asyncio.timeout(START_S):
            while True:
                found: list[dict[str, Any]] = json.loads(await self.said("status", "--json"))["workers"]
                if len(found) == count:
                    return found


@asynccontextmanager
async def machine(environment: dict[str, str]) -> AsyncIterator[Machine]:
    running = Machine(environment)
    try:
        yield running
    finally:
        for process in running.started:
            if process.returncode is None:
                process.kill()
                await process.wait()


async def test_workers_that_start_alone_are_seen_each_with_its_port_and_leave_when_told(
    empty_database_url: str, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    sip = free_udp_ports(4)
    environment = {
        "RINGBACK_CONFIG": "",
        "RINGBACK_DATA": str(tmp_path),
        "RINGBACK_DATABASE_URL": empty_database_url,
        "RINGBACK_PORT": str(port),
        "RINGBACK_SIP__PORT": str(sip),
        "RINGBACK_TRUNK__HOST": "127.0.0.1",
    }
    async with machine(environment) as here:
        assert "bn-" in await here.said("migrate")
        assert "bn-" not in await here.said("migrate")
        api = await here.start("api")
        roles = [await here.start("worker", "--index", index) for index in ("0", "1")]
        found = await here.workers(2)
        assert [(one["number"], one["address"], one["state"]) for one in found] == [
            (0, f"127.0.0.1:{sip}", "serving"),
            (1, f"127.0.0.1:{sip + 2}", "serving"),
        ]
        successor = await here.start("worker", "--index", "0")
        found = await here.workers(3)
        assert {one["address"] for one in found if one["number"] == 0} == {
            f"127.0.0.1:{sip}",
            f"127.0.0.1:{sip + 1}",
        }
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            assert (await client.get("/health")).status_code == 200
        for process in (*roles, successor, api):
            process.terminate()
        ends = await asyncio.wait_for(
            asyncio.gather(*(process.wait() for process in (*roles, successor, api))), START_S
        )
        assert ends == [0, 0, 0, 0]
        assert await here.workers(0) == []
