"""JSON from outside as any database and any JSON reader can hold it."""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final

_SUSPECT: Final = re.compile(r"\\u(?:0000|[dD][89a-fA-F])|NaN|Infinity")
"""What may stand in a JSON text for something that cannot be held; to walk through a large value takes long."""


def read_json(text: str) -> Any:
    """What a JSON text, itself storable, says, as it can be held. Raises ValueError, also for one too deep."""
    try:
        value = json.loads(text)
        return storable(value) if _SUSPECT.search(text) else value
    except RecursionError:
        raise ValueError("the JSON text is too deep") from None


def json_text(value: Any) -> str:
    """A storable value as compact JSON."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


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
