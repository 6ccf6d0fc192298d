"""The machine: its disk, and the ports that SIP and audio are to use."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import tempfile
from collections.abc import Collection, Iterable, Iterator
from typing import Final

from ringback.app.doctor import faults
from ringback.app.doctor.finding import Faulty, Finding
from ringback.app.settings import Settings
from ringback.app.telephony import sip_ports
from ringback.media.rtp_stream import PortRange

LEAST_BYTES: Final = 1 << 30
_BYTES_PER_HOUR: Final = 2 * 2 * 8000 * 3600
"""Of a recording: two channels of 16 bits at 8 kHz."""


def disk(settings: Settings, least_bytes: int = LEAST_BYTES) -> Finding:
    """Whether the data folder can be written to, and has room for recordings."""
    folder = settings.data.absolute()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
        free = shutil.disk_usage(existing).free
    except OSError as error:
        raise Faulty(faults.DATA_FOLDER, folder=folder, error=_why(error)) from error
    if free < least_bytes:
        hours = f"{free / _BYTES_PER_HOUR:.1f}"
        raise Faulty(faults.DISK_FULL, folder=folder, hours=hours, free=free >> 20)
    return Finding.ok("disk", f"{folder} has {free >> 30} GB free.")


def sip(settings: Settings, ours: Collection[str]) -> Finding:
    """Whether each worker finds a port, for UDP and TCP; `ours` are the addresses that running workers hold."""
    host = settings.sip.host
    taken: list[int] = []
    for index in range(settings.workers):
        ports = sip_ports(settings, index)
        if any(f"{host}:{port}" in ours for port in ports):
            continue
        if not any(_free(host, port) and _free(host, port, socket.SOCK_STREAM) for port in ports):
            taken += ports
    if taken:
        raise Faulty(faults.SIP_PORT, host=host, ports=_listed(taken))
    running = " (workers of ours hold theirs)" if ours else ""
    return Finding.ok("sip port", f"SIP can use {host}:{settings.sip.port}{running}.")


def rtp(settings: Settings, calls_up: int) -> Finding:
    """Whether all calls that may be up at a time find a port for their audio; `calls_up` have theirs."""
    low, high = settings.sip.rtp_port_low, settings.sip.rtp_port_high
    try:
        ports = PortRange(low, high).even()
    except ValueError as error:
        raise Faulty(faults.BAD_CONFIGURATION, error=str(error)) from error
    calls = settings.workers * settings.calls_per_worker - calls_up
    free = _counted((port for port in ports if _free(settings.sip.host, port)), calls)
    if free < calls:
        raise Faulty(faults.RTP_PORTS, free=free, low=low, high=high, calls=calls)
    return Finding.ok("audio ports", f"Of the UDP ports {low}-{high} enough are free for {calls} calls.")


def _free(host: str, port: int, kind: socket.SocketKind = socket.SOCK_DGRAM) -> bool:
    """Raises Faulty where the address is the trouble."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, kind) as sock:
        if kind is socket.SOCK_STREAM:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections that linger hold nothing
        try:
            sock.bind((host, port))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise Faulty(faults.SIP_ADDRESS, host=host) from error
    return True


def _counted(ports: Iterator[int], enough: int) -> int:
    count = 0
    for _ in ports:
        count += 1
        if count >= enough:
            break
    return count


def _listed(ports: Iterable[int]) -> str:
    return " and ".join(str(port) for port in ports)


def _why(error: OSError) -> str:
    return error.strerror or os.strerror(error.errno or 0)
