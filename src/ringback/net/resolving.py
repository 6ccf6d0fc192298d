"""Names to addresses, through the machine's own resolver."""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Protocol

_THREADS: Final = 8
"""A name whose servers are silent holds a thread for many seconds: those of others must not wait for it."""


class Resolver(Protocol):
    async def __call__(self, host: str, port: int) -> list[str]:
        """Addresses in the order to try them; none for a name that does not exist. Raises OSError."""
        ...


class SystemResolver:
    """Implements `Resolver` by getaddrinfo, which also understands spellings such as 0x7f.1 and 2130706433."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="resolver")

    async def __call__(self, host: str, port: int) -> list[str]:
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._threads, _look_up, host, port)
        return list(dict.fromkeys(found))


def _look_up(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError:  # a label of the name is empty or too long
        return []
    return [str(sockaddr[0]) for *_, sockaddr in found]
