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
    return b"".join(Unfolder()(frame))


class Unfolder:
    """Unfolds frame after frame, piece by piece: whoever sends the pieces on needs memory for one of them only.

    One for each stream: it keeps its buffers, as big as a whole segment, from one frame to the next.
    """

    def __init__(self) -> None:
        self._decompressor = zstandard.ZstdDecompressor()

    def __call__(self, frame: bytes) -> Iterator[bytes]:
        """To be finished before the next frame. Raises ValueError as `decompress`."""
        size = 0
        try:
            for piece in self._decompressor.read_to_iter(frame, write_size=_PIECE):
                size += len(piece)
                yield piece
            expected = zstandard.frame_content_size(frame)
        except zstandard.ZstdError as error:
            raise ValueError(f"a damaged frame: {error}") from error
        if size != expected:
            raise ValueError(f"a damaged frame: {size} bytes instead of {expected}")
