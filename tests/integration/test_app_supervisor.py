"""The supervisor over real processes that report what happens to them, and end only when they are told to."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ringback.app.supervisor import Child, ChildFailed, Supervisor

GRACE_S = 30.0
PROGRAM = """
import os, signal, socket, sys
name, path, stamp = sys.argv[1:]
if os.path.exists(stamp):
    sys.exit(3)
line = socket.socket(socket.AF_UNIX)
line.connect(path)
def tell(what):
    line.sendall(f"{name} {what}\\n".encode())
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
tell("serves")
os.write(int(os.environ["RINGBACK_READY_FD"]), b"ready")
signal.sigwait([signal.SIGTERM])
tell("drains")
line.recv(1)
tell("ends")
"""


class Playground:
    """What the processes said, in the order of arrival."""

    def __init__(self, folder: Path) -> None:
        self.broken = folder / "broken"
        """While it exists, no child comes up."""
        self._path = folder / "line"
        self._said: asyncio.Queue[str] = asyncio.Queue()
        self._lines: dict[str, list[asyncio.StreamWriter]] = {}

    def child(self, name: str) -> Child:
        arguments = [name, str(self._path), str(self.broken)]
        return Child(name, arguments, program=(sys.executable, "-c", PROGRAM))

    async def said(self, count: int) -> list[str]:
        async with asyncio.timeout(GRACE_S):
            return [await self._said.get() for _ in range(count)]

    def quiet(self) -> bool:
        return self._said.empty()

    def let_go(self, name: str) -> None:
        """The oldest of this name may end."""
        self._lines[name].pop(0).write(b".")

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        server = await asyncio.start_unix_server(self._hear, self._path)
        try:
            yield
        finally:
            server.close()

    async def _hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := (await reader.readline()).decode().strip():
            if line.endswith("serves"):
                self._lines.setdefault(line.split()[0], []).append(writer)
            self._said.put_nowait(line)
        writer.close()


@asynccontextmanager
async def supervised(ground: Playground, *stages: list[str]) -> AsyncIterator[Supervisor]:
    supervisor = Supervisor([[ground.child(name) for name in stage] for stage in stages], GRACE_S)
    async with ground.open():
        await supervisor.start()
        try:
            yield supervisor
        finally:
            await supervisor.stop(0.1)


async def test_all_workers_drain_at_once_and_only_then_what_they_lean_on(tmp_path: Path) -> None:
    ground = Playground(tmp_path)
    async with supervised(ground, ["speech"], ["api"], ["a", "b", "c"]) as supervisor:
        await ground.said(5)
        stopping = asyncio.create_task(supervisor.stop(GRACE_S))
        assert sorted(await ground.said(3)) == ["a drains", "b drains", "c drains"]
        ground.let_go("a")
        assert await ground.said(1) == ["a ends"]
        ground.let_go("b")
        assert await ground.said(1) == ["b ends"]
        assert ground.quiet()  # the last worker may still need the others
        ground.let_go("c")
        assert await ground.said(2) == ["c ends", "api drains"]
        ground.let_go("api")
        assert await ground.said(2) == ["api ends", "speech drains"]
        ground.let_go("speech")
        await stopping


async def test_a_roll_has_the_next_one_serve_before_the_old_one_drains(tmp_path: Path) -> None:
    ground = Playground(tmp_path)
    async with supervised(ground, ["api"], ["a", "b"]) as supervisor:
        await ground.said(3)
        await supervisor.roll(GRACE_S)
        said = await ground.said(4)
        for name in ("a", "b"):
            assert said.index(f"{name} serves") < said.index(f"{name} drains")
        stopping = asyncio.create_task(supervisor.stop(GRACE_S))
        assert sorted(await ground.said(2)) == ["a drains", "b drains"]
        for name in ("a", "b"):
            ground.let_go(name)
            ground.let_go(name)
        ends = await ground.said(5)
        # Whoever was replaced and still drains needs the API as well.
        assert sorted(ends[:4]) == ["a ends", "a ends", "b ends", "b ends"]
        assert ends[4] == "api drains"
        ground.let_go("api")
        await stopping


async def test_a_successor_that_does_not_come_up_leaves_the_old_one_at_work(tmp_path: Path) -> None:
    ground = Playground(tmp_path)
    async with supervised(ground, ["a", "b"]) as supervisor:
        await ground.said(2)
        ground.broken.touch()
        await supervisor.roll(GRACE_S)
        assert ground.quiet()
        ground.broken.unlink()
        await supervisor.roll(GRACE_S)
        assert sorted(await ground.said(4)) == ["a drains", "a serves", "b drains", "b serves"]
        for name in ("a", "b"):
            ground.let_go(name)


async def test_one_child_that_fails_at_the_start_stops_the_others(tmp_path: Path) -> None:
    ground = Playground(tmp_path)
    ground.broken.touch()
    with pytest.raises(ChildFailed, match="a ended at its start with exit status 3"):
        async with supervised(ground, ["a"]):
            pass
    assert ground.quiet()
