"""Addresses of host names, looked up once a while, with what waits for them kept in order."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Final

LOOKUP_TIMEOUT: Final = 5.0
KEEP: Final = 30.0
"""Seconds that an address is used before its name is looked up again."""
_MAX_NAMES: Final = 1_000

Use = Callable[[str | None], None]
"""Takes the IP address, None if the name has none."""


class Names:
    """Looks names up without blocking. Callers of one name are served in the order in which they came."""

    def __init__(self, family: socket.AddressFamily) -> None:
        self._family = family
        self._loop = asyncio.get_running_loop()
        self._known: dict[str, tuple[str, float]] = {}
        self._waiting: dict[str, list[Use]] = {}
        self._lookups: set[asyncio.Task[None]] = set()

    def resolve(self, name: str, use: Use) -> None:
        """Give the name's address to `use`, at once if it is known."""
        address, until = self._known.get(name, ("", 0.0))
        if name in self._waiting:
            self._waiting[name].append(use)
        elif until > self._loop.time():
            use(address)
        elif len(self._waiting) >= _MAX_NAMES:
            self._loop.call_soon(use, None)
        else:
            self._waiting[name] = [use]
            task = self._loop.create_task(self._look_up(name))
            self._lookups.add(task)
            task.add_done_callback(self._lookups.discard)

    def close(self) -> None:
        for task in self._lookups:
            task.cancel()

    async def _look_up(self, name: str) -> None:
        address: str | None = None
        try:
            async with asyncio.timeout(LOOKUP_TIMEOUT):
                found = await self._loop.getaddrinfo(name, None, family=self._family, type=socket.SOCK_DGRAM)
            address = str(found[0][4][0])
        except (OSError, UnicodeError, TimeoutError):
            self._known.pop(name, None)
        else:
            if len(self._known) >= _MAX_NAMES:
                self._known.clear()
            self._known[name] = address, self._loop.time() + KEEP
        for use in self._waiting.pop(name):
            use(address)
