"""Which encoding is chosen, and that each gives the same bytes back."""

from __future__ import annotations

import gzip
from collections.abc import AsyncGenerator

import pytest
import zstandard

from ringback.api.encoding import Encoding, Streamed, encoded, negotiate
from ringback.executions.frames import Frame, compress, decompress


@pytest.mark.parametrize(
    ("accepted", "chosen"),
    [
        (None, "identity"),
        ("", "identity"),
        ("identity", "identity"),
        ("gzip", "gzip"),
        ("x-gzip", "gzip"),
        ("*", "gzip"),
        ("GZIP, Deflate", "gzip"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("zstd;q=0.5, gzip;q=0.9", "gzip"),
        ("zstd;q=0, gzip", "gzip"),
        ("zstd;q=0", "identity"),
        ("gzip;q=0, *", "identity"),
        ("gzip;q=0.5, identity", "identity"),
        ("gzip;q=1.5", "identity"),
        ("gzip;q=x", "identity"),
        (";;,,q", "identity"),
        ("br", "identity"),
    ],
)
def test_negotiation(accepted: str | None, chosen: str) -> None:
    assert negotiate(accepted) == chosen


async def _chunks() -> AsyncGenerator[bytes | Frame]:
    yield b"["
    yield compress(b"1" * 5000)
    yield b","
    yield b"2" * 5000
    yield b"]"


WHOLE = b"[" + b"1" * 5000 + b"," + b"2" * 5000 + b"]"


async def _body(encoding: Encoding) -> tuple[bytes, dict[str, str]]:
    response = Streamed(_chunks(), encoding, "application/json")
    body = b"".join([chunk async for chunk in response.body_iterator])  # type: ignore[misc]
    return body, dict(response.headers)


def unzstd(body: bytes) -> bytes:
    """One frame and nothing after it."""
    decompressor = zstandard.ZstdDecompressor().decompressobj()
    plain = decompressor.decompress(body)
    assert decompressor.eof
    assert decompressor.unused_data == b""
    return plain


async def test_streams() -> None:
    plain, headers = await _body(Encoding.IDENTITY)
    assert plain == WHOLE
    assert "content-encoding" not in headers
    assert headers["vary"] == "Accept-Encoding"
    packed, headers = await _body(Encoding.GZIP)
    assert gzip.decompress(packed) == WHOLE
    assert headers["content-encoding"] == "gzip"
    framed, headers = await _body(Encoding.ZSTD)
    assert unzstd(framed) == WHOLE
    assert headers["content-encoding"] == "zstd"


def test_whole_bodies() -> None:
    body = b"x" * 2000
    assert encoded(body, Encoding.IDENTITY, "text/plain").body == body
    assert gzip.decompress(encoded(body, Encoding.GZIP, "text/plain").body) == body
    assert unzstd(bytes(encoded(body, Encoding.ZSTD, "text/plain").body)) == body
    small = encoded(b"x", Encoding.GZIP, "text/plain")
    assert small.body == b"x"
    assert "content-encoding" not in small.headers


def test_a_damaged_frame() -> None:
    frame = compress(b"text")
    for damaged in (b"", b"no frame", frame[:-3], b"\0" + frame):
        with pytest.raises(ValueError, match="damaged"):
            decompress(damaged)
