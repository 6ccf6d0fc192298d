"""A place in a list that stays where it is while newer executions come in: opaque to clients."""

from __future__ import annotations

import base64
from typing import Final

_VERSION: Final = b"\x01"
_LENGTH: Final = 9


def encode(seq: int) -> str:
    """The place right after the execution with this sequence number."""
    return base64.urlsafe_b64encode(_VERSION + seq.to_bytes(_LENGTH - 1, "big")).decode()


def decode(cursor: str) -> int:
    """The sequence number. Raises ValueError for what `encode` did not make."""
    try:
        raw = base64.b64decode(cursor, altchars=b"-_", validate=True)
    except ValueError:  # also binascii.Error
        raw = b""
    seq = int.from_bytes(raw[1:], "big")
    if len(raw) != _LENGTH or raw[:1] != _VERSION or seq >= 2**63:
        raise ValueError("not a cursor of ours")
    return seq
