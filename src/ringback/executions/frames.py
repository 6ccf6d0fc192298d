"""Zstandard frames (RFC 8878): what segments are stored as."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import zstandard

_LEVEL: Final = 3
_PIECE: Final = 256 * 1024


class Frame(bytes):
    """A whole frame."""


def compress(raw: bytes) -> Frame:
    return Frame(zstandard.ZstdCompressor(_LEVEL).compress(raw))


def decompress(frame: bytes) -> bytes:
    """The contents of one frame made by `compress`. Raises ValueError for anything else."""
    return b"".join(unfold(frame))


def unfold(frame: bytes) -> Iterator[bytes]:
    """As `decompress`, piece by piece: whoever sends them on needs memory for one of them only."""
    size = 0
    try:
        for piece in zstandard.ZstdDecompressor().read_to_iter(frame, write_size=_PIECE):
            size += len(piece)
            yield piece
        expected = zstandard.frame_content_size(frame)
    except zstandard.ZstdError as error:
        raise ValueError(f"a damaged frame: {error}") from error
    if size != expected:
        raise ValueError(f"a damaged frame: {size} bytes instead of {expected}")
