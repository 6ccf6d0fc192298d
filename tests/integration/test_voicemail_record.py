"""What a machine that took the call leaves in the record, and the retry that follows it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from ringback.calls.call import LiveCall, Talk, Talker
from ringback.dialing.queue import NewCall
from ringback.executions.filters import Filters
from ringback.executions.lifecycle import Status
from ringback.executions.record import Execution
from ringback.media.leg import Answered, Ended, EndedBy, HangupCause, Outcome
from ringback.store.database import Database
from ringback.telephony.causes import hung_up_by_us
from tests.support.exchange import Exchange, open_exchange
from tests.support.simulated_carrier import SimulatedCarrier

RETRY: dict[str, Any] = {
    "enabled": True,
    "max_retries": 1,
    "retry_on_statuses": ["busy", "no-answer", "failed", "error"],
    "retry_on_voicemail": True,
    "retry_intervals_minutes": [30],
}


@pytest.fixture
async def exchange(database: Database, tmp_path: Path) -> AsyncIterator[Exchange]:
    async with open_exchange(database, tmp_path) as exchange:
        yield exchange


def talks(cause: HangupCause, voicemail: bool) -> Talker:
    class HangsUp:
        async def talk(self, call: LiveCall) -> Talk:
            await call.leg.hangup(cause)
            while not isinstance(await call.leg.next_event(), Ended):
                pass
            return Talk(hung_up_by_us(cause), conversation_ms=2500, voicemail=voicemail)

    return HangsUp()


async def called(
    exchange: Exchange,
    cause: HangupCause,
    *,
    voicemail: bool,
    retry: dict[str, Any] | None = None,
) -> dict[str, Any]:
    async def prepare(execution: Execution) -> Talker:
        return talks(cause, voicemail)

    carrier = SimulatedCarrier(lambda leg: leg.give(Answered()))
    async with exchange.open(carrier, prepare=prepare):
        books = exchange.books
        call = NewCall(books.account_id, books.agent_id, "+14155550123", None, retry_config=retry)
        record = await exchange.until(await exchange.queue.place(call), Status.COMPLETED)
    assert len(carrier.dialled) == 1 + record["retry_count"]
    return record


def test_the_words_of_the_record() -> None:
    ended = hung_up_by_us(HangupCause.VOICEMAIL)
    assert (ended.outcome, ended.by, ended.reason, ended.provider_code) == (
        Outcome.HUNG_UP,
        EndedBy.US,
        "voicemail_detected",
        4000,
    )


async def test_a_machine_stands_in_the_record_and_is_found_by_it(exchange: Exchange) -> None:
    record = await called(exchange, HangupCause.VOICEMAIL, voicemail=True)
    telephony = record["telephony_data"]
    assert (record["status"], record["answered_by_voice_mail"]) == ("completed", True)
    assert (telephony["hangup_by"], telephony["hangup_reason"]) == ("API Request", "voicemail_detected")
    assert (telephony["hangup_provider_code"], record["error_message"]) == (4000, None)
    books = exchange.books
    found = json.loads(await books.array(books.agent_id, Filters(answered_by_voice_mail=True)))
    assert [one["id"] for one in found] == [record["id"]]


async def test_a_fax_machine_is_no_voicemail(exchange: Exchange) -> None:
    record = await called(exchange, HangupCause.FAX, voicemail=False, retry=RETRY)
    assert (record["status"], record["answered_by_voice_mail"]) == ("completed", False)
    assert record["telephony_data"]["hangup_reason"] == "fax_detected"


async def test_it_is_tried_again_where_that_is_wanted(exchange: Exchange) -> None:
    """At once: the ledger's clock here stands in the past."""
    record = await called(exchange, HangupCause.VOICEMAIL, voicemail=True, retry=RETRY)
    assert (record["status"], record["answered_by_voice_mail"], record["retry_count"]) == (
        "completed",
        True,
        1,
    )
    assert [one["status"] for one in record["retry_history"]] == ["completed"]


async def test_it_is_not_tried_again_where_it_is_not(exchange: Exchange) -> None:
    retry = RETRY | {"retry_on_voicemail": False}
    record = await called(exchange, HangupCause.VOICEMAIL, voicemail=True, retry=retry)
    assert (record["status"], record["answered_by_voice_mail"], record["retry_count"]) == (
        "completed",
        True,
        0,
    )
