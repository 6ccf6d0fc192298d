"""Waking each other: who changes something in the database says so, who waits for it looks at once.

A wake-up is a hint and may be lost; every waiter looks by itself when its timeout is over.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
import uuid
from collections import defaultdict
from pathlib import Path
from typing import Any, Final, Protocol

from ringback.store.database import Database, StoreError
from ringback.store.postgresql import PostgresqlDatabase, translated_errors

logger = logging.getLogger(__name__)

WEBHOOKS: Final = "webhooks"
"""The topic of those who deliver them."""
TRUNKS: Final = "trunks"
"""The topic of those who keep them registered."""
_CHANNEL: Final = "ringback"
_RECONNECT_S: Final = 1.0
_SHORTEST_QUEUE: Final = 10
"""Datagrams that Linux queues at least for a socket (net.unix.max_dgram_qlen)."""


class Wakeup(Protocol):
    """Topics are a small fixed vocabulary of the code's, at most 63 ASCII characters each."""

    async def notify(self, topic: str) -> None:
        """Wake whoever waits for the topic, in this process and in all others. Never fails."""
        ...

    async def wait(self, topic: str, timeout: float) -> bool:
        """True once the topic was notified since the last `wait` for it that gave True; False after `timeout` s.

        So nothing is missed between looking and waiting.
        """
        ...

    async def close(self) -> None: ...


async def open_wakeup(db: Database, data: Path) -> Wakeup:
    """The wake-ups that go with the database: its own on PostgreSQL, sockets in `data` on SQLite.

    Raises StoreError.
    """
    if isinstance(db, PostgresqlDatabase):
        return await PostgresqlWakeup.open(db)
    return SocketWakeup.open(data / "wake")


class _Topics:
    """What was notified and not waited for yet."""

    def __init__(self) -> None:
        self._events: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)

    def set(self, topic: str) -> None:
        self._events[topic].set()

    def set_all(self) -> None:
        """Something may have been missed."""
        for event in self._events.values():
            event.set()

    async def wait(self, topic: str, timeout: float) -> bool:
        event = self._events[topic]
        try:
            async with asyncio.timeout(timeout):
                await event.wait()
        except TimeoutError:
            return False
        event.clear()
        return True


class SocketWakeup:
    """Unix datagram sockets: each waiter has one in the folder, a notification goes to them all. Use `open`."""

    def __init__(self, folder: int, name: str, sock: socket.socket) -> None:
        self._topics = _Topics()
        self._folder = folder
        self._name = name
        self._socket = sock
        asyncio.get_running_loop().add_reader(sock, self._receive)

    @classmethod
    def open(cls, path: Path) -> SocketWakeup:
        """Raises StoreError where the folder can't be made or written to."""
        name = uuid.uuid4().hex
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
            sock.bind(_address(folder, name))
        except OSError as error:
            sock.close()
            raise StoreError(f"cannot make a socket in {path}: {error.strerror}") from error
        return cls(folder, name, sock)

    async def notify(self, topic: str) -> None:
        self._topics.set(topic)
        for name in os.listdir(self._folder):
            if name != self._name:
                self._send(name, topic)

    async def wait(self, topic: str, timeout: float) -> bool:
        return await self._topics.wait(topic, timeout)

    async def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()
        os.unlink(self._name, dir_fd=self._folder)
        os.close(self._folder)

    def _send(self, name: str, topic: str) -> None:
        try:
            self._socket.sendto(topic.encode(), _address(self._folder, name))
        except ConnectionRefusedError:
            # Its process is gone without closing it.
            _unlink(name, self._folder)
        except OSError as error:
            # EAGAIN: it has more to read than its queue can hold, and will look. ENOENT: it just closed.
            if error.errno not in (errno.EAGAIN, errno.ENOENT):
                logger.warning("cannot wake %s: %s", name, error.strerror)

    def _receive(self) -> None:
        received = 0
        while True:
            try:
                topic = self._socket.recv(64)
            except BlockingIOError:
                break
            self._topics.set(topic.decode("ascii", "replace"))
            received += 1
        if received >= _SHORTEST_QUEUE:
            self._topics.set_all()


def _address(folder: int, name: str) -> str:
    """The socket by way of the open folder: a whole path may be longer than the 107 bytes of an address."""
    return f"/proc/self/fd/{folder}/{name}"


def _unlink(name: str, folder: int) -> None:
    try:
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        pass


class PostgresqlWakeup:
    """LISTEN and NOTIFY, with a connection of its own that is made anew when it breaks. Use `open`."""

    def __init__(self, db: PostgresqlDatabase) -> None:
        self._db = db
        self._topics = _Topics()
        self._listening = asyncio.Event()
        self._task = asyncio.create_task(self._listen())

    @classmethod
    async def open(cls, db: PostgresqlDatabase) -> PostgresqlWakeup:
        """Raises StoreError if the database can't be listened to within 10 s."""
        wakeup = cls(db)
        try:
            async with asyncio.timeout(10):
                await wakeup._listening.wait()
        except TimeoutError:
            await wakeup.close()
            raise StoreError(f"PostgreSQL at {db.url} lets nobody LISTEN") from None
        return wakeup

    async def notify(self, topic: str) -> None:
        self._topics.set(topic)
        try:
            await self._db.fetch_one("SELECT pg_notify(:channel, :topic)", channel=_CHANNEL, topic=topic)
        except StoreError as error:
            logger.warning("nobody was woken for %s: %s", topic, error)

    async def wait(self, topic: str, timeout: float) -> bool:
        return await self._topics.wait(topic, timeout)

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _listen(self) -> None:
        while True:
            try:
                await self._listen_once()
            except StoreError as error:
                logger.warning("not listening for wake-ups: %s", error)
            await asyncio.sleep(_RECONNECT_S)

    async def _listen_once(self) -> None:
        """Until the connection breaks."""
        broken = asyncio.Event()
        async with self._db.connection() as connection:
            connection.add_termination_listener(lambda _: broken.set())
            with translated_errors(self._db.url):
                await connection.add_listener(_CHANNEL, self._receive)
            self._listening.set()
            self._topics.set_all()
            await broken.wait()

    def _receive(self, _connection: Any, _pid: int, _channel: str, topic: object) -> None:
        self._topics.set(str(topic))
