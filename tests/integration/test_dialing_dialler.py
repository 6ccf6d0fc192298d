"""The dialler on both databases: every way a call can go, from the claim to the completed record."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from ringback.aftercall.stage import FinishedCall
from ringback.aftercall.stage import Outcome as After
from ringback.calls.call import CallRefused, LiveCall, Talk, Talker
from ringback.dialing.claims import Claims, Held
from ringback.dialing.limits import Defaults
from ringback.dialing.queue import CALLS, NotStoppable
from ringback.executions.lifecycle import Status
from ringback.executions.record import Execution
from ringback.media.leg import Answered, EarlyMedia, Ended, EndedBy, HangupCause, Outcome, Ringing
from ringback.store.database import Database, StoreError
from tests.support.exchange import Exchange, open_exchange
from tests.support.simulated_carrier import NORMAL, SimulatedCarrier

BUSY = Ended(Outcome.BUSY, EndedBy.PEER, "Call recipient was busy", 3010, 486, "The line was busy")


class Broken:
    async def talk(self, call: LiveCall) -> Talk:
        raise RuntimeError("a bug")


@pytest.fixture
async def exchange(database: Database, tmp_path: Path) -> AsyncIterator[Exchange]:
    async with open_exchange(database, tmp_path) as exchange:
        yield exchange


async def test_an_answered_call_goes_through_all_states_and_is_rated(exchange: Exchange) -> None:
    async with exchange.open(SimulatedCarrier(lambda leg: leg.give(Ringing(), Answered(), NORMAL))):
        execution_id = await exchange.place()
        record = await exchange.over(execution_id)
    assert await exchange.statuses(execution_id) == [
        "queued",
        "initiated",
        "ringing",
        "in-progress",
        "call-disconnected",
        "completed",
    ]
    telephony = record["telephony_data"]
    assert (telephony["hangup_by"], telephony["hangup_reason"]) == ("Callee", "Normal Hangup")
    assert telephony["provider_call_id"] == "call-1"
    assert (record["conversation_time"], record["extracted_data"]) == (1.2, {"slot": 1})
    legs = {"llm": 0, "network": 1.2, "platform": 2, "synthesizer": 0, "transcriber": 0.0125}
    assert record["cost_breakdown"] == record["cost_breakdown"] | legs
    assert record["total_cost"] == 3.2125


@pytest.mark.parametrize(
    ("ended", "status", "hangup_by"),
    [
        (BUSY, "busy", "Callee"),
        (Ended(Outcome.NO_ANSWER, EndedBy.US, "Call unanswered", 3000, 487), "no-answer", "API Request"),
        (Ended(Outcome.FAILED, EndedBy.CARRIER, "Carrier Internal Error", 3050, 503), "failed", "Carrier"),
        (Ended(Outcome.ERROR, EndedBy.ERROR, "Bolna Error", 3110, None, "No port"), "error", "Error"),
    ],
)
async def test_a_call_that_nobody_takes_ends_with_its_cause(
    exchange: Exchange, ended: Ended, status: str, hangup_by: str
) -> None:
    async with exchange.open(SimulatedCarrier(lambda leg: leg.give(EarlyMedia(), Ringing(), ended))):
        record = await exchange.over(await exchange.place())
    telephony = record["telephony_data"]
    assert (record["status"], record["error_message"]) == (status, ended.detail)
    assert (telephony["hangup_by"], telephony["hangup_reason"]) == (hangup_by, ended.reason)
    assert (telephony["hangup_provider_code"], telephony["sip_code"]) == (ended.provider_code, ended.sip_code)
    assert (record["total_cost"], record["conversation_time"]) == (0, 0)


async def test_nobody_is_dialled_for_an_agent_that_cannot_talk(exchange: Exchange) -> None:
    async def refuse(execution: Execution) -> Talker:
        raise CallRefused('There is no adapter for the transcriber "deepgram"')

    async with exchange.open(carrier := SimulatedCarrier(lambda leg: None), prepare=refuse):
        record = await exchange.over(await exchange.place())
    assert (record["status"], carrier.dialled) == ("error", [])
    assert "deepgram" in record["error_message"]


async def test_a_conversation_that_breaks_hangs_up_and_says_so(exchange: Exchange) -> None:
    async def broken(execution: Execution) -> Talker:
        return Broken()

    async with exchange.open(carrier := SimulatedCarrier(lambda leg: leg.give(Answered())), prepare=broken):
        record = await exchange.over(await exchange.place())
    assert record["status"] == "completed"
    assert record["telephony_data"]["hangup_by"] == "Error"
    assert "a bug" not in record["error_message"]
    assert carrier.legs[0].hangups == [HangupCause.ERROR]


async def test_a_stopped_call_is_never_dialled(exchange: Exchange) -> None:
    execution_id = await exchange.place()
    await exchange.queue.stop(exchange.books.account_id, execution_id)
    async with exchange.open(carrier := SimulatedCarrier(lambda leg: leg.give(BUSY))):
        await exchange.over(await exchange.place("+14155550124"))
    assert [request.to_number for request in carrier.dialled] == ["+14155550124"]
    assert (await exchange.over(execution_id))["status"] == "stopped"


async def test_a_ringing_call_is_cancelled_by_its_stop(exchange: Exchange) -> None:
    async with exchange.open(carrier := SimulatedCarrier(lambda leg: leg.give(Ringing()))):
        execution_id = await exchange.place()
        await exchange.until(execution_id, Status.RINGING)
        await exchange.queue.stop(exchange.books.account_id, execution_id)
        record = await exchange.over(execution_id)
    assert record["status"] == "canceled"
    assert carrier.legs[0].hangups == [HangupCause.CANCELED]


async def test_a_live_call_cannot_be_stopped(exchange: Exchange) -> None:
    async with exchange.open(carrier := SimulatedCarrier(lambda leg: leg.give(Answered()))):
        execution_id = await exchange.place()
        await exchange.until(execution_id, Status.IN_PROGRESS)
        with pytest.raises(NotStoppable, match="in-progress"):
            await exchange.queue.stop(exchange.books.account_id, execution_id)
        carrier.legs[0].give(NORMAL)
        assert (await exchange.over(execution_id))["status"] == "completed"


async def test_the_lease_is_prolonged_while_the_work_after_a_call_goes_on(exchange: Exchange) -> None:
    class Slow:
        name = "summary"
        tries = 1
        asked = 0

        async def run(self, call: FinishedCall) -> After:
            self.asked += 1
            await asyncio.sleep(3 * lease_s)
            return After()

    lease_s, slow = 0.8, Slow()
    carrier = SimulatedCarrier(lambda leg: leg.give(Answered(), NORMAL))
    async with exchange.open(carrier, stages=[slow], lease_s=lease_s):
        execution_id = await exchange.place()
        assert (await exchange.over(execution_id))["status"] == "completed"
    attempt = await exchange.books.ledger.attempt(exchange.books.account_id, execution_id)
    assert (slow.asked, attempt.tries) == (1, 0)


async def test_work_after_a_call_that_is_slow_keeps_nobody_from_dialling(exchange: Exchange) -> None:
    class Slow:
        name = "summary"
        tries = 1
        asked = 0
        answered = asyncio.Event()

        async def run(self, call: FinishedCall) -> After:
            self.asked += 1
            await self.answered.wait()
            return After()

    slow, carrier = Slow(), SimulatedCarrier(lambda leg: leg.give(Answered(), NORMAL))
    async with exchange.open(carrier, capacity=1, stages=[slow]):
        ids = [await exchange.place() for _ in range(7)]
        for execution_id in ids[:5]:
            await exchange.until(execution_id, Status.CALL_DISCONNECTED)
        await asyncio.sleep(0.1)
        assert (slow.asked, len(carrier.dialled)) == (5, 5)  # and not for ever so many
        slow.answered.set()
        for execution_id in ids:
            assert (await exchange.over(execution_id))["status"] == "completed"


async def test_a_worker_never_holds_more_than_its_capacity(exchange: Exchange) -> None:
    async with exchange.open(carrier := SimulatedCarrier(lambda leg: leg.give(Ringing())), capacity=2):
        ids = [await exchange.place() for _ in range(5)]
        most = 0
        for execution_id in ids:
            record = await exchange.until(execution_id, Status.RINGING)
            most = max(most, sum(not leg.over for leg in carrier.legs))
            call_id = record["telephony_data"]["provider_call_id"]
            next(leg for leg in carrier.legs if leg.call_id == call_id).give(BUSY)
            await exchange.over(execution_id)
    assert most == 2
    assert len(carrier.dialled) == 5


async def test_draining_finishes_calls_and_takes_none(exchange: Exchange) -> None:
    async with exchange.open(carrier := SimulatedCarrier(lambda leg: leg.give(Answered()))):
        live = await exchange.place()
        await exchange.until(live, Status.IN_PROGRESS)
        exchange.stopping.set()
        await exchange.wakeup.notify(CALLS)
        waiting = await exchange.place()
        carrier.legs[0].give(NORMAL)
        assert (await exchange.over(live))["status"] == "completed"
    assert (await exchange.books.ledger.get(exchange.books.account_id, waiting)).status is Status.QUEUED


async def test_a_call_that_outlasts_the_drain_is_hung_up_and_recorded(exchange: Exchange) -> None:
    carrier = SimulatedCarrier(lambda leg: leg.give(Answered()))
    async with exchange.open(carrier, drain_s=0.05):
        live = await exchange.place()
        await exchange.until(live, Status.IN_PROGRESS)
    assert carrier.legs[0].hangups == [HangupCause.CANCELED]
    assert (await exchange.books.ledger.get(exchange.books.account_id, live)).status is Status.COMPLETED


async def test_a_record_is_written_although_the_database_is_away(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    transition = exchange.books.ledger.transition
    failures = iter([StoreError("away")] * 2)

    async def flaky(account_id: str, execution_id: str, to: Status, **rest: Any) -> Execution:
        if to is Status.BUSY and (failure := next(failures, None)):
            raise failure
        return await transition(account_id, execution_id, to, **rest)

    monkeypatch.setattr(exchange.books.ledger, "transition", flaky)
    async with exchange.open(SimulatedCarrier(lambda leg: leg.give(BUSY))):
        assert (await exchange.over(await exchange.place()))["status"] == "busy"
    assert next(failures, None) is None


class Gate:
    """What a dialler asks before it claims; counts how often it was asked while it was shut."""

    def __init__(self) -> None:
        self.shut = False
        self.asked = asyncio.Event()

    def __call__(self) -> bool:
        if self.shut:
            self.asked.set()
        return not self.shut


async def test_a_worker_without_time_leaves_the_queue_to_another_and_keeps_its_calls(
    exchange: Exchange,
) -> None:
    late, other = (SimulatedCarrier(lambda leg: leg.give(Answered())) for _ in range(2))
    gate = Gate()
    async with exchange.open(late, worker="late", admits=gate):
        held = await exchange.place()
        await exchange.until(held, Status.IN_PROGRESS)
        gate.shut = True
        left = await exchange.place("+14155550124")
        async with asyncio.timeout(15):
            await gate.asked.wait()
        async with exchange.open(other, worker="other"):
            await exchange.until(left, Status.IN_PROGRESS)
            late.legs[0].give(NORMAL)
            assert (await exchange.over(held))["status"] == "completed"
            other.legs[0].give(NORMAL)
            assert (await exchange.over(left))["status"] == "completed"
    assert [request.to_number for request in late.dialled] == ["+14155550123"]
    assert [request.to_number for request in other.dialled] == ["+14155550124"]


async def test_a_worker_that_has_time_again_takes_what_waits(exchange: Exchange) -> None:
    carrier, gate = SimulatedCarrier(lambda leg: leg.give(Answered())), Gate()
    async with exchange.open(carrier, admits=gate):
        await exchange.until(await exchange.place(), Status.IN_PROGRESS)
        gate.shut = True
        waiting = await exchange.place("+14155550124")
        async with asyncio.timeout(15):
            await gate.asked.wait()
        assert len(carrier.dialled) == 1
        gate.shut = False
        await exchange.until(waiting, Status.IN_PROGRESS)
        for leg in carrier.legs:
            leg.give(NORMAL)


async def test_a_worker_without_calls_takes_one_whatever_its_lateness(exchange: Exchange) -> None:
    carrier, gate = SimulatedCarrier(lambda leg: leg.give(Answered())), Gate()
    gate.shut = True
    first, second = await exchange.place(), await exchange.place()
    async with exchange.open(carrier, admits=gate):
        await exchange.until(first, Status.IN_PROGRESS)
        gate.asked.clear()
        async with asyncio.timeout(15):
            await gate.asked.wait()
        assert len(carrier.dialled) == 1
        carrier.legs[0].give(NORMAL)
        await exchange.over(first)
        await exchange.until(second, Status.IN_PROGRESS)
        carrier.legs[1].give(NORMAL)


async def test_the_end_of_a_call_wakes_whoever_waits_for_its_slot(exchange: Exchange) -> None:
    """T20: without the wake-up the other worker would sleep for half a minute."""
    exchange.defaults = Defaults(account_calls=1)
    one, two = (SimulatedCarrier(lambda leg: leg.give(Answered())) for _ in range(2))
    async with exchange.open(one, worker="one", capacity=1):
        first = await exchange.place()
        await exchange.until(first, Status.IN_PROGRESS)
        async with exchange.open(two, worker="two", capacity=1):
            second, third = await exchange.place(), await exchange.place()
            for execution_id in (first, second, third):
                await exchange.until(execution_id, Status.IN_PROGRESS)
                live = [leg for leg in (*one.legs, *two.legs) if not leg.over]
                assert len(live) == 1
                live[0].give(NORMAL)
                await exchange.over(execution_id)


async def test_a_call_that_is_claimed_while_leases_are_renewed_is_not_taken_for_lost(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer, went_on = asyncio.Event(), asyncio.Event()

    async def slow(self: Claims, claims: object) -> Held:
        await answer.wait()
        asyncio.get_running_loop().call_later(0, went_on.set)
        return Held(frozenset(), frozenset())

    monkeypatch.setattr(Claims, "renew", slow)
    carrier = SimulatedCarrier(lambda leg: leg.give(Answered()))
    async with exchange.open(carrier):
        execution_id = await exchange.place()
        await exchange.until(execution_id, Status.IN_PROGRESS)
        answer.set()
        await went_on.wait()
        assert carrier.legs[0].hangups == []
        carrier.legs[0].give(NORMAL)
        assert (await exchange.over(execution_id))["telephony_data"]["hangup_by"] == "Callee"
