"""`ringback serve` as an operator runs it: started, restarted, stopped, and refused with one sentence."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import httpx
import pytest

from ringback.store.migrate import upgrade

pytestmark = pytest.mark.realtime

AGENT = json.loads((files("ringback.demo") / "appointment.json").read_text())
START_S = 60
STOP_S = 30


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(data: Path, **settings: str) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("RINGBACK_")}
    return own | {"RINGBACK_DATA": str(data), "RINGBACK_CONFIG": ""} | settings


@dataclass
class Serve:
    process: asyncio.subprocess.Process
    url: str
    key: str | None

    def children(self) -> dict[str, int]:
        """Process ids by role."""
        found = {}
        for pid in _children(self.process.pid):
            words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
            if (
                len(words) > 3
            ):  # a moment after its start a child still has its parent's command line, or none
                found[words[3]] = pid
        return found

    async def healthy(self) -> bool:
        async with httpx.AsyncClient(base_url=self.url, timeout=2) as client:
            try:
                return (await client.get("/health")).status_code == 200
            except httpx.HTTPError:
                return False


@asynccontextmanager
async def serving(data: Path, **settings: str) -> AsyncIterator[Serve]:
    """Up and running; killed with its children at the end."""
    port = str(free_port())
    sip = {"RINGBACK_PORT": port, "RINGBACK_SIP__PORT": "0"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ringback", "serve", env=environment(data, **sip, **settings),
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        async with asyncio.timeout(START_S):
            first = (await process.stdout.readline()).decode()
            second = (await process.stdout.readline()).decode()
        assert f":{port}" in first
        key = re.search(r"bn-\S+", second)
        yield Serve(process, f"http://127.0.0.1:{port}", key[0] if key else None)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = STOP_S) -> None:
    """Processes end when the kernel says so; nothing here can be waited for but by looking."""
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110
            await asyncio.sleep(0.05)


def _children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def gone(*pids: int) -> bool:
    return not any(_runs(pid) for pid in pids)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def test_the_first_start_shows_a_key_that_works_and_the_second_shows_none(tmp_path: Path) -> None:
    async with serving(tmp_path) as first:
        assert set(first.children()) == {"api", "speech", "worker"}
        assert first.key is not None
        headers = {"Authorization": f"Bearer {first.key}"}
        async with httpx.AsyncClient(base_url=first.url, headers=headers) as client:
            assert (await client.get("/v2/agent/all")).json() == []
        first.process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(first.process.wait(), STOP_S) == 0
    async with serving(tmp_path) as second:
        assert second.key is None
        assert not re.search(rb"bn-[A-Za-z0-9_-]{40}", (tmp_path / "ringback.db").read_bytes())


async def test_one_scrape_sees_every_process(tmp_path: Path) -> None:
    async with serving(tmp_path) as platform, httpx.AsyncClient(base_url=platform.url) as client:

        async def all_are_there() -> bool:
            told = (await client.get("/metrics")).text
            seen = re.findall(r'event_loop_lag_seconds_count\{process="([^"]+)"', told)
            return {*seen} == {"api", "speech", "worker-0"} and "ringback_queue_due 0" in told

        await until(all_are_there)


async def test_a_child_that_dies_is_started_again(tmp_path: Path) -> None:
    async with serving(tmp_path) as platform:
        before = platform.children()["api"]
        os.kill(before, signal.SIGKILL)

        async def another_answers() -> bool:
            return platform.children().get("api", before) != before and await platform.healthy()

        await until(another_answers, START_S)


async def test_children_end_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    async with serving(tmp_path) as platform:
        children = platform.children().values()
        platform.process.kill()
        await until(lambda: gone(*children))


async def test_a_call_without_a_trunk_is_refused_with_what_is_missing(tmp_path: Path) -> None:
    async with serving(tmp_path) as platform:
        headers = {"Authorization": f"Bearer {platform.key}"}
        async with httpx.AsyncClient(base_url=platform.url, headers=headers) as client:
            agent_id = (await client.post("/v2/agent", json=AGENT)).json()["agent_id"]
            call = {"agent_id": agent_id, "recipient_phone_number": "+14155550123"}
            answer = await client.post("/call", json=call)
    assert answer.status_code == 400
    assert "trunk.from_numbers" in answer.json()["message"]


def _refused(data: Path, *command: str, **settings: str) -> str:
    finished = subprocess.run(
        [sys.executable, "-m", "ringback", *command],
        env=environment(data, **settings),
        capture_output=True,
        text=True,
        timeout=START_S,
        check=False,
    )
    assert finished.returncode == 1
    assert "Traceback" not in finished.stderr
    return finished.stderr


async def test_a_data_folder_serves_one_platform(tmp_path: Path) -> None:
    async with serving(tmp_path):
        assert "Another ringback serve" in await asyncio.to_thread(_refused, tmp_path, "serve")


def test_a_bad_setting_is_one_sentence(tmp_path: Path) -> None:
    assert "port" in _refused(tmp_path, "serve", RINGBACK_PORT="eighty")


def test_a_data_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "cannot be made" in _refused(tmp_path / "file" / "data", "serve")


def test_a_database_that_is_not_there_is_one_sentence_without_its_password(tmp_path: Path) -> None:
    url = f"postgresql://me:hunter2@127.0.0.1:{free_port()}/ringback"
    message = _refused(tmp_path, "serve", RINGBACK_DATABASE_URL=url)
    assert "postgresql" in message.lower()
    assert "hunter2" not in message


def test_a_role_alone_asks_for_its_tables(tmp_path: Path) -> None:
    for role in ("api", "worker"):
        assert "ringback migrate" in _refused(tmp_path, role)


@pytest.fixture
def migrated(tmp_path: Path) -> Path:
    """A data folder with tables."""
    asyncio.run(upgrade(f"sqlite:///{tmp_path}/ringback.db"))
    return tmp_path


def test_a_port_in_use_is_named(migrated: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        message = _refused(migrated, "api", RINGBACK_PORT=str(port))
    assert f"127.0.0.1:{port}" in message


def test_a_bad_trunk_is_named(migrated: Path) -> None:
    message = _refused(migrated, "worker", RINGBACK_TRUNK__HOST="not a host", RINGBACK_SIP__PORT="0")
    assert "trunk host" in message
