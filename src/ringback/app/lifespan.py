"""When a process serves, rolls (on SIGHUP) and stops: on SIGTERM, on SIGINT, or when its supervisor is gone."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from ringback.app.supervisor import READY_FD, SUPERVISED


def stop_event() -> asyncio.Event:
    """An event of the running loop that is set when this process shall stop."""
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    if os.environ.get(SUPERVISED) == "1":
        loop.add_reader(sys.stdin.fileno(), _read_end, loop, stopping)
    return stopping


def hangups() -> asyncio.Event:
    """An event of the running loop that is set by SIGHUP; where the signal means that our terminal is gone, never."""
    rolling = asyncio.Event()
    if not sys.stdin.isatty():
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, rolling.set)
    return rolling


def say_ready() -> None:
    """Tell the supervisor, if there is one, that this process serves now. Once."""
    descriptor = os.environ.pop(READY_FD, None)
    if descriptor is not None:
        os.write(int(descriptor), b"ready")
        os.close(int(descriptor))


def _read_end(loop: asyncio.AbstractEventLoop, stopping: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        loop.remove_reader(sys.stdin.fileno())
        stopping.set()
