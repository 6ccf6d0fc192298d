"""Content codings of long answers (RFC 9110 section 12.5.3): zstd and gzip for clients that ask for them."""

from __future__ import annotations

import asyncio
import gzip
import re
import zlib
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from enum import StrEnum
from typing import Annotated, Final

import zstandard
from fastapi import Depends, Request, Response
from fastapi.responses import StreamingResponse
from starlette.types import Send

from ringback.executions.frames import Frame, Unfolder, compress

_GZIP: Final = 31
"""zlib's window bits for the gzip format."""
_FAST: Final = 1
# One for all: every thread that allocates keeps memory of its own, and calls need the other cores.
_COMPRESSING: Final = ThreadPoolExecutor(1, thread_name_prefix="compressing")
_WORTH_IT: Final = 1_000
"""Bytes."""


class Encoding(StrEnum):
    ZSTD = "zstd"
    GZIP = "gzip"
    IDENTITY = "identity"


def negotiate(accepted: str | None) -> Encoding:
    """What the client likes best; of equals the one that costs us least, which is what we store."""
    weights = _weights(accepted or "")
    weights.setdefault("gzip", weights.get("x-gzip", weights.get("*", 0.0)))
    weights.setdefault("zstd", 0.0)  # not for "*": too few clients that send it mean it
    best = max((Encoding.ZSTD, Encoding.GZIP), key=lambda encoding: weights[encoding])
    return best if weights[best] > 0 and weights[best] >= weights.get("identity", 0.0) else Encoding.IDENTITY


async def asked_encoding(request: Request) -> Encoding:
    return negotiate(request.headers.get("accept-encoding"))


EncodingDep = Annotated[Encoding, Depends(asked_encoding)]


class Streamed(StreamingResponse):
    """Chunks, some of them Frames, in the encoding that was asked for. They are closed with the response, also when
    the client goes away in its midst."""

    def __init__(
        self,
        chunks: AsyncGenerator[bytes | Frame],
        encoding: Encoding,
        media_type: str,
        headers: dict[str, str] | None = None,
    ) -> None:
        headers = {"Vary": "Accept-Encoding", **(headers or {})}
        if encoding is not Encoding.IDENTITY:
            headers["Content-Encoding"] = encoding
        self._chunks = _ENCODERS[encoding](chunks)
        super().__init__(self._chunks, media_type=media_type, headers=headers)

    async def stream_response(self, send: Send) -> None:
        async with aclosing(self._chunks):
            await super().stream_response(send)


def encoded(body: bytes, encoding: Encoding, media_type: str) -> Response:
    """A body that is whole already."""
    headers = {"Vary": "Accept-Encoding"}
    if encoding is not Encoding.IDENTITY and len(body) >= _WORTH_IT:
        body = compress(body) if encoding is Encoding.ZSTD else gzip.compress(body, _FAST)
        headers["Content-Encoding"] = encoding
    return Response(body, media_type=media_type, headers=headers)


async def _in_thread(pack: Callable[[bytes], bytes], piece: bytes) -> bytes:
    return await asyncio.get_running_loop().run_in_executor(_COMPRESSING, pack, piece)


async def _plain(chunks: AsyncGenerator[bytes | Frame]) -> AsyncGenerator[bytes]:
    unfold = Unfolder()
    async with aclosing(chunks):
        async for chunk in chunks:
            for piece in unfold(chunk) if isinstance(chunk, Frame) else (chunk,):
                yield piece


async def _zstd(chunks: AsyncGenerator[bytes | Frame]) -> AsyncGenerator[bytes]:
    """One frame, though those that are stored could follow each other (RFC 8878 section 3.1): clients stumble over
    a frame that ends where their buffer does."""
    compressor = zstandard.ZstdCompressor(_FAST).compressobj()

    def packed(piece: bytes) -> bytes:
        return compressor.compress(piece) + compressor.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)

    async with aclosing(_plain(chunks)) as pieces:
        async for piece in pieces:
            yield await _in_thread(packed, piece)
    yield compressor.flush()


async def _gzip(chunks: AsyncGenerator[bytes | Frame]) -> AsyncGenerator[bytes]:
    compressor = zlib.compressobj(_FAST, zlib.DEFLATED, _GZIP)
    async with aclosing(_plain(chunks)) as pieces:
        async for piece in pieces:
            # The compressor may keep a small piece to itself.
            if ready := await _in_thread(compressor.compress, piece):
                yield ready
    yield compressor.flush()


_ENCODERS: Final[dict[Encoding, Callable[[AsyncGenerator[bytes | Frame]], AsyncGenerator[bytes]]]] = {
    Encoding.IDENTITY: _plain,
    Encoding.ZSTD: _zstd,
    Encoding.GZIP: _gzip,
}


def _weights(accepted: str) -> dict[str, float]:
    """By coding, lower case; what is malformed counts as refused."""
    weights = {}
    for part in accepted.lower().split(","):
        coding, *parameters = (text.strip() for text in part.split(";"))
        if coding:
            weights[coding] = _weight(parameters)
    return weights


def _weight(parameters: list[str]) -> float:
    if not parameters:
        return 1.0
    given = re.fullmatch(r"q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)", parameters[0])
    return float(given[1]) if given else 0.0
