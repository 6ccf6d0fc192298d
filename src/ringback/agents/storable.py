"""JSON from outside as any database and any JSON reader can hold it."""

from __future__ import annotations

import math
from typing import Any


def storable_text(text: str) -> str:
    """Without NUL, and with a question mark for half of a surrogate pair."""
    if text.isascii():
        return text.replace("\0", "")
    return text.encode("utf-8", "replace").decode().replace("\0", "")


def storable(value: Any) -> Any:
    """The same for every text in a value; numbers that JSON does not have become null."""
    match value:
        case str():
            return storable_text(value)
        case float() if not math.isfinite(value):
            return None
        case list():
            return [storable(item) for item in value]
        case dict():
            return {storable_text(key): storable(item) for key, item in value.items()}
    return value
