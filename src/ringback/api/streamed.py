"""Arrays of any length, written as they are read."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from fastapi.responses import StreamingResponse


def array(values: AsyncIterator[Any], *, before: bytes = b"", after: bytes = b"") -> StreamingResponse:
    """A JSON array of these values, between other bytes of the body."""
    return StreamingResponse(_written(values, before, after), media_type="application/json")


async def _written(values: AsyncIterator[Any], before: bytes, after: bytes) -> AsyncIterator[bytes]:
    opening = before + b"["
    async for value in values:
        yield opening + json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
        opening = b","
    yield (opening if opening != b"," else b"") + b"]" + after
