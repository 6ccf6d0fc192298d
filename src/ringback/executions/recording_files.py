"""The files of recordings: where they lie in the folder of recordings, and how they go."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterable
from pathlib import Path

logger = logging.getLogger(__name__)


def place(account_id: str, execution_id: str, number: int) -> str:
    """Where the recording of an attempt is written, within the folder of recordings."""
    return f"{account_id}/{execution_id}-{number}.wav"


def transfer_place(account_id: str, execution_id: str, number: int, transfer: int) -> str:
    """Where that of a transfer of the attempt is written, the first being 1."""
    return f"{account_id}/{execution_id}-{number}-transfer-{transfer}.wav"


def part(path: str) -> str:
    """Its name while it is written, which a crash leaves behind."""
    return f"{path}.part"


def inside(folder: Path, path: str) -> Path | None:
    """The file, if it lies in the folder of recordings."""
    root = folder.resolve()
    file = (root / path).resolve()
    return file if file.is_relative_to(root) else None


def remove(folder: Path, paths: Iterable[str]) -> set[str]:
    """Delete files of the folder of recordings, for good; the paths of those that could not be deleted.

    One that is gone already is no error, unless its folder is gone too: then a disk is not mounted. One that lies
    elsewhere is not ours to delete.
    """
    failures: dict[str, str] = {}
    folders: set[Path] = set()
    for path in paths:
        file = inside(folder, path)
        if file is None:
            continue
        try:
            file.unlink(missing_ok=file.parent.is_dir())
            folders.add(file.parent)
        except OSError as error:
            failures[path] = error.strerror or str(error)
    for touched in folders:
        _settle(touched)
    if failures:
        path, reason = next(iter(failures.items()))
        logger.error("%d recordings cannot be deleted, first of them %s: %s", len(failures), path, reason)
    return set(failures)


def _settle(folder: Path) -> None:
    """A power failure must not bring back a file whose record says that it is gone."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
