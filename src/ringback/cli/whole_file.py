"""A file that is there whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4


@contextmanager
def replacing(target: Path) -> Iterator[BinaryIO]:
    """A file beside the target that takes its place at the end of the block, and is removed if the block raises.

    What isn't a regular file, such as a pipe, is written to directly. Raises OSError.
    """
    if target.exists() and not target.is_file():
        with target.open("wb") as file:
            yield file
        return
    place = target.resolve()  # of a link, what it points to
    partial = place.with_name(f".{place.name}.{uuid4().hex[:8]}.part")
    try:
        with partial.open("xb") as file:
            if place.exists():
                shutil.copymode(place, partial)
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(place)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
