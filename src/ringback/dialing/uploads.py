"""The folder of uploaded files: what it is called, who holds a file, and which of them nobody needs any more.

A process that is killed leaves files behind.

A file is needed while it is written, until its batch is created, and then for as long as there is a job that reads it.
Whoever receives one holds it locked (flock) until its batch is created: the kernel lets go when the process dies, and
only then. So a file goes that is locked by nobody, that no job will read, and that was last written to long ago.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final
from uuid import uuid4

from ringback.clock import Clock
from ringback.store.database import Database
from ringback.store.queries import jobs

logger = logging.getLogger(__name__)

FINISHED: Final = ".csv"
UNFINISHED: Final = ".csv.part"
"""Until the upload is whole, and looked through."""

_NAME_FILE: Final = "name"
_NAME: Final = re.compile(r"([0-9a-f]{32})(\.csv|\.csv\.part)")
_OLD_S: Final = 3600.0
"""Whatever the clock and the file system do, nothing that is younger is looked at: it covers the moment before the
lock, and a COMMIT that is still on its way although its sender is dead."""


def name_of(folder: Path) -> str:
    """What jobs call the machine that has the files. It lies in the folder itself: a container that is made anew over
    the same volume has another host name, and its jobs must find it all the same. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / _NAME_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)  # of several that start at once, one gives the name
        name = os.pread(descriptor, 64, 0).decode("ascii", "replace")
        if not re.fullmatch("[0-9a-f]{32}", name):
            name = uuid4().hex
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, name.encode(), 0)
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return name


class Leftovers:
    """Of one folder of uploads. Several processes may look at the same time."""

    def __init__(self, db: Database, clock: Clock, folder: Path) -> None:
        self._db = db
        self._clock = clock
        self._folder = folder

    async def remove(self) -> int:
        """How many there were. Raises StoreError."""
        removed = 0
        before_s = self._clock.now_us() / 1_000_000 - _OLD_S
        for batch_id, file in await asyncio.to_thread(_old, self._folder, before_s):
            with _locked(file) as free:
                # Looked up behind the lock: who received it creates its batch before letting go.
                if free and not await jobs.is_intake(self._db, batch_id):
                    with suppress(OSError):
                        file.unlink()
                        removed += 1
        if removed:
            logger.info("%d uploaded files that nobody needs are removed", removed)
        return removed


def hold(descriptor: int) -> None:
    """Keep a file that is being received, until the descriptor is closed. Where nothing can be locked, nothing is
    removed either."""
    with suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_SH)


def _old(folder: Path, before_s: float) -> list[tuple[str, Path]]:
    """Files of uploads that were last written to before a moment, with the ids of their batches."""
    found = []
    with suppress(FileNotFoundError):
        for entry in os.scandir(folder):
            name = _NAME.fullmatch(entry.name)
            with suppress(OSError):
                if name and entry.is_file(follow_symlinks=False) and entry.stat().st_mtime < before_s:
                    found.append((name[1], Path(entry.path)))
    return found


@contextmanager
def _locked(file: Path) -> Iterator[bool]:
    """Whether nobody receives it; nobody does within the block."""
    try:
        descriptor = os.open(file, os.O_RDWR | os.O_CLOEXEC)  # NFS locks by writing
    except OSError:
        yield False  # gone, or not ours to read
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        free = True
    except OSError:
        free = False
    try:
        yield free
    finally:
        os.close(descriptor)
