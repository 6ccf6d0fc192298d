"""The record of transfers on both databases: written as they go, closed and rated whoever dies, removed in time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ringback.calls.call import LiveCall
from ringback.calls.switchboard import CallSwitchboard, Exchange
from ringback.conversation.transfer import TransferRefused, TransferResult
from ringback.dialing.reaper import Reaper
from ringback.executions.lifecycle import Status
from ringback.executions.record import AttemptChanges, AttemptState, Execution
from ringback.executions.transfer import Transfer
from ringback.media.frame import SILENCE
from ringback.media.leg import Ended, EndedBy, Outcome
from ringback.media.recorder import Recorder
from ringback.store.database import Database, StoreError
from tests.support.after_call import OWNER, pipeline
from tests.support.archive import open_archive
from tests.support.ledgers import Books, open_books
from tests.support.simulated_carrier import NORMAL, SimulatedCarrier, SimulatedLeg

TAKER = "+14155550177"
BUSY = Ended(Outcome.BUSY, EndedBy.CARRIER, "Call recipient was busy", 3010, 486)


@pytest.fixture
async def books(database: Database) -> Books:
    return await open_books(database)


@pytest.fixture
def carrier() -> SimulatedCarrier:
    return SimulatedCarrier(lambda leg: None)


async def live(books: Books) -> Execution:
    """A call in which somebody talks, leased to OWNER."""
    call = await books.create()
    where, now = (books.account_id, call.id), books.clock.now_us()
    await books.ledger.transition(*where, Status.INITIATED, attempt={"state": AttemptState.DIALLING})
    answer: AttemptChanges = {
        "state": AttemptState.LIVE,
        "answered_at": now,
        "lease_owner": OWNER,
        "lease_until": now + 30_000_000,
    }
    return await books.ledger.transition(*where, Status.IN_PROGRESS, attempt=answer)


def board(books: Books, carrier: SimulatedCarrier, call: Execution, folder: Path) -> CallSwitchboard:
    exchange = Exchange(books.ledger, carrier, books.clock, folder, OWNER)
    leg = SimulatedLeg("call")
    return CallSwitchboard(exchange, LiveCall(call, 1, leg, books.clock.now_us()))


async def shown(books: Books, call: Execution) -> Any:
    return (await books.body(call))["transfer_call_data"]


async def over(books: Books, call: Execution, folder: Path, after_s: int = 130) -> dict[str, Any]:
    """The call ends, and the work after it is done."""
    where = (books.account_id, call.id)
    started = (await books.ledger.attempt(*where)).answered_at
    assert started is not None
    await books.ledger.transition(
        *where, Status.CALL_DISCONNECTED, attempt={"ended_at": started + after_s * 1_000_000}
    )
    await pipeline(books.db, books.ledger, folder).complete(*where, 1, OWNER)
    return await books.body(call)


async def test_the_record_follows_the_transfer(
    books: Books, carrier: SimulatedCarrier, tmp_path: Path
) -> None:
    call = await live(books)
    switchboard = board(books, carrier, call, tmp_path)
    assert await shown(books, call) is None
    second = await switchboard.begin("attended", TAKER, 12.0)
    [request] = carrier.dialled
    assert (request.to_number, request.from_number, request.ring_timeout_s) == (TAKER, "+14155550100", 12.0)
    assert (request.account_id, request.trunk_id) == (books.account_id, call.trunk_id)
    told = await shown(books, call)
    assert (told["status"], told["provider_call_id"]) == ("initiated", request.call_id)
    second.rings()
    await switchboard.written()
    assert (await shown(books, call))["status"] == "ringing"
    second.answered()
    recorder = second.recorder()
    for _ in range(100):
        recorder.write(SILENCE, SILENCE)
    second.joined()
    await switchboard.written()
    assert (await shown(books, call))["status"] == "in-progress"
    books.clock.us += 61_000_000
    await recorder.close()
    await second.ended(TransferResult.COMPLETED, NORMAL, by_caller=False)
    told = await shown(books, call)
    assert (told["status"], told["hangup_by"], told["hangup_provider_code"]) == ("completed", "Callee", 4000)
    assert (told["cost"], told["recording_url"]) == (0, None), "not before the call is completed"
    record = await over(books, call, tmp_path)
    told = record["transfer_call_data"]
    assert told["duration"] == pytest.approx(61.0, abs=0.1)
    # Two started minutes of each leg; our own time once.
    assert (told["cost"], record["cost_breakdown"]["transfer_cost"]) == (2.4, 2.4)
    assert record["cost_breakdown"]["network"] == pytest.approx(2.4 + 3.6)
    assert record["cost_breakdown"]["platform"] == 6
    assert record["total_cost"] == pytest.approx(12.0)
    assert f"/recordings/transfer/{call.id}?token=" in told["recording_url"]
    [transfer] = (await books.ledger.attempt(books.account_id, call.id)).transfers
    assert (transfer.recording_ms, len(transfer.recording_sha256 or "")) == (2000, 64)
    said = [row["data"] for row in await books.log(call)]
    assert any(line.startswith("transfer: completed after 61.0") for line in said)


async def test_the_one_that_was_answered_stands_for_the_call(
    books: Books, carrier: SimulatedCarrier, tmp_path: Path
) -> None:
    call = await live(books)
    switchboard = board(books, carrier, call, tmp_path)
    for result, ended in ((TransferResult.BUSY, BUSY), (TransferResult.COMPLETED, NORMAL)):
        second = await switchboard.begin("attended", TAKER, 12.0)
        if ended is NORMAL:
            second.answered()
            books.clock.us += 1_000_000
        await second.ended(result, ended, by_caller=False)
    third = await switchboard.begin("blind", TAKER, 12.0)
    await third.ended(TransferResult.NOT_SUPPORTED, None, by_caller=False)
    record = await over(books, call, tmp_path)
    told = record["transfer_call_data"]
    assert (told["status"], told["termination_reason"], told["cost"]) == ("completed", "completed", 1.2)
    assert told["recording_url"] is None, "nothing was recorded"
    tries = (await books.ledger.attempt(books.account_id, call.id)).transfers
    assert [one.status for one in tries] == ["busy", "completed", "failed"]
    assert [one.sip_code for one in tries] == [486, None, None]
    assert record["cost_breakdown"]["transfer_cost"] == 1.2


async def test_of_a_call_to_us_our_number_is_the_one_that_was_called(
    books: Books, carrier: SimulatedCarrier, tmp_path: Path
) -> None:
    call = replace(await live(books), call_type="inbound")
    await board(books, carrier, call, tmp_path).begin("attended", TAKER, 12.0)
    assert [request.from_number for request in carrier.dialled] == [call.to_number]


async def test_the_person_hangs_up(books: Books, carrier: SimulatedCarrier, tmp_path: Path) -> None:
    call = await live(books)
    second = await board(books, carrier, call, tmp_path).begin("attended", TAKER, 12.0)
    second.rings()
    await second.ended(TransferResult.CALLER_LEFT, None, by_caller=True)
    told = await shown(books, call)
    assert (told["status"], told["hangup_by"], told["hangup_reason"]) == (
        "canceled",
        "Caller",
        "Call canceled",
    )
    assert told["termination_reason"] == "caller_hung_up"


async def test_the_person_hangs_up_before_they_are_joined(
    books: Books, carrier: SimulatedCarrier, tmp_path: Path
) -> None:
    """The other has answered, and is paid for; of its recording nothing was written."""
    call = await live(books)
    second = await board(books, carrier, call, tmp_path).begin("attended", TAKER, 12.0)
    second.answered()
    second.recorder()
    books.clock.us += 1_000_000
    await second.ended(TransferResult.CALLER_LEFT, NORMAL, by_caller=True)
    told = (await over(books, call, tmp_path))["transfer_call_data"]
    assert (told["status"], told["hangup_by"], told["hangup_reason"]) == (
        "completed",
        "Caller",
        "Normal Hangup",
    )
    assert (told["cost"], told["recording_url"]) == (1.2, None)
    [transfer] = (await books.ledger.attempt(books.account_id, call.id)).transfers
    assert transfer.recording_path is None


async def test_nobody_is_dialled_without_a_record(
    books: Books, carrier: SimulatedCarrier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = await live(books)
    switchboard = board(books, carrier, call, tmp_path)
    with monkeypatch.context() as away:

        async def update(*where: Any, **what: Any) -> None:
            raise StoreError("the database is away")

        away.setattr(books.ledger, "update", update)
        with pytest.raises(TransferRefused, match="could not be recorded: the database is away"):
            await switchboard.begin("attended", TAKER, 12.0)
    second = await switchboard.begin("attended", TAKER, 12.0)
    second.rings()
    await second.ended(TransferResult.CALLER_LEFT, None, by_caller=True)
    assert len((await books.ledger.attempt(books.account_id, call.id)).transfers) == 1
    carrier.dialled.clear()
    await books.ledger.update(books.account_id, call.id, attempt={"lease_owner": "another"})
    with pytest.raises(TransferRefused):
        await switchboard.begin("attended", TAKER, 12.0)
    assert carrier.dialled == []


async def test_the_database_is_away_for_a_while(
    books: Books, carrier: SimulatedCarrier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = await live(books)
    second = await board(books, carrier, call, tmp_path).begin("attended", TAKER, 12.0)
    real, failures = books.ledger.update, 3

    async def update(*where: Any, **what: Any) -> Any:
        nonlocal failures
        failures -= 1
        if failures >= 0:
            raise StoreError("the database is away")
        return await real(*where, **what)

    monkeypatch.setattr(books.ledger, "update", update)
    second.rings()
    await second.ended(TransferResult.BUSY, BUSY, by_caller=False)
    assert (await shown(books, call))["status"] == "busy"


Dies = Callable[[Any], Awaitable[None]]


async def _answered(second: Any) -> None:
    second.answered()
    recorder: Recorder = second.recorder()
    for _ in range(100):
        recorder.write(SILENCE, SILENCE)
    await recorder.close()
    recorder._path.rename(recorder._part)
    second.joined()


async def _rings(second: Any) -> None:
    second.rings()


@pytest.mark.parametrize(
    ("dies", "status", "cost"),
    [(_answered, "completed", 1.2), (_rings, "failed", 0)],
    ids=["joined", "rings"],
)
async def test_a_worker_is_lost_in_a_transfer(
    books: Books, carrier: SimulatedCarrier, tmp_path: Path, dies: Dies, status: str, cost: float
) -> None:
    call = await live(books)
    switchboard = board(books, carrier, call, tmp_path)
    await dies(await switchboard.begin("attended", TAKER, 12.0))
    await switchboard.written()
    where = (books.account_id, call.id)
    # Its last renewal was half a minute after the answer.
    attempt = await books.ledger.attempt(*where)
    assert attempt.answered_at is not None
    await books.ledger.update(*where, attempt={"lease_until": attempt.answered_at + 60_000_000})
    reaper = Reaper(books.db, books.ledger, books.clock, "another")
    books.clock.us += 3_600_000_000
    await reaper.reap()  # it looks so late that it leaves this round out
    await reaper.reap()
    await pipeline(books.db, books.ledger, tmp_path).complete(*where, 1, "another")
    record = await books.body(call)
    assert record["telephony_data"]["hangup_reason"] == "worker lost"
    told = record["transfer_call_data"]
    assert (told["status"], told["termination_reason"], told["cost"]) == (status, "worker_lost", cost)
    assert (told["hangup_by"], told["hangup_reason"]) == ("Error", "worker lost")
    assert record["cost_breakdown"]["transfer_cost"] == cost
    assert told["duration"] == (pytest.approx(30, abs=0.2) if cost else 0)
    assert (told["recording_url"] is not None) == bool(cost), "what was written of it is closed"


async def test_its_recording_goes_with_that_of_the_call(database: Database, tmp_path: Path) -> None:
    archive = await open_archive(database, tmp_path / "recordings")
    call = await archive.call(days=3)
    transfer = Transfer(
        "attended", TAKER, "+2", "x", "c", 1, answered_at=2, ended_at=3, recording_path="transfer.wav"
    )
    where = (call.account_id, call.id)
    await archive.books.ledger.update(*where, attempt={"transfers": [transfer], "transfer_token": "token"})
    archive.write("transfer.wav")
    await archive.keep(recordings=2)
    removed = await archive.apply()
    assert removed is not None
    assert removed.recordings == 1
    assert await asyncio.to_thread(lambda: list((tmp_path / "recordings").rglob("*.wav"))) == []
    attempt = await archive.books.ledger.attempt(*where)
    assert (attempt.transfer_token, attempt.transfers[0].recording_path) == (None, None)
    assert (await archive.books.body(call))["transfer_call_data"]["recording_url"] is None
