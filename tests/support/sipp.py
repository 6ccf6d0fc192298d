"""Runs sipp, a SIP peer that is not ours, on a scenario of tests/integration/sipp."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SCENARIOS: Final = Path(__file__).parents[1] / "integration" / "sipp"
_START_TIMEOUT: Final = 5.0
_RUN_TIMEOUT: Final = 20
_DEFAULTS: Final = {"pause": "100"}
"""Of what stands in brackets: milliseconds before it hangs up."""


@dataclass(frozen=True, slots=True)
class Sipp:
    """A running sipp that ends after one call."""

    host: str
    port: int
    process: asyncio.subprocess.Process
    folder: Path

    async def succeeded(self) -> None:
        """Wait for its end and assert that its own verdict is success."""
        async with asyncio.timeout(_RUN_TIMEOUT + 5):
            status = await self.process.wait()
        assert status == 0, f"sipp ended with {status}: {self._read('errors.log')}"

    def logged(self) -> list[str]:
        """The lines that `<log>` actions wrote."""
        return self._read("actions.log").splitlines()

    def _read(self, name: str) -> str:
        path = self.folder / name
        return path.read_text(errors="replace") if path.exists() else ""


@contextlib.asynccontextmanager
async def run_sipp(
    scenario: str,
    folder: Path,
    *,
    call: tuple[str, int] | None = None,
    rtp_echo: bool = False,
    port: int | None = None,
    tcp: bool = False,
    **keys: str,
) -> AsyncIterator[Sipp]:
    """Start a scenario: waiting for a call, on any free port or this one, or placing one to `call`. `keys` replace
    `[key]` in its text. `tcp`: it speaks TCP instead of UDP.

    Listening scenarios are entered when sipp has its port. Whatever happens, sipp is gone afterwards.
    """
    host, port, media_port = (
        "127.0.0.1",
        port or free_udp_ports(),
        free_udp_ports(4),
    )  # RTP and RTCP of audio and video
    text = (SCENARIOS / f"{scenario}.xml").read_text()
    for key, value in (_DEFAULTS | keys).items():  # sipp's own -key comes too late for status lines
        text = text.replace(f"[{key}]", value)
    (folder / "scenario.xml").write_text(text.replace("UDP", "TCP") if tcp else text)
    command = ["sipp", "-sf", "scenario.xml", "-m", "1", "-i", host, "-p", str(port), "-mp", str(media_port)]
    command += ["-nostdin", "-timeout", f"{_RUN_TIMEOUT}s", "-timeout_error"]
    command += ["-trace_err", "-error_file", "errors.log", "-trace_logs", "-log_file", "actions.log"]
    command += ["-rtp_echo"] if rtp_echo else []
    command += ["-t", "t1"] if tcp else []
    command += [f"{call[0]}:{call[1]}"] if call else []
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        *command, stdin=quiet, stdout=quiet, stderr=quiet, cwd=folder
    )
    try:
        if call is None:
            await port_bound(port, process, "tcp" if tcp else "udp")
        yield Sipp(host, port, process, folder)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def free_udp_ports(count: int = 1) -> int:
    """The first of `count` neighbouring ports of 127.0.0.1 that are free now, for UDP and TCP; an even one.

    Below those that the kernel gives away: what is tested beside would take one before it is used.
    """
    while True:
        port = random.randrange(10_000, 20_000 - count, 2)
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                for offset in range(count):
                    stack.enter_context(socket.socket(type=kind)).bind(("127.0.0.1", port + offset))
            return port


async def port_bound(port: int, process: asyncio.subprocess.Process, protocol: str = "udp") -> None:
    """Wait until the kernel lists the port as bound, by a process that just started."""
    wanted = f":{port:04X} "
    table = Path("/proc/net") / protocol
    async with asyncio.timeout(_START_TIMEOUT):
        while wanted not in table.read_text():
            assert process.returncode is None, f"it did not start: status {process.returncode}"
            await asyncio.sleep(0.01)
