"""Debian's Kamailio with the configuration of deploy/, on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.support.sipp import free_udp_ports, port_bound

CONFIGURATION: Final = Path(__file__).parents[2] / "deploy" / "kamailio" / "kamailio.cfg"
_TOLD: Final = re.compile(r"(takes no calls|takes calls again): sip:127\.0\.0\.1:(\d+)")
_TIMEOUT_S: Final = 20


@dataclass
class Balancer:
    port: int
    up: dict[int, bool] = field(default_factory=dict)
    """What it thinks of the workers, by port; those that it has not spoken of are up."""
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def thinks(self, port: int, *, up: bool) -> None:
        async with asyncio.timeout(_TIMEOUT_S), self.changed:
            await self.changed.wait_for(lambda: self.up.get(port, True) is up)

    async def listen(self, lines: asyncio.StreamReader) -> None:
        while line := (await lines.readline()).decode(errors="replace"):
            if told := _TOLD.search(line):
                async with self.changed:
                    self.up[int(told[2])] = told[1] == "takes calls again"
                    self.changed.notify_all()


@contextlib.asynccontextmanager
async def balancer(
    folder: Path, workers: Iterable[int], carriers: Iterable[int], carrier_host: str = "127.0.0.1"
) -> AsyncIterator[Balancer]:
    """Running before workers and carriers on these ports of loopback; it asks workers every second."""
    places = [f"1 sip:127.0.0.1:{port}" for port in workers] + [
        f"2 sip:{carrier_host}:{port}" for port in carriers
    ]
    (folder / "dispatcher.list").write_text("\n".join(places) + "\n")
    port = free_udp_ports()
    defines = {
        "LISTEN": f"udp:127.0.0.1:{port}",
        "DISPATCHER_LIST": f'"{folder / "dispatcher.list"}"',
        "PING_INTERVAL": "1",
    }
    process = await asyncio.create_subprocess_exec(
        *("kamailio", "-DD", "-E", "-m", "32", "-M", "4", "-f", str(CONFIGURATION), "-Y", str(folder)),
        *(word for name, value in defines.items() for word in ("-A", f"{name}={value}")),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        cwd=folder,
    )
    assert process.stderr is not None
    running = Balancer(port)
    listening = asyncio.create_task(running.listen(process.stderr))
    try:
        await port_bound(port, process)
        yield running
    finally:
        process.terminate()
        await process.wait()
        await listening
