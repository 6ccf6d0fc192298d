"""`ringback serve` as an operator starts it, and a client of its API."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from ringback.app.serve import prepare, with_free_port
from ringback.app.settings import Settings
from ringback.demo.run import foreign_environment
from ringback.executions.lifecycle import TERMINAL

OUR_NUMBER = "+15550100100"
START_TIMEOUT_S = 90.0
_POLL_S = 1.0
_OVER = tuple(status.value for status in TERMINAL)


@dataclass
class Installation:
    client: httpx.AsyncClient
    folder: Path

    async def ask(self, method: str, path: str, **request: Any) -> Any:
        answer = await self.client.request(method, path, **request)
        assert answer.is_success, f"{method} {path} answered {answer.status_code}: {answer.text}"
        return answer.json()

    async def place(
        self, agent: Mapping[str, Any], number: str, user_data: Mapping[str, Any]
    ) -> tuple[str, str]:
        """A new agent calls a number; the ids of both."""
        agent_id = (await self.ask("POST", "/v2/agent", json=agent))["agent_id"]
        call = {"agent_id": agent_id, "recipient_phone_number": number, "user_data": user_data}
        placed = await self.ask("POST", "/call", json={**call, "from_phone_number": OUR_NUMBER})
        return agent_id, placed["execution_id"]

    async def over(self, execution_id: str, seconds: float) -> dict[str, Any]:
        async with asyncio.timeout(seconds):
            while True:
                record: dict[str, Any] = await self.ask("GET", f"/executions/{execution_id}")
                if record["status"] in _OVER:
                    return record
                await asyncio.sleep(_POLL_S)

    async def logged(self, execution_id: str, text: str, seconds: float) -> None:
        """Until it stands in the log, in a turn that was heard."""
        async with asyncio.timeout(seconds):
            while True:
                rows = await self.log(execution_id)
                if any(text in row["data"] and row["component"] == "system" for row in rows):
                    return
                assert "call-disconnected" not in rows[-1]["data"], f"over without {text!r}: {rows}"
                await asyncio.sleep(_POLL_S)

    async def log(self, execution_id: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = (await self.ask("GET", f"/executions/{execution_id}/log"))["data"]
        return rows


@asynccontextmanager
async def installation(
    folder: Path, trunk_port: int, settings: Mapping[str, str]
) -> AsyncIterator[Installation]:
    """Running, with a trunk to a port of loopback; what its processes write stands in `folder/serve.txt` then.

    `settings` are environment names without their RINGBACK_.
    """
    data = folder / "data"
    known = with_free_port(Settings(data=data, port=0))
    key = await prepare(known)
    own = {
        "CONFIG": "",
        "DATA": str(data),
        "PORT": str(known.port),
        "SIP__PORT": "0",
        "TRUNK__HOST": "127.0.0.1",
        "TRUNK__PORT": str(trunk_port),
        "TRUNK__FROM_NUMBERS": json.dumps([OUR_NUMBER]),
    }
    environment = {f"RINGBACK_{name}": value for name, value in {**own, **settings}.items()}
    with (folder / "serve.txt").open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "ringback", "serve"),
            env={**foreign_environment(), **environment},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=output,
        )
        assert process.stdout is not None
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                assert await process.stdout.readline(), (folder / "serve.txt").read_text()
            authorized = {"Authorization": f"Bearer {key}"}
            async with httpx.AsyncClient(base_url=known.base_url, headers=authorized, timeout=10) as client:
                yield Installation(client, folder)
        finally:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), 60)
            except TimeoutError:
                process.kill()
                await process.wait()
