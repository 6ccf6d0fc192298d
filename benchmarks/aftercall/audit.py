"""How long `ringback audit --all` takes over a hundred thousand completed executions."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.aftercall.calls import OWNER, place
from benchmarks.ledger.stores import Store
from ringback.agents.registry import Agents
from tests.support.after_call import pipeline

_DATABASE = "aftercall_audit"


def run(store: Store, executions: int) -> dict[str, Any]:
    """audit_100k_s: seconds of the whole command."""
    return asyncio.run(_measured(store, executions))


async def _measured(store: Store, executions: int) -> dict[str, Any]:
    async with place(store, _DATABASE) as here:
        agent = {"agent_config": {"webhook_url": "https://client.example/hook"}}
        await Agents(here.db, here.clock).patch(here.account_id, here.agent_id, agent)
        first = await here.disconnected()
        with tempfile.TemporaryDirectory() as folder:
            work = pipeline(here.db, here.ledger, Path(folder))
            await work.complete(here.account_id, first.id, 1, OWNER)
        first = await here.ledger.get(here.account_id, first.id)
        await here.copied(first, executions - 1)
        await asyncio.to_thread(store.tidy, _DATABASE)
        seconds = await asyncio.to_thread(_audit, store.url(_DATABASE))
        label = f"{executions // 1000}k"
        return {f"audit_{label}_s": round(seconds, 1)}


def _audit(url: str) -> float:
    """Raises CalledProcessError where it finds something: the copies add up."""
    began_s = time.monotonic()
    command = [sys.executable, "-m", "ringback", "audit", "--all"]
    subprocess.run(command, env=os.environ | {"RINGBACK_DATABASE_URL": url}, check=True)
    return time.monotonic() - began_s
