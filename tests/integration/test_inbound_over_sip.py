"""Whole calls to our numbers, with sipp as the caller: who is taken, who is refused, and what the record says."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from ringback.calls.call import CallRefused, LiveCall, Talk, Talker
from ringback.calls.prelude import Prelude
from ringback.clock import SystemClock
from ringback.executions.lifecycle import Status
from ringback.executions.record import Execution
from ringback.inbound.reception import Wait
from ringback.inbound.sources import Own
from ringback.inbound.waiting import WaitingTalker
from ringback.media.leg import Ended, HangupCause
from ringback.store.database import Database
from ringback.store.queries import webhook_endpoints
from ringback.trunks.gateway import Gateway
from ringback.trunks.numbers import NewNumber
from tests.support.exchange import Listener
from tests.support.needs import needs
from tests.support.reception import CALLER, NUMBER, Foyer, open_foyer
from tests.support.sipp import Sipp, run_sipp

if TYPE_CHECKING:
    from ringback.media.recorder import Recorder

pytestmark = [pytest.mark.realtime, needs("sipp")]

STATUSES = ["queued", "initiated", "ringing", "in-progress", "call-disconnected", "completed"]


@pytest.fixture
async def foyer(database: Database, tmp_path: Path) -> AsyncIterator[Foyer]:
    async with open_foyer(database, tmp_path) as foyer:
        yield foyer


def calling(
    scenario: str,
    folder: Path,
    address: tuple[str, int],
    *,
    called: str = NUMBER,
    caller: str = CALLER,
    more: str = "Subject: a call",
    status: int = 200,
    talk_ms: int = 100,
) -> AbstractAsyncContextManager[Sipp]:
    return run_sipp(
        scenario,
        folder,
        call=address,
        called=called,
        caller=caller,
        more=more,
        status=str(status),
        talk_ms=str(talk_ms),
    )


async def called(scenario: str, folder: Path, address: tuple[str, int], **how: Any) -> Sipp:
    """A call of sipp's, to its end."""
    async with calling(scenario, folder, address, **how) as peer:
        await peer.succeeded()
    return peer


async def test_a_call_to_a_number_is_answered_and_completed(foyer: Foyer, tmp_path: Path) -> None:
    trunk = await foyer.trunk()
    async with foyer.open() as receiving:
        await called("inbound", tmp_path, receiving.address, talk_ms=1200)
        record = await foyer.over()
    telephony = record["telephony_data"]
    assert record["status"] == "completed"
    assert await foyer.statuses(record["id"]) == STATUSES
    assert (telephony["call_type"], telephony["provider"]) == ("inbound", "sip-trunk")
    assert (telephony["to_number"], telephony["from_number"]) == (NUMBER, CALLER)
    assert (record["user_number"], record["agent_number"]) == (CALLER, NUMBER)
    assert (telephony["hangup_by"], telephony["hangup_reason"]) == ("Caller", "Normal Hangup")
    assert telephony["hangup_provider_code"] == 4000
    assert telephony["duration"] == 1
    assert telephony["provider_call_id"]
    assert telephony["hosted_telephony"] is False
    assert record["error_message"] is None
    assert record["context_details"]["recipient_phone_number"] == CALLER
    assert receiving.reception.calls == 0
    attempt = await foyer.books.ledger.attempt(foyer.books.account_id, record["id"])
    assert (attempt.slot_since, attempt.lease_owner, attempt.dialled_at is not None) == (None, None, True)
    assert attempt.trunk == trunk.id, "what is transferred leaves by the trunk that it came by"


async def test_each_status_is_told_to_the_agent_s_webhook(foyer: Foyer, tmp_path: Path) -> None:
    url, account = "https://crm.example/calls", foyer.books.account_id
    async with foyer.books.db.transaction() as tx:
        await webhook_endpoints.ensure(tx, account, url, secret="secret", now_us=1)
        await tx.execute(
            "UPDATE agents SET webhook_url = :url WHERE account_id = :account_id", url=url, account_id=account
        )
    await foyer.trunk()
    async with foyer.open() as receiving:
        await called("inbound", tmp_path, receiving.address)
        await foyer.over()
    rows = await foyer.books.db.fetch_all("SELECT payload FROM webhook_deliveries ORDER BY position")
    told = [json.loads(row["payload"]) for row in rows]
    assert [one["status"] for one in told] == STATUSES
    assert {one["telephony_data"]["call_type"] for one in told} == {"inbound"}


class HangsUp(Listener):
    async def talk(self, call: LiveCall) -> Talk:
        await call.leg.hangup(HangupCause.AGENT)
        return await super().talk(call)


async def test_an_agent_that_hangs_up(foyer: Foyer, tmp_path: Path) -> None:
    async def prepare(execution: Execution) -> Talker:
        return HangsUp()

    await foyer.trunk()
    async with foyer.open(prepare) as receiving:
        await called("inbound_hung_up", tmp_path, receiving.address)
        record = await foyer.over()
    assert (record["status"], record["telephony_data"]["hangup_by"]) == ("completed", "API Request")


async def test_a_caller_that_hangs_up_while_it_rings(foyer: Foyer, tmp_path: Path) -> None:
    over = asyncio.Event()

    async def prepare(execution: Execution) -> Talker:
        await over.wait()
        return Listener()

    await foyer.trunk()
    async with foyer.open(prepare) as receiving:
        await called("inbound_given_up", tmp_path, receiving.address)
        over.set()
        record = await foyer.over()
    telephony = record["telephony_data"]
    assert (record["status"], telephony["hangup_by"]) == ("canceled", "Caller")
    assert (telephony["sip_code"], telephony["duration"]) == (487, 0)


async def test_an_agent_that_cannot_talk(foyer: Foyer, tmp_path: Path) -> None:
    async def prepare(execution: Execution) -> Talker:
        raise CallRefused('There is no adapter for the transcriber "deepgram"')

    await foyer.trunk()
    async with foyer.open(prepare) as receiving:
        await called("inbound_refused", tmp_path, receiving.address, status=480)
        record = await foyer.over()
    assert (record["status"], record["smart_status"]) == ("failed", "error")
    assert "deepgram" in record["error_message"]


@pytest.mark.parametrize(
    ("asked", "status"), [("+14155550199", 404), ("14155550100", 200), ("nobody", 404), ("0", 404)]
)
async def test_numbers_are_found_with_or_without_their_plus(
    foyer: Foyer, tmp_path: Path, asked: str, status: int
) -> None:
    await foyer.trunk()
    async with foyer.open() as receiving:
        scenario = "inbound" if status == 200 else "inbound_refused"
        await called(scenario, tmp_path, receiving.address, called=asked, status=status)
        if status == 200:
            assert (await foyer.over())["telephony_data"]["to_number"] == NUMBER
        else:
            assert await foyer.records() == []


async def test_a_trunk_that_takes_no_calls(foyer: Foyer, tmp_path: Path) -> None:
    await foyer.trunk(inbound_enabled=False)
    async with foyer.open() as receiving:
        await called("inbound_refused", tmp_path, receiving.address, status=403)
    assert await foyer.records() == []


async def test_a_number_that_nobody_answers(foyer: Foyer, tmp_path: Path) -> None:
    await foyer.trunk(agent_id=None)
    async with foyer.open() as receiving:
        await called("inbound_refused", tmp_path, receiving.address, status=480)
    assert await foyer.records() == []


async def test_a_stranger_gets_nothing(foyer: Foyer) -> None:
    await foyer.trunk(ip_identifiers=("203.0.113.7",), gateways=(Gateway("203.0.113.8"),))
    async with foyer.open() as receiving:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.setblocking(False)
            stranger.bind(("127.0.0.1", 0))
            host, port = stranger.getsockname()
            for method in ("INVITE", "OPTIONS", "REGISTER"):
                text = (
                    f"{method} sip:{NUMBER}@127.0.0.1 SIP/2.0\r\n"
                    f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{method};rport\r\n"
                    f"From: <sip:100@{host}>;tag=1\r\nTo: <sip:{NUMBER}@127.0.0.1>\r\nCall-ID: {method}\r\n"
                    f"CSeq: 1 {method}\r\nContact: <sip:100@{host}:{port}>\r\nMax-Forwards: 70\r\n"
                    "Content-Length: 0\r\n\r\n"
                )
                stranger.sendto(text.encode(), receiving.address)
            await asyncio.sleep(0.3)
            with pytest.raises(BlockingIOError):
                stranger.recv(4096)
    assert await foyer.records() == []


async def test_the_trunk_of_the_settings_brings_calls_to_numbers_that_were_taken(
    foyer: Foyer, tmp_path: Path
) -> None:
    account = foyer.books.account_id
    number = await foyer.numbers.take(account, NewNumber(NUMBER))
    await foyer.setup.link(account, number.id, "agent")
    async with foyer.open(own=Own("sip-trunk", ["localhost"])) as receiving:
        await called("inbound", tmp_path, receiving.address)
        record = await foyer.over()
    assert (record["status"], record["telephony_data"]["hosted_telephony"]) == ("completed", True)


async def test_a_worker_that_is_full_says_when_to_try_again(foyer: Foyer, tmp_path: Path) -> None:
    await foyer.trunk()
    full: list[dict[str, Any]] = [{"capacity": 0}, {"others": lambda: 10}, {"admits": lambda: False}]
    for more in full:
        async with foyer.open(**more) as receiving:
            peer = await called("inbound_refused", tmp_path, receiving.address, status=503)
            assert peer.logged()[-1].split() == ["later", "10"]
        foyer.stopping.clear()
    assert await foyer.records() == []


class Silent:
    """A recorder of nothing."""

    duration_ms = 0

    async def close(self) -> None: ...


async def a_moment(call: LiveCall) -> Prelude:
    """The message to those who wait."""
    await asyncio.sleep(0.05)
    return Prelude(None, {}, None, cast("Recorder", Silent()), (), 0, lambda: None)


def waiting(longest_s: float) -> Wait:
    def wait(execution: Execution, has_turn: Callable[[], bool], talker: Talker) -> Talker:
        return WaitingTalker(
            talker, message=a_moment, has_turn=has_turn, clock=SystemClock(), longest_s=longest_s
        )

    return wait


async def test_who_finds_no_place_waits_for_their_turn(foyer: Foyer, tmp_path: Path) -> None:
    talked: list[str | None] = []
    hang_up = asyncio.Event()

    class UntilTold(Listener):
        async def talk(self, call: LiveCall) -> Talk:
            talked.append(call.execution.from_number)
            await hang_up.wait()
            await call.leg.hangup(HangupCause.AGENT)
            return await super().talk(call)

    async def prepare(execution: Execution) -> Talker:
        return UntilTold()

    await foyer.trunk()
    callers = [f"+1415555012{n}" for n in range(4)]
    folders = [tmp_path / caller for caller in callers]
    for folder in folders:
        folder.mkdir()
    async with foyer.open(prepare, capacity=1, wait=waiting(60), most_waiting=2) as receiving:
        async with AsyncExitStack() as stack:
            peers = []
            for number, (caller, folder) in enumerate(zip(callers[:3], folders, strict=False)):
                peer = calling("inbound_hung_up", folder, receiving.address, caller=caller)
                peers.append(await stack.enter_async_context(peer))
                await foyer.until(Status.IN_PROGRESS, count=number + 1)
            assert (talked, receiving.reception.calls) == (callers[:1], 3)
            last = folders[-1]
            await called("inbound_refused", last, receiving.address, caller=callers[-1], status=503)
            hang_up.set()
            for peer in peers:
                await peer.succeeded()
        assert talked == callers[:3], "first come, first served"
        await foyer.until(Status.COMPLETED, count=3)
        assert receiving.reception.calls == 0


async def test_who_waits_too_long_is_hung_up(foyer: Foyer, tmp_path: Path) -> None:
    await foyer.trunk()
    async with foyer.open(capacity=1, others=lambda: 1, wait=waiting(0.2), most_waiting=1) as receiving:
        await called("inbound_hung_up", tmp_path, receiving.address)
        record = await foyer.over()
    assert (record["status"], record["telephony_data"]["hangup_by"]) == ("completed", "API Request")
    assert record["error_message"] == "Nobody had time for the caller within 0.2 s"


async def test_who_hangs_up_while_waiting_makes_room(foyer: Foyer, tmp_path: Path) -> None:
    async def until_over(call: LiveCall) -> Prelude:
        while not isinstance(event := await call.leg.next_event(), Ended):
            pass
        return Prelude(None, {}, event, cast("Recorder", Silent()), (), 0, lambda: None)

    def wait(execution: Execution, has_turn: Callable[[], bool], talker: Talker) -> Talker:
        return WaitingTalker(talker, message=until_over, has_turn=has_turn, clock=SystemClock(), longest_s=60)

    await foyer.trunk()
    async with foyer.open(capacity=1, others=lambda: 1, wait=wait, most_waiting=1) as receiving:
        for count in (1, 2):
            await called("inbound", tmp_path, receiving.address)
            await foyer.until(Status.COMPLETED, count=count)
        records = await foyer.records()
    assert [one["telephony_data"]["hangup_by"] for one in records] == ["Caller", "Caller"]


async def test_what_the_carrier_vouches_for_is_the_caller(foyer: Foyer, tmp_path: Path) -> None:
    await foyer.trunk()
    vouched = "P-Asserted-Identity: <sip:14155550777@carrier.example;user=phone>"
    async with foyer.open() as receiving:
        await called("inbound", tmp_path, receiving.address, caller="anonymous", more=vouched)
        record = await foyer.over()
    assert record["telephony_data"]["from_number"] == "+14155550777"


async def test_a_withheld_number_is_nobodys(foyer: Foyer, tmp_path: Path) -> None:
    await foyer.trunk()
    async with foyer.open() as receiving:
        await called("inbound", tmp_path, receiving.address, caller="anonymous")
        record = await foyer.over()
    assert record["telephony_data"]["from_number"] is None
    assert record["user_number"] is None


async def test_calls_beyond_the_limit_of_a_number_are_refused(foyer: Foyer, tmp_path: Path) -> None:
    await foyer.trunk()
    await foyer.define(inbound_limit=1, whitelist_phone_numbers=["+14155550555"])
    async with foyer.open() as receiving:
        await called("inbound", tmp_path, receiving.address)
        await called("inbound_refused", tmp_path, receiving.address, status=603)
        for _ in range(2):
            await called("inbound", tmp_path, receiving.address, caller="+14155550555")
        await called("inbound", tmp_path, receiving.address, caller="+14155550888")
    assert len(await foyer.records()) == 4


async def test_known_callers_only(foyer: Foyer, tmp_path: Path) -> None:
    heard = []

    async def prepare(execution: Execution) -> Talker:
        heard.append(execution.recipient_data)
        return Listener()

    await foyer.trunk()
    source = {"source_type": "csv", "source_name": "june.csv"}
    await foyer.define(disallow_unknown_numbers=True, ingest=source)
    await foyer.callers.put(foyer.books.account_id, "june.csv", b"contact_number,name\n+14155550123,Ann\n")
    async with foyer.open(prepare) as receiving:
        await called("inbound_refused", tmp_path, receiving.address, caller="+14155550199", status=603)
        await called("inbound_refused", tmp_path, receiving.address, caller="anonymous", status=603)
        await called("inbound", tmp_path, receiving.address)
        record = await foyer.over()
    assert heard == [{"name": "Ann"}]
    assert record["context_details"]["recipient_data"] == {"name": "Ann"}
    assert len(await foyer.records()) == 1


async def test_an_empty_wallet_answers_nobody(foyer: Foyer, tmp_path: Path) -> None:
    await foyer.trunk()
    async with foyer.books.db.transaction() as tx:
        await tx.execute(
            "UPDATE wallets SET unlimited = FALSE, balance = 0 WHERE account_id = :account_id",
            account_id=foyer.books.account_id,
        )
    async with foyer.open() as receiving:
        await called("inbound_refused", tmp_path, receiving.address, status=480)
        record = await foyer.over()
    assert record["status"] == "balance-low"
    assert "wallet" in record["error_message"]
    assert await foyer.statuses(record["id"]) == ["queued", "balance-low"]


async def test_a_call_that_goes_on_too_long_after_the_stop_is_hung_up(foyer: Foyer, tmp_path: Path) -> None:
    await foyer.trunk()
    async with foyer.open(drain_s=0.2) as receiving:
        async with calling("inbound_hung_up", tmp_path, receiving.address) as peer:
            await foyer.until(Status.IN_PROGRESS)
            foyer.stopping.set()
            await peer.succeeded()
        record = await foyer.over()
    assert (record["status"], record["telephony_data"]["hangup_by"]) == ("completed", "API Request")


async def test_a_lost_call_is_hung_up_by_who_lost_it(foyer: Foyer, tmp_path: Path) -> None:
    await foyer.trunk()
    async with foyer.open(lease_s=1.2) as receiving:
        async with calling("inbound_hung_up", tmp_path, receiving.address) as peer:
            await foyer.until(Status.IN_PROGRESS)
            async with foyer.books.db.transaction() as tx:
                await tx.execute("UPDATE attempts SET lease_owner = 'another', lease_until = 1")
            await peer.succeeded()
        assert (await foyer.records())[0]["status"] == "in-progress", "somebody else closes it"


async def test_an_agent_that_breaks(foyer: Foyer, tmp_path: Path) -> None:
    class Fails:
        async def talk(self, call: LiveCall) -> Talk:
            raise RuntimeError("the talker fails")

    async def prepare(execution: Execution) -> Talker:
        return Fails()

    await foyer.trunk()
    async with foyer.open(prepare) as receiving:
        await called("inbound_hung_up", tmp_path, receiving.address)
        record = await foyer.over()
    assert (record["status"], record["telephony_data"]["hangup_by"]) == ("completed", "Error")
    assert isinstance(record["error_message"], str)
