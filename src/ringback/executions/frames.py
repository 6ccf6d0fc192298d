"""Zstandard frames (RFC 8878): what segments are stored as, and what clients that know it may be sent as it is.

Frames that follow each other decompress to their contents joined.
"""

from __future__ import annotations

from typing import Final

import zstandard

_LEVEL: Final = 3
_LARGEST: Final = 256 * 1024 * 1024
"""Bytes that a frame may unfold to: a damaged one asks for no more memory."""


class Frame(bytes):
    """One or more whole frames."""


def compress(raw: bytes) -> Frame:
    return Frame(zstandard.ZstdCompressor(_LEVEL).compress(raw))


def decompress(frame: bytes) -> bytes:
    """The contents of one frame made by `compress`. Raises ValueError for anything else."""
    try:
        return zstandard.ZstdDecompressor().decompress(frame, max_output_size=_LARGEST)
    except zstandard.ZstdError as error:
        raise ValueError(f"a damaged frame: {error}") from error
