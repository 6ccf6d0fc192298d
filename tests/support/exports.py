"""Exported files read back, a history worth exporting, and what a row should hold by the contract's JSON."""

from __future__ import annotations

import csv
import io
import json
from datetime import datetime
from decimal import Decimal
from typing import Any

import pyarrow.parquet as pq

from ringback.executions.ledger import Ledger
from ringback.executions.lifecycle import Status
from ringback.executions.record import AttemptState, NewExecution, Turn, UsageKind, UsageLine

BATCH = "baab7cdc833145bf8dd260ff1f0a3f21"
HOSTILE = [
    '=HYPERLINK("http://evil.example","click")',
    "+1+1",
    "-2",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "'=1",
    "''+",
    "'",
    "a,b;c\td",
    'say "hi", twice ""',
    "one\ntwo\r\nthree\rfour",
    "Zürich 東京 🙂 \u2028\u0085\ufeff",
    " leading and trailing ",
    "null",
    "\x01\x1f\x7f",
]
"""What breaks tables of text."""

Row = dict[str, Any]


async def hostile_history(ledger: Ledger, account_id: str, agent_id: str) -> None:
    """Calls in many states, whose every free text is one of HOSTILE."""
    for number, text in enumerate(HOSTILE):
        await _completed(ledger, account_id, agent_id, number, text)
    await _create(ledger, account_id, agent_id, scheduled_at=2**51, retry_config={"max_retries": 2})
    stopped = await _create(ledger, account_id, agent_id, batch_id=BATCH)
    await ledger.transition(account_id, stopped, Status.STOPPED)
    failed = await _create(ledger, account_id, agent_id, from_number=None)
    await ledger.transition(account_id, failed, Status.ERROR, changes={"error_message": "=worker lost"})
    # Neither NUL nor half a surrogate pair can be a text of PostgreSQL or of UTF-8.
    await _create(ledger, account_id, agent_id, recipient_data={"\0 \ud83d": ["\ud83d\0", {"=": '"\n'}]})


async def _create(ledger: Ledger, account_id: str, agent_id: str, **changes: Any) -> str:
    values = {"to_number": "+14155550123", "from_number": "+14155550100", "provider": "sip-trunk"} | changes
    return (await ledger.create(NewExecution(account_id, agent_id, **values))).id


async def _completed(ledger: Ledger, account_id: str, agent_id: str, number: int, text: str) -> None:
    created = await _create(ledger, account_id, agent_id, recipient_data={text: [text, number / 8, None]})
    where, start = (account_id, created), 1_705_972_477_000_000
    await ledger.transition(
        *where,
        Status.INITIATED,
        changes={"initiated_at": start},
        attempt={"state": AttemptState.DIALLING, "call_id": text, "dialled_at": start},
    )
    await ledger.transition(*where, Status.RINGING, attempt={"ringing_at": start + 1_000_000})
    await ledger.transition(*where, Status.IN_PROGRESS, attempt={"answered_at": start + 3_000_000})
    await ledger.add_turns(*where, [Turn(0, "assistant", text, 0, 900), Turn(1, "user", text, 900, 1000)])
    usage = [
        UsageLine(UsageKind.LLM, "openai", text, "input_tokens", 100, 1 + number * 4_219),
        UsageLine(UsageKind.NETWORK, "sip-trunk", "", "ms", 45_000, 12_000),
        UsageLine(UsageKind.SYNTHESIZER, "local", "hibari", "characters", 321, 10**13 + number),
        UsageLine(UsageKind.TRANSCRIBER, "local", "whisper", "ms", 12_345, 0),
    ]
    await ledger.transition(
        *where,
        Status.CALL_DISCONNECTED,
        changes={"extracted_data": {"said": text}, "context_data": {"node": text}, "summary": text},
        attempt={
            "ended_at": start + 45_000_000,
            "conversation_ms": 41_980 + 100 * number,
            "hangup_by": "Callee",
            "hangup_reason": text,
            "hangup_provider_code": 4000,
            "sip_code": 200,
        },
        usage=usage,
    )
    await ledger.transition(
        *where,
        Status.COMPLETED,
        changes={"answered_by_voice_mail": number % 2 == 0, "latency_data": {"turns": [number]}},
        attempt={"recording_path": "x/y.wav", "recording_token": created, "recording_ms": 42_000},
    )


def read_csv(file: bytes) -> list[Row]:
    """Cells as they stand, text without the apostrophe that keeps spreadsheets from running it."""
    assert file.startswith(b"\xef\xbb\xbf")
    rows = csv.DictReader(io.StringIO(file.decode("utf-8-sig"), newline=""), strict=True)
    return [{name: _undefused(cell) for name, cell in row.items()} for row in rows]


def _undefused(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and cell.lstrip("'")[:1] in tuple("=+-@\t\r") else cell


def read_parquet(file: bytes) -> list[Row]:
    rows: list[Row] = pq.read_table(io.BytesIO(file)).to_pylist()
    return rows


def read_ndjson(file: bytes) -> list[dict[str, Any]]:
    assert file.endswith(b"\n") or not file
    return [json.loads(line) for line in file.split(b"\n")[:-1]]


def member(record: dict[str, Any], name: str) -> Any:
    """The value of a column in the JSON of an execution; None within an object that is null."""
    parent, _, key = name.rpartition(".")
    within = record[parent] if parent else record
    if within is None or (name == "context_details.context_data" and key not in within):
        return None
    return within[key]


def assert_csv_row(row: Row, record: dict[str, Any]) -> None:
    """Every cell says what the record does."""
    for name, cell in row.items():
        value = member(record, name)
        if isinstance(value, dict | list):
            assert json.loads(cell) == value, name
        elif isinstance(value, str):
            assert cell == value, name
        else:
            assert cell == ("" if value is None else json.dumps(value)), name


def assert_parquet_row(row: Row, record: dict[str, Any]) -> None:
    """Every value is that of the record, in its type."""
    for name, cell in row.items():
        value = member(record, name)
        if isinstance(value, dict | list):
            assert json.loads(cell) == value, name
        elif isinstance(cell, datetime):
            assert f"{cell:%Y-%m-%dT%H:%M:%SZ}" == value, name
            assert cell.utcoffset() is not None
        elif isinstance(cell, Decimal):
            assert cell == Decimal(json.dumps(value)), name
        else:
            assert cell == value, name
            assert isinstance(cell, bool) == isinstance(value, bool), name
