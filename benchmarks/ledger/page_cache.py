"""Emptying the page cache."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

_DROP = Path("/proc/sys/vm/drop_caches")


def empty(files: Iterable[Path]) -> str:
    """Of the whole machine where we may, of these files otherwise; how, in words."""
    os.sync()
    try:
        _DROP.write_text("3")
    except OSError:
        for file in files:
            descriptor = os.open(file, os.O_RDONLY)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)
        return "posix_fadvise(DONTNEED) on the store's files"
    return "sync; echo 3 > /proc/sys/vm/drop_caches"
