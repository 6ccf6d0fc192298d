"""The platform as an operator restarts it, with somebody on the line who must not notice."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from ringback.demo.run import foreign_environment
from ringback.media.leg import HangupCause
from ringback.media.rtp_stream import PortRange
from ringback.telephony.sip.endpoint import Endpoint
from ringback.telephony.sip.inbound import IncomingCall
from ringback.telephony.sip.leg import SipLeg
from tests.support.installation import START_TIMEOUT_S, installation

pytestmark = pytest.mark.realtime

AGENT = json.loads((files("ringback.demo") / "appointment.json").read_text())
OVER_S = 60
DRAIN_S = "60"


class Switchboard:
    """Answers every call and holds it."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.legs: asyncio.Queue[SipLeg] = asyncio.Queue()
        self.port = endpoint.address[1]
        endpoint.on_invite = self._take

    async def _take(self, call: IncomingCall) -> None:
        self.legs.put_nowait(await call.answer())

    async def answered(self) -> SipLeg:
        return await asyncio.wait_for(self.legs.get(), OVER_S)


@pytest.fixture
async def switchboard() -> AsyncIterator[Switchboard]:
    endpoint = await Endpoint.open("127.0.0.1", 0, PortRange(34000, 34999))
    yield Switchboard(endpoint)
    await endpoint.close()


async def status(data: Path) -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ringback", "status", "--json"),
        env={**foreign_environment(), "RINGBACK_DATA": str(data), "RINGBACK_CONFIG": ""},
        stdout=asyncio.subprocess.PIPE,
    )
    told, _ = await process.communicate()
    assert process.returncode == 0
    found: dict[str, Any] = json.loads(told)
    return found


async def workers_until(data: Path, wanted: Callable[[list[dict[str, Any]]], bool]) -> list[dict[str, Any]]:
    async with asyncio.timeout(START_TIMEOUT_S):
        while not wanted(found := (await status(data))["workers"]):  # noqa: ASYNC110
            await asyncio.sleep(0.2)
        return found


def parent(worker: dict[str, Any]) -> int:
    """The supervisor's process id."""
    return int(Path(f"/proc/{worker['pid']}/stat").read_text().rpartition(")")[2].split()[1])


async def test_a_rolling_restart_ends_no_call_and_new_calls_go_to_the_new_worker(
    tmp_path: Path, switchboard: Switchboard
) -> None:
    async with installation(tmp_path, switchboard.port, {"DRAIN_S": DRAIN_S}) as running:
        data = tmp_path / "data"
        (old,) = await workers_until(data, lambda workers: len(workers) == 1)
        _, first = await running.place(AGENT, "+14155550101", {})
        held = await switchboard.answered()
        os.kill(parent(old), signal.SIGHUP)
        workers = await workers_until(
            data, lambda workers: sorted(one["state"] for one in workers) == ["draining", "serving"]
        )
        (new,) = [one for one in workers if one["state"] == "serving"]
        assert new["pid"] != old["pid"]
        _, second = await running.place(AGENT, "+14155550102", {})
        other = await switchboard.answered()
        record = await running.ask("GET", f"/executions/{first}")
        assert record["status"] == "in-progress"
        await other.hangup(HangupCause.NORMAL)
        await held.hangup(HangupCause.NORMAL)
        for execution in (first, second):
            assert (await running.over(execution, OVER_S))["status"] == "completed"
        (left,) = await workers_until(data, lambda workers: len(workers) == 1)
        assert left["pid"] == new["pid"]
