"""The recording of a finished call: closed whoever wrote it, measured, and its digest in the record."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from ringback.aftercall.recording import recording_path
from ringback.executions.record import Execution
from ringback.media.frame import FRAME_SAMPLES
from ringback.media.recorder import Recorder
from ringback.store.database import Database
from tests.support.after_call import OWNER, disconnected, pipeline
from tests.support.ledgers import Books, open_books

FRAME = np.full(FRAME_SAMPLES, 1000, np.int16)


@pytest.fixture
async def books(database: Database) -> Books:
    return await open_books(database)


async def _complete(books: Books, call: Execution, folder: Path) -> None:
    await pipeline(books.db, books.ledger, folder).complete(books.account_id, call.id, 1, OWNER)


async def _recorded(path: Path, seconds: int) -> None:
    recorder = Recorder(path)
    for _ in range(seconds * 50):
        recorder.write(FRAME, FRAME)
    await recorder.close()


async def test_its_length_and_digest_are_in_the_record(books: Books, tmp_path: Path) -> None:
    call = await disconnected(books)
    path = recording_path(tmp_path, books.account_id, call.id, 1)
    await _recorded(path, 3)
    await _complete(books, call, tmp_path)
    attempt = await books.ledger.attempt(books.account_id, call.id)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert (attempt.recording_ms, attempt.conversation_ms) == (3000, 3000)
    assert attempt.recording_sha256 == digest
    assert attempt.recording_path == f"{books.account_id}/{call.id}-1.wav"
    body = await books.body(call)
    assert body["telephony_data"]["recording_url"].endswith(f"?token={attempt.recording_token}")
    assert f"recording: 3.0 s, SHA-256 {digest}" in [row["data"] for row in await books.log(call)]


async def test_what_a_lost_worker_wrote_behind_the_header_is_cut_off(books: Books, tmp_path: Path) -> None:
    call = await disconnected(books)
    path = recording_path(tmp_path, books.account_id, call.id, 1)
    await _recorded(path, 2)
    whole = path.read_bytes()
    part = path.rename(path.with_name(f"{path.name}.part"))
    with part.open("ab") as file:
        file.write(bytes(999))
    await _complete(books, call, tmp_path)
    assert path.read_bytes() == whole
    assert not part.exists()
    attempt = await books.ledger.attempt(books.account_id, call.id)
    assert (attempt.recording_ms, attempt.conversation_ms) == (2000, 2000)
    assert attempt.recording_sha256 == hashlib.sha256(whole).hexdigest()


@pytest.mark.parametrize("written", [None, b"", bytes(5000)], ids=["no file", "empty", "no header yet"])
async def test_a_call_that_was_not_recorded_is_completed(
    books: Books, tmp_path: Path, written: bytes | None
) -> None:
    call = await disconnected(books)
    path = recording_path(tmp_path, books.account_id, call.id, 1)
    path.parent.mkdir()
    if written is not None:
        path.with_name(f"{path.name}.part").write_bytes(written)
    await _complete(books, call, tmp_path)
    body = await books.body(call)
    assert (body["status"], body["error_message"]) == ("completed", None)
    assert body["telephony_data"]["recording_url"] is None


async def test_one_that_is_damaged_is_tried_again_and_then_told(books: Books, tmp_path: Path) -> None:
    call = await disconnected(books)
    path = recording_path(tmp_path, books.account_id, call.id, 1)
    path.parent.mkdir()
    path.write_bytes(b"not a recording")
    work = pipeline(books.db, books.ledger, tmp_path)
    for _ in range(4):
        with pytest.raises(Exception, match="the recording cannot be read"):
            await work.complete(books.account_id, call.id, 1, OWNER)
    await work.complete(books.account_id, call.id, 1, OWNER)
    body = await books.body(call)
    assert body["status"] == "completed"
    assert body["error_message"] == "recording failed: the recording cannot be read: it is damaged"


async def test_the_length_that_the_talker_measured_stands(books: Books, tmp_path: Path) -> None:
    call = await disconnected(books)
    await books.ledger.update(books.account_id, call.id, attempt={"conversation_ms": 2980})
    await _recorded(recording_path(tmp_path, books.account_id, call.id, 1), 3)
    await _complete(books, call, tmp_path)
    assert (await books.ledger.attempt(books.account_id, call.id)).conversation_ms == 2980
