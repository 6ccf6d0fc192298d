"""The formats of an export, on records rendered from values."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import sys
import threading
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringback.executions.export import formats, parquet_file
from ringback.executions.export.columns import COLUMNS
from ringback.executions.export.csv_file import CsvEncoder, defused
from ringback.executions.export.formats import Encoder, ExtraMissing, Format, encoder, stream
from ringback.executions.lifecycle import Status
from ringback.executions.listing import StoredExecution
from ringback.executions.record import Turn
from ringback.executions.rendering import render
from ringback.executions.transfer import Transfer
from tests.support.exports import assert_csv_row, assert_parquet_row, read_csv, read_ndjson, read_parquet
from tests.support.records import an_attempt, an_execution

# Members of an execution that no column shows, and why.
OMITTED = {
    # the same as another
    "execution_id",  # id
    "conversation_duration",  # conversation_time
    "smart_status",  # status
    "provider",  # telephony_data.provider
    "createdAt",
    "updatedAt",
    "telephony_data.hangup_code",  # telephony_data.hangup_provider_code
    "batch_run_details.status",
    "batch_run_details.created_at",
    "batch_run_details.updated_at",
    "context_details.recipient_phone_number",  # user_number
    "usage_breakdown.llmTokens",
    "usage_breakdown.llmModel",
    # always the same
    "agent_extraction",
    "custom_extractions",
    "workflow_retries",
    "campaign_id",
    "deleted",
}
NESTED = {
    "cost_breakdown",
    "telephony_data",
    "transfer_call_data",
    "batch_run_details",
    "context_details",
    "usage_breakdown",
}

# As text can be stored; any text can be in JSON.
stored_text = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
any_text = st.text(st.characters())


def body(text: str = "hello", **changes: Any) -> bytes:
    """A completed call whose free texts are `text`."""
    values = {
        "status": Status.COMPLETED,
        "summary": text,
        "error_message": text,
        "batch_id": "baab7cdc833145bf8dd260ff1f0a3f21",
        "context_data": {"node": "end"},
    }
    return render(
        an_execution(**(values | changes)),
        an_attempt(transfers=[Transfer("attended", "+1", "+2", "x", "call", 1)]),
        [Turn(0, "user", text, 0, 1)],
        [],
        "http://x",
    )


def file_of(encoder: Encoder, *slices: Sequence[bytes]) -> bytes:
    return b"".join([encoder.opening(), *(encoder.encode(bodies) for bodies in slices), encoder.closing()])


def test_every_member_of_an_execution_is_a_column_or_omitted_on_purpose() -> None:
    record = json.loads(body())
    names = {name for name in record if name not in NESTED}
    names |= {f"{parent}.{name}" for parent in NESTED for name in record[parent] or ()}
    shown = [column.name for column in COLUMNS]
    assert len(set(shown)) == len(shown)
    assert names - set(shown) == OMITTED
    assert set(shown) - names == set()


@given(st.lists(stored_text, max_size=3), st.dictionaries(any_text, any_text, max_size=2))
def test_csv_gives_back_any_text(texts: list[str], data: dict[str, str]) -> None:
    bodies = [body(text, recipient_data=data) for text in texts]
    rows = read_csv(file_of(CsvEncoder(), bodies))
    for row, stored in zip(rows, bodies, strict=True):
        assert_csv_row(row, json.loads(stored))
        assert json.loads(row["context_details.recipient_data"]) == data


@settings(deadline=None)  # pyarrow takes its time once
@given(st.lists(stored_text, min_size=1, max_size=3), st.dictionaries(any_text, any_text, max_size=2))
def test_parquet_gives_back_any_text(texts: list[str], data: dict[str, str]) -> None:
    bodies = [body(text, recipient_data=data) for text in texts]
    rows = read_parquet(file_of(encoder(Format.PARQUET), bodies))
    for row, stored in zip(rows, bodies, strict=True):
        assert_parquet_row(row, json.loads(stored))
        assert json.loads(row["context_details.recipient_data"]) == data


@given(
    st.one_of(
        stored_text,
        st.builds(str.__add__, st.sampled_from(["=", "+", "-", "@", "\t", "\r", "'"]), stored_text),
    )
)
def test_no_cell_is_a_formula_and_every_defused_one_can_be_undone(text: str) -> None:
    shown = defused(text)
    phone_number = text[:1] == "+" and text[1:].isascii() and text[1:].isdigit()
    assert phone_number or shown[:1] not in ("=", "+", "-", "@", "\t", "\r")
    assert shown in (text, "'" + text)
    looks_defused = shown.startswith("'") and shown.lstrip("'")[:1] in ("=", "+", "-", "@", "\t", "\r")
    assert (shown[1:] if looks_defused else shown) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("=1+1", "'=1+1"),
        ("+14155550123", "+14155550123"),
        ("+1415555x0123", "'+1415555x0123"),
        ("+", "'+"),
        ("+1\n", "'+1\n"),
        ("-1", "'-1"),
        ("@a", "'@a"),
        ("\ta", "'\ta"),
        ("\ra", "'\ra"),
        ("'=1", "''=1"),
        ("'tis", "'tis"),
        ("a=1", "a=1"),
        ("", ""),
    ],
)
def test_defused(text: str, shown: str) -> None:
    assert defused(text) == shown


def test_the_csv_of_one_execution_byte_by_byte() -> None:
    file = file_of(CsvEncoder(), [body('a "b"\nc', answered_by_voice_mail=True)]).decode()
    header, line = file.split("\r\n", 1)
    assert header == "\ufeff" + ",".join(column.name for column in COLUMNS)
    assert line.endswith('"user: a ""b""\nc"\r\n')
    cells = next(csv.reader(io.StringIO(line, newline="")))
    by_name = dict(zip((column.name for column in COLUMNS), cells, strict=True))
    assert by_name["answered_by_voice_mail"] == "true"
    assert by_name["telephony_data.to_number"] == "+10123456789"
    assert by_name["telephony_data.ring_duration"] == ""
    assert by_name["created_at"] == "2024-01-23T01:14:37Z"
    assert by_name["total_cost"] == "0"


def test_files_without_executions() -> None:
    assert read_csv(file_of(CsvEncoder())) == []
    assert file_of(encoder(Format.NDJSON)) == b""
    empty = pq.ParquetFile(io.BytesIO(file_of(encoder(Format.PARQUET))))
    assert (empty.metadata.num_rows, empty.schema_arrow) == (0, parquet_file.SCHEMA)


def test_parquet_has_types_and_row_groups_of_bounded_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_file, "_GROUP_BYTES", 3 * len(body()))
    made = encoder(Format.PARQUET)
    bodies = [body(retry_count=number) for number in range(8)]
    opening = made.opening()
    chunks = [made.encode([one]) for one in bodies]
    assert [bool(chunk) for chunk in chunks] == [number % 3 == 2 for number in range(8)]
    file = pq.ParquetFile(io.BytesIO(opening + b"".join(chunks) + made.closing()))
    groups = [file.metadata.row_group(index).num_rows for index in range(file.metadata.num_row_groups)]
    assert groups == [3, 3, 2]
    assert file.read()["retry_count"].to_pylist() == list(range(8))
    types = {name: str(file.schema_arrow.field(name).type) for name in file.schema_arrow.names}
    assert types["created_at"] == "timestamp[ms, tz=UTC]"
    assert types["total_cost"] == types["cost_breakdown.llm"] == "decimal128(18, 4)"
    assert types["telephony_data.duration"] == "int64"
    assert types["conversation_time"] == "double"
    assert types["answered_by_voice_mail"] == "bool"
    assert types["extracted_data"] == types["transcript"] == "string"


def test_ndjson_is_the_stored_bytes() -> None:
    bodies = [body("a\nb"), body("ü")]
    file = file_of(encoder(Format.NDJSON), bodies[:1], bodies[1:])
    assert file == bodies[0] + b"\n" + bodies[1] + b"\n"
    assert read_ndjson(file) == [json.loads(one) for one in bodies]


def test_without_pyarrow_parquet_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.delitem(sys.modules, parquet_file.__name__)
    with pytest.raises(ExtraMissing, match=r"pip install 'ringback\[parquet\]'"):
        encoder(Format.PARQUET)
    encoder(Format.CSV)


@dataclass
class Recorder:
    """An encoder that notes what it was given, and where."""

    slices: list[int] = field(default_factory=list)
    threads: set[int] = field(default_factory=set)

    def opening(self) -> bytes:
        return b"["

    def encode(self, bodies: Sequence[bytes]) -> bytes:
        self.slices.append(sum(map(len, bodies)))
        self.threads.add(threading.get_ident())
        return b"" if len(self.slices) == 1 else b"x"

    def closing(self) -> bytes:
        return b"]"


@dataclass
class Batches:
    """Batches of bodies of these sizes."""

    sizes: Sequence[Sequence[int]]
    given: int = 0
    closed: bool = False

    async def __call__(self) -> AsyncGenerator[list[StoredExecution]]:
        try:
            for sizes in self.sizes:
                self.given += 1
                yield [StoredExecution("agent", 1, Status.QUEUED, bytes(size)) for size in sizes]
        finally:
            self.closed = True


async def test_a_stream_is_encoded_in_small_slices_outside_the_loop() -> None:
    recorder, batches = Recorder(), Batches([[40_000] * 5, [], [1, 200_000, 2]])
    chunks = [chunk async for chunk in stream(batches(), recorder)]
    assert recorder.slices == [80_000, 80_000, 40_000, 200_001, 2]
    assert threading.get_ident() not in recorder.threads
    assert chunks == [b"[", *[b"x"] * 4, b"]"]  # what isn't ready yet is no chunk
    assert batches.closed


async def test_a_stream_that_is_closed_closes_its_batches_and_reads_no_more() -> None:
    batches = Batches([[100_000] * 3] * 5)
    chunks = stream(batches(), Recorder())
    assert [await anext(chunks), await anext(chunks)] == [b"[", b"x"]
    await chunks.aclose()
    assert (batches.closed, batches.given) == (True, 1)


async def test_a_stream_that_is_cancelled_while_it_encodes_closes_its_batches() -> None:
    entered, leave = threading.Event(), threading.Event()

    class Slow(Recorder):
        def encode(self, bodies: Sequence[bytes]) -> bytes:
            entered.set()
            leave.wait(10)
            return b"x"

    batches = Batches([[1]])

    async def read() -> None:
        async for _ in stream(batches(), Slow()):
            pass

    task = asyncio.create_task(read())
    await asyncio.to_thread(entered.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    leave.set()
    assert batches.closed


async def test_a_failure_within_a_stream_is_raised_and_ends_no_file() -> None:
    async def failing() -> AsyncGenerator[list[StoredExecution]]:
        yield [StoredExecution("agent", 1, Status.QUEUED, b"{}")]
        raise OSError("gone")

    chunks = stream(failing(), formats.NdjsonEncoder())
    assert await anext(chunks) == b"{}\n"
    with pytest.raises(OSError, match="gone"):
        await anext(chunks)
