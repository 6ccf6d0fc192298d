"""Reading bodies: bounded in bytes, in depth and in time, and strictly JSON."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, NoReturn

from fastapi import Depends, Request
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ringback.agents.validation import written
from ringback.api.auth import AccountId
from ringback.api.errors import ApiError

MAX_DEPTH = 64
_READ_TIMEOUT_S = 30.0
_DRAIN_TIMEOUT_S = 5.0
_DRAIN_BYTES = 32 * 1024 * 1024


class BodyLimit:
    """ASGI middleware: a body of more than `max_bytes` is answered with 413, by its announced length at once,
    otherwise as soon as it has grown too long. Nothing of the excess is kept. Some paths have limits of their own.

    Whatever is answered before the body has arrived is answered so that also a client that is still writing reads it.
    """

    def __init__(self, app: ASGIApp, max_bytes: int, by_path: Mapping[str, int] | None = None) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._by_path = by_path or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        max_bytes = self._by_path.get(scope["path"], self._max_bytes)
        headers = Headers(scope=scope)
        announced = headers.get("content-length", "")
        if announced.isdecimal() and int(announced[:20]) > max_bytes:
            await _refusal(max_bytes).response()(scope, receive, _lingering(receive, send))
            return
        bodiless = not announced.strip("0") and "transfer-encoding" not in headers
        await self._stream(scope, receive, send, max_bytes, whole=bodiless)

    async def _stream(
        self, scope: Scope, receive: Receive, send: Send, max_bytes: int, *, whole: bool
    ) -> None:
        received = 0

        async def counted() -> Message:
            nonlocal received, whole
            message = await receive()
            received += len(message.get("body", b""))
            whole = not message.get("more_body")
            if received > max_bytes:
                raise _refusal(max_bytes)
            return message

        lingering = _lingering(receive, send)

        async def answer(message: Message) -> None:
            await (send if whole else lingering)(message)

        await self._app(scope, counted, answer)


def _refusal(max_bytes: int) -> ApiError:
    return ApiError(413, f"The body is too large: send at most {max_bytes} bytes")


def _lingering(receive: Receive, send: Send) -> Send:
    """Answer first, then take in and drop what the client still sends, within bounds: one that reads only
    after it has written would otherwise meet a reset connection instead of the answer."""

    async def sending(message: Message) -> None:
        if message["type"] != "http.response.body" or message.get("more_body"):
            await send(message)
            return
        await send({**message, "more_body": True})
        dropped = 0
        try:
            async with asyncio.timeout(_DRAIN_TIMEOUT_S):
                while dropped < _DRAIN_BYTES:
                    part = await receive()
                    dropped += len(part.get("body", b""))
                    if not part.get("more_body"):
                        break
        except TimeoutError:
            pass
        await send({"type": "http.response.body", "body": b""})

    return sending


async def json_object(request: Request, _: AccountId) -> dict[str, Any]:
    """The body as a JSON object, read only for who has a key.

    Raises ApiError: 400 that says where it is wrong, 401, 408, 413.
    """
    value = parse(await whole(request))
    if not isinstance(value, dict):
        raise ApiError(400, "The body must be a JSON object")
    return value


async def whole(request: Request) -> bytes:
    """The body, which has 30 seconds to arrive. Raises ApiError: 400, 408, 413."""
    try:
        async with asyncio.timeout(_READ_TIMEOUT_S):
            return await request.body()
    except TimeoutError:
        raise ApiError(408, f"The body did not arrive within {_READ_TIMEOUT_S:.0f} seconds") from None
    except ClientDisconnect:
        raise ApiError(400, "The body ended too early") from None


def body_of(model: str, *kinds: str) -> dict[str, Any]:
    """`openapi_extra` of a route whose body, JSON or of these kinds, is described by this schema (see openapi.py)."""
    schema = {"$ref": f"#/components/schemas/{model}"}
    content = {kind: {"schema": schema} for kind in kinds or ("application/json",)}
    return {"requestBody": {"required": True, "content": content}}


JsonObject = Annotated[dict[str, Any], Depends(json_object)]


def parse(raw: bytes, what: str = "The body") -> Any:
    """Strict JSON, at most MAX_DEPTH deep, all of which a database can hold. Raises ApiError(400)."""
    if not raw.strip():
        raise ApiError(400, f"{what} is empty: send a JSON object")
    try:
        value = json.loads(raw.decode(), parse_constant=_no_constant, parse_float=_finite)
    except UnicodeDecodeError as error:
        raise ApiError(400, f"{what} is not JSON: it is not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        where = {"line": error.lineno, "column": error.colno}
        text = f"{what} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        raise ApiError(400, text, where) from None
    except RecursionError:
        raise ApiError(400, f"{what} is nested more than {MAX_DEPTH} deep") from None
    except ValueError as error:
        raise ApiError(400, f"{what} is not JSON: {error}") from None
    for path, problem in _unstorable(value):
        raise ApiError(400, f"{written(path) or what.lower()} {problem}")
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text[:40]} is too large")
    return number


def _unstorable(value: Any) -> Iterator[tuple[tuple[str | int, ...], str]]:
    ahead: list[tuple[tuple[str | int, ...], Any]] = [((), value)]
    while ahead:
        path, item = ahead.pop()
        if isinstance(item, str):
            if "\0" in item or not _is_unicode(item):
                yield path, "holds a character that cannot be stored (NUL or half of a surrogate pair)"
            continue
        if not isinstance(item, dict | list):
            continue
        if len(path) >= MAX_DEPTH:
            yield (), f"is nested more than {MAX_DEPTH} deep"
            return
        if isinstance(item, list):
            ahead.extend((((*path, n), child) for n, child in enumerate(item)))
        else:
            ahead.extend((path, key) for key in item)
            ahead.extend((((*path, key), child) for key, child in item.items()))


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
