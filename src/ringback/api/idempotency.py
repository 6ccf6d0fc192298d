"""The header `Idempotency-Key` of requests that make something, and the answer to one that was sent again."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Final

from fastapi import Depends, Header, Request, Response

from ringback.accounts.idempotency import Answer, IdempotencyKey

REPLAYED: Final = "Idempotent-Replayed"


async def key_of(
    key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            min_length=1,
            max_length=255,
            pattern=r"^[\x20-\x7e]+$",
            description="Any text that is new with each new request, such as a UUID. A request that is sent again with "
            "it within 24 hours gets the first answer again, and nothing is done twice.",
        ),
    ] = None,
) -> str | None:
    return key


KeyDep = Annotated[str | None, Depends(key_of)]


def asked(key: str | None, request: Request, *what: Any) -> IdempotencyKey | None:
    """The key with what the request asks for, which is JSON."""
    if key is None:
        return None
    text = json.dumps(what, sort_keys=True, separators=(",", ":"))
    fingerprint = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
    return IdempotencyKey(key, f"{request.method} {request.url.path}", fingerprint)


def answered(answer: Answer) -> Response:
    headers = {REPLAYED: "true"} if answer.replayed else None
    return Response(answer.body, answer.status, headers, media_type="application/json")
