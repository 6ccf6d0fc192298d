"""Runs baresip, a softphone that is not ours: it answers by itself, echoes what it hears, and does as it is told."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.sipp import free_udp_ports, port_bound

CONFIG = """\
sip_listen 127.0.0.1:{port}
net_interface 127.0.0.1
audio_player aubridge,echo
audio_source aubridge,echo
rtp_ports 32000-32200
module_path /usr/lib/baresip/modules
module g711.so
module aubridge.so
module_app account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen 127.0.0.1:{control}
"""
ACCOUNT = "<sip:person@127.0.0.1>;regint=0;answermode=auto;audio_codecs={codec}/8000/1{more}\n"


@dataclass(frozen=True, slots=True)
class Softphone:
    """`port` of its SIP."""

    port: int
    control: int

    async def do(self, command: str, params: str = "") -> None:
        """A command of its menu, e.g. `hold`, `dial`."""
        order = json.dumps({"command": command, "params": params}).encode()
        async with asyncio.timeout(5):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.control)
            writer.write(b"%d:%s," % (len(order), order))
            await writer.drain()
            await reader.read(1)
        writer.close()


@contextlib.asynccontextmanager
async def softphone(
    folder: Path, *commands: str, codec: str = "PCMU", more: str = "", config: str = ""
) -> AsyncIterator[Softphone]:
    """A running baresip; `commands` run at its start, `more` are further parameters of its account,
    `config` further lines of its configuration. It speaks UDP and TCP on its port, TLS on the next one."""
    port, control = free_udp_ports(2), free_udp_ports()
    (folder / "config").write_text(CONFIG.format(port=port, control=control) + config)
    (folder / "accounts").write_text(ACCOUNT.format(codec=codec, more=more))
    arguments = [argument for command in commands for argument in ("-e", command)]
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        "baresip", "-f", str(folder), *arguments, stdin=asyncio.subprocess.PIPE, stdout=quiet, stderr=quiet
    )
    try:
        await port_bound(port, process)
        yield Softphone(port, control)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
