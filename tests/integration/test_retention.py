"""Retention on real databases: what goes, what stays, and what is said about it."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from ringback.accounts.keys import UnknownAccount
from ringback.accounts.retention import BadPolicy, Policies, Policy
from ringback.app.journal import Journal
from ringback.app.upkeep import LedgerUpkeep
from ringback.conversation.transcript import Turn as SpokenTurn
from ringback.executions import counts, segments
from ringback.executions.filters import Filters
from ringback.executions.lifecycle import Status
from ringback.executions.record import AttemptState, Execution
from ringback.executions.recording_files import part, place
from ringback.executions.retention import DAY_US, Removed
from ringback.store.database import Database
from ringback.store.queries import retention as queries
from tests.support.archive import SAID, Archive, open_archive
from tests.support.ledgers import everything

BATCH = "baab7cdc833145bf8dd260ff1f0a3f21"


@pytest.fixture
async def archive(database: Database, tmp_path: Path) -> Archive:
    return await open_archive(database, tmp_path / "recordings")


async def _log(archive: Archive, call: Execution) -> list[str]:
    return [row.data for row in await archive.books.listing.log(call.account_id, call.id)]


async def _watermarks(archive: Archive) -> tuple[int, int]:
    [row] = await archive.books.db.fetch_all(
        "SELECT recordings_removed_until, transcripts_removed_until FROM accounts WHERE account_id = :account",
        account=archive.books.account_id,
    )
    return row["recordings_removed_until"], row["transcripts_removed_until"]


async def test_without_a_policy_everything_is_kept(archive: Archive) -> None:
    await archive.call(3000)
    before, files = await everything(archive.books.db), archive.files()
    assert await archive.retention.apply() == []
    assert await everything(archive.books.db) == before
    assert archive.files() == files


async def test_a_recording_goes_and_its_record_says_so(
    archive: Archive, caplog: pytest.LogCaptureFixture
) -> None:
    books = archive.books
    old, young = await archive.call(31), await archive.call(29)
    before = await books.body(old)
    assert before["telephony_data"]["recording_url"] is not None
    await archive.keep(recordings=30)
    caplog.set_level(logging.INFO)

    assert await archive.apply() == Removed(books.account_id, recordings=1, transcripts=0, records=0)

    assert archive.files() == {place(young.account_id, young.id, 1)} == await archive.recorded()
    attempt = await books.ledger.attempt(old.account_id, old.id)
    assert (attempt.recording_path, attempt.recording_token, attempt.recording_ms) == (None, None, None)
    after = await books.body(old)
    assert after.pop("updated_at") > before.pop("updated_at")
    after["updatedAt"] = before["updatedAt"]
    before["telephony_data"]["recording_url"] = None
    assert after == before
    assert (await _log(archive, old))[-1] == "recording removed after 30 days"
    assert (await books.body(young))["telephony_data"]["recording_url"] is not None
    assert f"account {books.account_id}: 1 recordings removed" in caplog.messages


async def test_what_was_said_goes_and_what_it_meant_stays(archive: Archive) -> None:
    books = archive.books
    old, young = await archive.call(8), await archive.call(6)
    before = await books.body(old)
    await archive.keep(transcripts=7)

    assert await archive.apply() == Removed(books.account_id, recordings=0, transcripts=1, records=0)

    after = await books.body(old)
    assert (after["transcript"], after["summary"], after["latency_data"]) == ("", None, None)
    changed = {name for name, value in after.items() if value != before[name]}
    assert changed == {"transcript", "summary", "latency_data", "updated_at", "updatedAt"}
    assert (after["total_cost"], after["extracted_data"]) == (1.2, {"confirmed": True})
    assert await books.ledger.turns(old.account_id, old.id) == []
    assert await _log(archive, old) == [
        "queued",
        "queued -> initiated",
        "initiated -> in-progress",
        "in-progress -> call-disconnected",
        "call-disconnected -> completed",
        "transcript removed after 7 days",
    ]
    stored = [row for rows in (await everything(books.db)).values() for row in rows if old.id in row]
    assert stored
    assert not any(SAID in row for row in stored)
    assert SAID in (await books.body(young))["transcript"]
    assert len(archive.files()) == 2


async def test_no_word_of_a_real_call_s_log_stays(archive: Archive) -> None:
    """Turns are in the log too, as events of the system."""
    books = archive.books
    call = await archive.call(2, said=False)
    journal = Journal(books.ledger, books.clock, call.account_id, call.id, number=1, lease_owner=None)
    archive.go_back(2)
    journal.turn(SpokenTurn("user", SAID, 0, 900))
    await journal.finish()
    assert SAID in repr(await _log(archive, call))
    await archive.keep(transcripts=1)
    archive.go_back(0)
    assert await archive.apply() == Removed(books.account_id, 0, 1, 0)
    assert SAID not in repr(await everything(books.db))
    assert (await _log(archive, call))[-1] == "transcript removed after 1 day"


async def test_the_word_about_a_recording_outlives_the_transcript(archive: Archive) -> None:
    call = await archive.call(10)
    await archive.keep(recordings=5)
    await archive.apply()
    await archive.keep(transcripts=5)
    assert await archive.apply() == Removed(archive.books.account_id, 0, 1, 0)
    assert (await _log(archive, call))[-2:] == [
        "recording removed after 5 days",
        "transcript removed after 5 days",
    ]


async def test_records_go_with_all_that_hangs_on_them(archive: Archive) -> None:
    books = archive.books
    await archive.call(366)
    young = await archive.call(364)
    other = await open_archive(books.db, archive.folder)
    kept = await other.call(1000)
    await archive.keep(records=365)

    assert await archive.retention.apply() == [Removed(books.account_id, 0, 0, records=1)]

    assert await archive.statuses() == {young.id: "completed"}
    left = await everything(books.db)
    for table in ("attempts", "turns", "execution_log", "usage_lines"):
        assert all(young.id in row or kept.id in row for row in left[table]), table
        assert left[table], table
    assert archive.files() == {place(call.account_id, call.id, 1) for call in (young, kept)}
    assert [record["id"] for record in await books.list()] == [young.id]


async def test_every_total_is_right_at_once(archive: Archive) -> None:
    books = archive.books
    archive.go_back(20)
    stopped = await books.create(provider="twilio")
    await books.ledger.transition(books.account_id, stopped.id, Status.STOPPED)
    waiting = await books.create(scheduled_at=archive.now + DAY_US)
    for days in range(11, 0, -1):
        await archive.call(days, batch_id=BATCH if days % 2 else None, recorded=False)
    await counts.fold(books.db)
    await archive.keep(records=5)
    await archive.apply()
    assert waiting.id in await archive.statuses()
    assert stopped.id not in await archive.statuses()
    for folded in (False, True):
        await _assert_totals(archive)
        if not folded:
            await counts.fold(books.db)


async def _assert_totals(archive: Archive) -> None:
    filters: list[tuple[Filters, str]] = [
        (Filters(), "TRUE"),
        *((Filters(statuses=frozenset({status})), f"status = '{status}'") for status in Status),
        *((Filters(call_type=way), f"call_type = '{way}'") for way in ("inbound", "outbound")),
        *((Filters(provider=name), f"provider = '{name}'") for name in ("sip-trunk", "twilio")),
        (Filters(batch_id=BATCH), f"batch_id = '{BATCH}'"),
        (Filters(answered_by_voice_mail=False), "answered_by_voice_mail = FALSE"),
    ]
    books = archive.books
    for wanted, sql in filters:
        [row] = await books.db.fetch_all(f"SELECT COUNT(*) AS n FROM executions WHERE {sql}")
        total = await counts.total(books.db, books.account_id, books.agent_id, wanted)
        assert total == counts.Total(row["n"], exact=True), wanted


async def test_the_list_is_right_at_once_within_sealed_segments(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segments, "ROWS", 4)
    books = archive.books
    calls = [await archive.call(20 - n) for n in range(12)]  # 20 to 9 days old
    upkeep = LedgerUpkeep(books.db)
    await upkeep()
    [row] = await books.db.fetch_all("SELECT COUNT(*) AS n FROM segments WHERE frame IS NOT NULL")
    assert row["n"] == 3

    await archive.keep(records=14, recordings=10, transcripts=12)
    await archive.apply()  # the first six; the first segment as a whole

    for _ in range(2):
        listed = {record["id"]: record for record in await books.list()}
        assert [*listed] == [call.id for call in reversed(calls[6:])]
        assert [bool(listed[call.id]["transcript"]) for call in calls[6:]] == [False, False, *[True] * 4]
        recorded = [listed[call.id]["telephony_data"]["recording_url"] is not None for call in calls[6:]]
        assert recorded == [False] * 4 + [True] * 2
        await upkeep()  # sealed again
    assert len(await books.list()) == 6


async def test_what_runs_or_waits_is_never_touched(archive: Archive) -> None:
    books = archive.books
    archive.go_back(50)
    talking, waiting, scheduled = [await books.create() for _ in range(3)]
    await books.ledger.update(books.account_id, scheduled.id, changes={"scheduled_at": archive.now + DAY_US})
    await archive.answer(talking)
    archive.write(place(talking.account_id, talking.id, 1))
    archive.go_back(0)
    await archive.keep(recordings=1, transcripts=1, records=1)
    before = await everything(books.db)
    assert await archive.retention.preview() == []
    assert await archive.apply() is None
    after = await everything(books.db)
    assert after | {"accounts": []} == before | {"accounts": []}
    assert archive.files()

    await archive.complete(talking)
    assert await archive.apply() == Removed(books.account_id, 1, 1, 1)
    assert await archive.statuses() == {waiting.id: "queued", scheduled.id: "queued"}
    assert archive.files() == set()


async def test_a_retry_keeps_the_record_and_what_its_last_attempt_said(archive: Archive) -> None:
    books = archive.books
    call = await archive.call(40)
    await archive.retry(call)
    await archive.keep(recordings=30, transcripts=30, records=30)
    archive.go_back(0)
    assert await archive.apply() == Removed(books.account_id, 1, 1, 0)
    assert await archive.statuses() == {call.id: "queued"}
    assert archive.files() == await archive.recorded() == set()

    archive.go_back(2)
    await archive.answer(call)
    await archive.complete(call)
    archive.go_back(0)
    body = await books.body(call)
    assert await archive.apply() is None, "it was created long ago, but ended the day before yesterday"
    assert await books.body(call) == body
    assert body["transcript"]
    assert archive.files() == {place(call.account_id, call.id, 2)} == await archive.recorded()

    archive.go_back(-29)
    assert await archive.apply() == Removed(books.account_id, 1, 1, 1)
    assert archive.files() == set()


async def test_an_earlier_attempt_loses_what_was_said_in_it_alone(archive: Archive) -> None:
    books = archive.books
    call = await archive.call(40)
    await archive.retry(call)
    archive.go_back(2)
    await archive.answer(call)
    await archive.complete(call)
    archive.go_back(0)
    await archive.keep(recordings=30, transcripts=30)
    before = await books.body(call)
    assert await archive.retention.preview() == [Removed(books.account_id, 1, 1, 0)]
    assert await archive.apply() == Removed(books.account_id, 1, 1, 0)
    assert await books.body(call) == before
    assert archive.files() == {place(call.account_id, call.id, 2)} == await archive.recorded()
    log = await _log(archive, call)
    assert log.count(SAID) == 1
    assert log[-2:] == ["recording removed after 30 days", "transcript removed after 30 days"]
    turns = await books.db.fetch_all("SELECT attempt FROM turns")
    assert {row["attempt"] for row in turns} == {2}


async def test_watermarks(archive: Archive) -> None:
    await archive.call(10)
    await archive.keep(recordings=5, transcripts=7)
    archive.go_back(0)
    await archive.apply()
    recordings, transcripts = await _watermarks(archive)
    assert 0 <= recordings - (archive.now - 5 * DAY_US) < 1_000_000
    assert recordings - transcripts == 2 * DAY_US
    # Keeping for longer takes nothing back, keeping for ever neither.
    await archive.keep(recordings=8, transcripts=None)
    await archive.call(6)
    await archive.apply()
    async with archive.books.db.transaction() as tx:  # a slower pass comes later
        await queries.mark(tx, archive.books.account_id, "recordings_removed_until", recordings - 1)
    assert await _watermarks(archive) == (recordings, transcripts)
    assert len(archive.files()) == 1


async def test_a_call_of_a_lost_worker_that_ends_in_the_past_is_not_missed(archive: Archive) -> None:
    """The whole platform was off: what was live then ends then, but only once somebody finds it."""
    books = archive.books
    await archive.keep(recordings=1, transcripts=1)
    archive.go_back(9)
    lost = await books.create()
    where = (lost.account_id, lost.id)
    await books.ledger.transition(*where, Status.INITIATED)
    answered = books.clock.now_us()
    await books.ledger.transition(
        *where, Status.IN_PROGRESS, attempt={"state": AttemptState.LIVE, "answered_at": answered}
    )
    await archive.call(5)
    archive.go_back(0)
    assert await archive.apply() == Removed(books.account_id, 1, 1, 0)
    assert await _watermarks(archive) == (answered - 1, answered - 1)

    await books.ledger.transition(
        *where, Status.CALL_DISCONNECTED, attempt={"ended_at": answered}, changes={"summary": SAID}
    )
    await archive.complete(lost)
    assert await archive.apply() == Removed(books.account_id, 1, 1, 0)
    assert archive.files() == set()
    assert min(await _watermarks(archive)) > archive.now - 2 * DAY_US


async def test_what_a_crash_left_of_a_recording_goes_too(archive: Archive) -> None:
    one, other = await archive.call(5, recorded=False), await archive.call(3, recorded=False)
    archive.write(part(place(one.account_id, one.id, 1)))
    archive.write(place(other.account_id, other.id, 1))
    await archive.keep(recordings=4)
    archive.go_back(0)
    await archive.apply()
    assert archive.files() == {place(other.account_id, other.id, 1)}
    await archive.keep(recordings=None, records=2)
    assert await archive.apply() == Removed(archive.books.account_id, 0, 0, 2)
    assert archive.files() == set()


async def test_a_file_that_cannot_be_deleted_keeps_its_record_and_is_tried_again(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stuck, free = await archive.call(9), await archive.call(8)
    await archive.keep(recordings=1, records=7)
    archive.go_back(0)
    with monkeypatch.context() as patch:
        unlink = Path.unlink

        def refuse(path: Path, missing_ok: bool = False) -> None:
            if stuck.id in path.name:
                raise PermissionError(13, "Permission denied")
            unlink(path, missing_ok)

        patch.setattr(Path, "unlink", refuse)
        assert await archive.apply() == Removed(archive.books.account_id, 1, 0, 1)
        assert await archive.apply() is None
    assert await archive.recorded() == archive.files() == {place(stuck.account_id, stuck.id, 1)}
    assert free.id not in await archive.statuses()
    [first, *_] = [message for message in caplog.messages if "cannot be deleted" in message]
    assert first == (
        f"1 recordings cannot be deleted, first of them {stuck.account_id}/{stuck.id}-1.wav: Permission denied"
    )
    assert await archive.apply() == Removed(archive.books.account_id, 1, 0, 1)
    assert archive.files() == set()
    assert await archive.statuses() == {}


async def test_a_folder_that_is_not_mounted_is_no_reason_to_forget(archive: Archive) -> None:
    await archive.call(9)
    await archive.keep(recordings=1, records=7)
    away = archive.folder.rename(archive.folder.with_name("away"))
    archive.go_back(0)
    assert await archive.apply() is None
    away.rename(archive.folder)
    assert await archive.apply() == Removed(archive.books.account_id, 1, 0, 1)
    assert archive.files() == set()


async def test_files_outside_the_folder_are_not_ours(archive: Archive) -> None:
    books = archive.books
    call = await archive.call(9)
    outside = archive.folder.parent / "outside.wav"
    outside.write_bytes(b"RIFF")
    await books.ledger.update(call.account_id, call.id, attempt={"recording_path": "../outside.wav"})
    await archive.keep(recordings=1, records=7)
    archive.go_back(0)
    assert await archive.apply() == Removed(books.account_id, 1, 0, 1)
    assert outside.exists()


async def test_a_preview_tells_what_a_pass_removes_and_changes_nothing(archive: Archive) -> None:
    other = await open_archive(archive.books.db, archive.folder)
    for kept in (archive, other):
        for days in range(9, 0, -1):
            await kept.call(days + 0.5, recorded=days % 2 == 0, said=days % 3 == 0)
    await archive.keep(recordings=4, transcripts=2, records=6)
    before, files = await everything(archive.books.db), archive.files()
    told = await archive.retention.preview()
    assert told == [Removed(archive.books.account_id, recordings=3, transcripts=3, records=4)]
    assert await everything(archive.books.db) == before
    assert archive.files() == files
    assert await archive.retention.apply() == told
    assert await archive.retention.preview() == await archive.retention.apply() == []


async def test_policies(archive: Archive) -> None:
    books = archive.books
    policies = Policies(books.db)
    other = await open_archive(books.db, archive.folder)
    assert await policies.get(books.account_id) == Policy(None, None, None)
    assert await policies.change(books.account_id, {"records": 365}) == Policy(records=365)
    changed = await policies.change(books.account_id, {"recordings": 30, "transcripts": 365})
    assert changed == await policies.get(books.account_id) == Policy(30, 365, 365)
    assert (await policies.change(books.account_id, {"records": None})).records is None
    assert await policies.get(other.books.account_id) == Policy()
    for nobody in (policies.get("nobody"), policies.change("nobody", {})):
        with pytest.raises(UnknownAccount, match="there is no account nobody"):
            await nobody


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"recordings": 0}, "recordings: 0 is not from 1 to 36500 days; 'forever' sets no limit"),
        ({"records": -1}, "records: -1 is not"),
        ({"transcripts": 36_501}, "transcripts: 36501 is not"),
        ({"records": 29}, "recordings cannot be kept for 30 days: they go with their records, after 29"),
        ({"records": 50, "transcripts": 51}, "transcripts cannot be kept for 51 days"),
    ],
)
async def test_policies_that_cannot_be_meant(archive: Archive, changes: dict[str, Any], message: str) -> None:
    await archive.keep(recordings=30)
    with pytest.raises(BadPolicy, match=message):
        await archive.keep(**changes)
    assert await Policies(archive.books.db).get(archive.books.account_id) == Policy(recordings=30)


async def test_attempts_that_ended_in_the_same_moment(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batches of two, ten calls that ended at once: none is passed over."""
    monkeypatch.setattr("ringback.executions.retention._BATCH", 2)
    monkeypatch.setattr("ringback.executions.retention._READ", 3)
    for _ in range(10):
        call = await archive.call(5)
        await archive.books.ledger.update(
            call.account_id, call.id, attempt={"ended_at": archive.now - 4 * DAY_US}
        )
    await archive.keep(recordings=3, transcripts=2)
    archive.go_back(0)
    assert await archive.apply() == Removed(archive.books.account_id, 10, 10, 0)
    assert archive.files() == set()
