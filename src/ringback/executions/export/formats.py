"""The formats of an export, and the stream of one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from enum import StrEnum
from typing import Final, Protocol

from ringback.executions.export.csv_file import CsvEncoder
from ringback.executions.listing import StoredExecution

_THREAD: Final = ThreadPoolExecutor(1, "export")
"""One for all exports of the process: they take turns, and memory that one frees serves the next."""
_SLICE_BYTES: Final = 64 * 1024


class Format(StrEnum):
    CSV = "csv"
    NDJSON = "ndjson"
    PARQUET = "parquet"


class ExtraMissing(Exception):
    """A format needs a package that isn't installed; the message says what to do."""


class Encoder(Protocol):
    """Makes one file, a chunk at a time. The work is the processor's: call it in a thread, never twice at once."""

    def opening(self) -> bytes: ...

    def encode(self, bodies: Sequence[bytes]) -> bytes:
        """What can be written after these executions; possibly nothing yet."""
        ...

    def closing(self) -> bytes: ...


class NdjsonEncoder:
    """One execution a line, as the API shows it."""

    def opening(self) -> bytes:
        return b""

    def encode(self, bodies: Sequence[bytes]) -> bytes:
        return b"".join(part for body in bodies for part in (body, b"\n"))

    def closing(self) -> bytes:
        return b""


def encoder(format_: Format) -> Encoder:
    """A new file's. Raises ExtraMissing. The first one of Parquet loads pyarrow: call it in a thread."""
    match format_:
        case Format.CSV:
            return CsvEncoder()
        case Format.NDJSON:
            return NdjsonEncoder()
        case Format.PARQUET:
            try:
                from ringback.executions.export.parquet_file import ParquetEncoder
            except ImportError:
                raise ExtraMissing(
                    "the format parquet needs pyarrow: pip install 'ringback[parquet]'"
                ) from None
            return ParquetEncoder()


async def stream(
    batches: AsyncGenerator[list[StoredExecution], None], encoder: Encoder
) -> AsyncGenerator[bytes, None]:
    """The file in chunks. However it ends, also by `aclose`, `batches` is closed with it."""
    loop = asyncio.get_running_loop()
    async with aclosing(batches):
        if chunk := encoder.opening():
            yield chunk
        async for batch in batches:
            for bodies in _slices(batch):
                if chunk := await loop.run_in_executor(_THREAD, encoder.encode, bodies):
                    yield chunk
        if chunk := await loop.run_in_executor(_THREAD, encoder.closing):
            yield chunk


def _slices(batch: Sequence[StoredExecution]) -> Iterator[list[bytes]]:
    """So little at a time that the event loop, which shares the interpreter's lock with the thread, waits for
    a millisecond or two; and that no chunk is large."""
    bodies: list[bytes] = []
    size = 0
    for execution in batch:
        bodies.append(execution.body)
        size += len(execution.body)
        if size >= _SLICE_BYTES:
            yield bodies
            bodies, size = [], 0
    if bodies:
        yield bodies
