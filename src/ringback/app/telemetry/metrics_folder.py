"""The folder in which the processes under one supervisor keep their metrics, so that one scrape sees them all."""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

logger = logging.getLogger(__name__)

METRICS_FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"
"""In the environment; prometheus_client reads it when it is imported."""

_MEMORY: Final = Path("/dev/shm")
_PREFIX: Final = "ringback-metrics-"
_LOCK: Final = "lock"


@contextmanager
def metrics_folder(data: Path, memory: Path = _MEMORY) -> Iterator[dict[str, str]]:
    """A new, empty folder within the block, as the environment of the processes that are to share it.

    In memory where the system has a place for that, otherwise in `data`: a write to a mapped file waits for the disk
    while its page is being written back, and metrics are written between 20 ms ticks.
    """
    _remove_abandoned(memory)
    try:
        folder = _made(memory, data)
    except OSError as error:
        logger.warning("each process keeps its metrics to itself: no folder for them: %s", error)
        yield {}
        return
    with (folder / _LOCK).open("w") as lock:
        # The kernel lets go of it when this process dies, however it does.
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write(str(os.getpid()))
        lock.flush()
        try:
            yield {METRICS_FOLDER: str(folder)}
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _made(memory: Path, data: Path) -> Path:
    try:
        return Path(tempfile.mkdtemp(prefix=_PREFIX, dir=memory))
    except OSError:
        folder = data / "metrics"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        return folder


def _remove_abandoned(memory: Path) -> None:
    """Those of ours whose supervisor was killed."""
    for folder in memory.glob(f"{_PREFIX}*"):
        try:
            with (folder / _LOCK).open("r+") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if lock.read():  # not one that is just being made
                    shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            continue
