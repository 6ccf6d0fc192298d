"""Trunks of accounts over the wire, with sipp as the carrier: registered, asked how they are, called by."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from ringback.accounts.accounts import Accounts
from ringback.app.carriers import Carriers
from ringback.app.keeping import Keeper
from ringback.calls.call import LiveCall, Talk, Talker
from ringback.clock import SystemClock
from ringback.executions.record import Execution
from ringback.media.leg import Answered, DialRequest, Ended, HangupCause, Leg, Outcome, Ringing
from ringback.media.rtp_stream import PortRange
from ringback.store.database import Database
from ringback.store.wakeup import TRUNKS, Wakeup, open_wakeup
from ringback.telephony.no_trunk import NoTrunk
from ringback.telephony.sip.endpoint import Endpoint
from ringback.trunks.gateway import Gateway
from ringback.trunks.numbers import NewNumber, Numbers
from ringback.trunks.secrecy import Secrecy
from ringback.trunks.trunk import Trunk, TrunkFields
from ringback.trunks.trunks import Trunks
from tests.support.exchange import open_exchange
from tests.support.needs import needs
from tests.support.sipp import free_udp_ports, run_sipp
from tests.support.telephone import expect

pytestmark = [pytest.mark.realtime, needs("sipp")]

RTP_PORTS = PortRange(31000, 31999)


@dataclass
class House:
    """An installation with one account."""

    db: Database
    account: str
    trunks: Trunks
    numbers: Numbers
    wakeup: Wakeup
    endpoint: Endpoint

    async def trunk(self, *ports: int, **fields: object) -> Trunk:
        """With a gateway at each of these ports, the first one first."""
        given: dict[str, object] = {
            "name": "carrier",
            "provider": "sipp",
            "auth_type": "userpass",
            "auth_username": "joe",
            "auth_password": "open sesame",
            "gateways": tuple(Gateway("127.0.0.1", port, place) for place, port in enumerate(ports)),
            "qualify_frequency": 0,
        }
        numbers = [NewNumber("15550100")]
        return await self.trunks.create(self.account, TrunkFields(**(given | fields)), numbers)  # type: ignore[arg-type]

    @asynccontextmanager
    async def kept(
        self, owner: str = "one", endpoint: Endpoint | None = None
    ) -> AsyncIterator[asyncio.Event]:
        """A worker keeps the trunks until it is told to stop."""
        stopping = asyncio.Event()
        keeper = Keeper(
            self.trunks,
            endpoint or self.endpoint,
            self.wakeup,
            SystemClock(),
            owner,
            lease_s=1.0,
            look_s=0.2,
        )
        running = asyncio.create_task(keeper.run(stopping))
        try:
            yield stopping
        finally:
            stopping.set()
            async with asyncio.timeout(5):
                await running

    async def until(self, trunk: Trunk, is_so: Callable[[Trunk], bool]) -> Trunk:
        async with asyncio.timeout(15):
            while True:
                now = await self.trunks.get(self.account, trunk.id)
                if is_so(now):
                    return now
                await asyncio.sleep(0.05)

    async def dial(self, trunk: Trunk, to: str = "+15550199") -> Leg:
        carrier = Carriers(self.endpoint, NoTrunk(), self.trunks, self.numbers)
        return await carrier.dial(
            DialRequest(carrier.new_call_id(), to, "+15550100", account_id=self.account, trunk_id=trunk.id)
        )


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> AsyncIterator[House]:
    clock = SystemClock()
    account = await Accounts(database, clock).create("mine")
    endpoint = await Endpoint.open("127.0.0.1", 0, RTP_PORTS)
    wakeup = await open_wakeup(database, tmp_path)
    trunks = Trunks(database, clock, Secrecy.of_folder(tmp_path))
    yield House(database, account.id, trunks, Numbers(database, clock), wakeup, endpoint)
    await wakeup.close()
    await endpoint.close()


async def test_a_trunk_is_registered_and_let_go(house: House, tmp_path: Path) -> None:
    """Challenged, told to ask for longer, registered, and forgotten when its worker stops."""
    async with run_sipp("registrar", tmp_path, granted="360") as peer:
        trunk = await house.trunk(peer.port)
        async with house.kept():
            now = await house.until(trunk, lambda trunk: trunk.registration.state == "registered")
        await peer.succeeded()
    how = now.registration
    assert how.contact == f"127.0.0.1:{house.endpoint.address[1]}"
    assert how.until is not None
    assert 340 < how.until / 1e6 - SystemClock().now_us() / 1e6 < 361
    assert peer.logged() == ["expires 300", "expires 400", "expires 0"]


async def test_a_wrong_password_is_said(house: House, tmp_path: Path) -> None:
    async with run_sipp("registrar", tmp_path, granted="360") as peer:
        trunk = await house.trunk(peer.port, auth_password="guessed")
        async with house.kept():
            now = await house.until(trunk, lambda trunk: trunk.registration.state == "failing")
        await peer.succeeded()
    assert now.registration.code == 403
    assert "forbids" in (now.registration.error or "")
    assert "guessed" not in repr(now)


async def test_another_worker_takes_over(house: House, tmp_path: Path) -> None:
    """Of one that drains, at once; of one that is dead, when its lease is over. Never two at a time."""
    (tmp_path / "b").mkdir()
    (tmp_path / "c").mkdir()
    port = free_udp_ports()
    other = await Endpoint.open("127.0.0.1", 0, RTP_PORTS)
    theirs = f"127.0.0.1:{other.address[1]}"
    async with AsyncExitStack() as registrars:
        peer = await registrars.enter_async_context(run_sipp("registrar", tmp_path, port=port, granted="360"))
        trunk = await house.trunk(port)
        async with house.kept("one") as stopping:
            await house.until(trunk, lambda trunk: trunk.registration.state == "registered")
            async with house.kept("two", other):
                await asyncio.sleep(0.6)
                assert (await house.trunks.get(house.account, trunk.id)).registration.contact != theirs
                stopping.set()
                await peer.succeeded()
                again = run_sipp("registrar", tmp_path / "b", port=port, granted="360")
                peer = await registrars.enter_async_context(again)
                await house.until(trunk, lambda trunk: trunk.registration.contact == theirs)
        await peer.succeeded()
    async with house.db.transaction() as tx:
        await tx.execute(
            "UPDATE trunks SET lease_owner = 'dead', lease_until = :t", t=SystemClock().now_us() + 700_000
        )
    async with run_sipp("registrar", tmp_path / "c", port=port, granted="99") as third:
        async with house.kept("three"):
            await asyncio.sleep(0.3)
            [row] = await house.db.fetch_all("SELECT lease_owner FROM trunks")
            assert row["lease_owner"] == "dead"
            ours = f"127.0.0.1:{house.endpoint.address[1]}"
            await house.until(trunk, lambda trunk: trunk.registration.contact == ours)
        await third.succeeded()
    await other.close()


async def test_a_changed_trunk_is_registered_anew(house: House, tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    async with (
        run_sipp("registrar", tmp_path, granted="360") as first,
        run_sipp("registrar", tmp_path / "b", granted="360") as second,
        house.kept(),
    ):
        trunk = await house.trunk(first.port)
        await house.wakeup.notify(TRUNKS)
        await house.until(trunk, lambda trunk: trunk.registration.state == "registered")
        changed = {"gateways": (Gateway("127.0.0.1", second.port),)}
        assert (await house.trunks.change(house.account, trunk.id, changed)).registration.state is None
        await house.until(trunk, lambda trunk: trunk.registration.state == "registered")
        await first.succeeded()
        await house.trunks.change(house.account, trunk.id, {"is_active": False})
        await second.succeeded()


@pytest.mark.parametrize(("status", "state"), [("200", "up"), ("404", "up"), ("503", "down")])
async def test_a_gateway_is_asked_how_it_is(house: House, tmp_path: Path, status: str, state: str) -> None:
    async with run_sipp("options", tmp_path, status=status) as peer:
        trunk = await house.trunk(
            peer.port, auth_type="ip-based", ip_identifiers=("127.0.0.1",), qualify_frequency=60
        )
        async with house.kept():
            now = await house.until(trunk, lambda trunk: trunk.qualified[0].state != "unknown")
        await peer.succeeded()
    [how] = now.qualified
    assert (how.state, how.code) == (state, int(status))
    assert how.answer_us is not None
    assert 0 < how.answer_us < 4_000_000


async def test_a_gateway_that_says_nothing_is_down(house: House) -> None:
    fields = {"auth_type": "ip-based", "ip_identifiers": ("127.0.0.1",), "qualify_frequency": 60}
    trunk = await house.trunk(free_udp_ports(), **fields)
    async with house.kept():
        now = await house.until(trunk, lambda trunk: trunk.qualified[0].state == "down")
    assert now.qualified[0].code is None
    assert now.qualified[0].error is not None


async def test_a_call_goes_by_the_gateway_that_works(house: House, tmp_path: Path) -> None:
    """The first refuses, the second says nothing, the third takes it: one Call-ID, and one telephone that rings."""
    (tmp_path / "b").mkdir()
    async with (
        run_sipp("refuse", tmp_path, status="503") as first,
        run_sipp("answer", tmp_path / "b") as third,
    ):
        trunk = await house.trunk(first.port, free_udp_ports(), third.port, auth_type="userpass")
        leg = await house.dial(trunk)
        await expect(leg, Ringing)
        await expect(leg, Answered)
        await leg.hangup(HangupCause.NORMAL)
        assert (await expect(leg, Ended)).outcome is Outcome.HUNG_UP
        await first.succeeded()
        await third.succeeded()
    assert leg.call_id in first.logged()[0]


async def test_a_refusal_after_it_rang_is_final(house: House, tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    async with (
        run_sipp("reject", tmp_path, status="503", cause="31") as first,
        run_sipp("answer", tmp_path / "b") as second,
    ):
        leg = await house.dial(await house.trunk(first.port, second.port))
        await expect(leg, Ringing)
        assert (await expect(leg, Ended)).sip_code == 503
        await first.succeeded()


Spoil = Callable[[House, Trunk], Awaitable[object]]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda house, trunk: house.trunks.delete(house.account, trunk.id), "was deleted"),
        (
            lambda house, trunk: house.trunks.change(house.account, trunk.id, {"is_active": False}),
            "is turned off",
        ),
    ],
)
async def test_a_trunk_that_is_not_there_any_more(house: House, spoil: Spoil, said: str) -> None:
    trunk = await house.trunk(free_udp_ports())
    await spoil(house, trunk)
    ended = await expect(await house.dial(trunk), Ended)
    assert ended.outcome is Outcome.ERROR
    assert said in (ended.detail or "")


async def test_a_password_that_another_key_sealed(house: House, tmp_path: Path) -> None:
    """It says so wherever it is needed; other trunks go on."""
    trunk = await house.trunk(free_udp_ports())
    (tmp_path / "secret.key").unlink()
    house.trunks = Trunks(house.db, SystemClock(), Secrecy.of_folder(tmp_path))
    ended = await expect(await house.dial(trunk), Ended)
    assert "encrypted with another key" in (ended.detail or "")
    async with house.kept():
        now = await house.until(trunk, lambda trunk: trunk.registration.state == "failing")
    assert "encrypted with another key" in (now.registration.error or "")


async def nobody(execution: Execution) -> Talker:
    class Nobody:
        async def talk(self, call: LiveCall) -> Talk:
            raise AssertionError("nobody answers this call")

    return Nobody()


async def test_a_call_out_of_the_queue_leaves_by_the_trunk_of_its_number(
    house: House, tmp_path: Path
) -> None:
    """From POST /call's queue to the wire: the carrier's own spelling of our number, no plus, its codecs."""
    async with open_exchange(house.db, tmp_path) as exchange, run_sipp("asked", tmp_path) as peer:
        house.account = exchange.books.account_id
        trunk = await house.trunk(peer.port, outbound_leading_plus_enabled=False, allow="alaw")
        carrier = Carriers(house.endpoint, NoTrunk(), house.trunks, house.numbers)
        async with exchange.open(carrier, prepare=nobody):
            record = await exchange.over(await exchange.place("+15550199"))
        await peer.succeeded()
        attempt = await exchange.books.ledger.attempt(house.account, record["id"])
    telephony = record["telephony_data"]
    assert (record["status"], telephony["provider"], telephony["hosted_telephony"]) == (
        "busy",
        "sip-trunk",
        False,
    )
    assert telephony["from_number"] == "+15550100"
    assert attempt.trunk == trunk.id
    to, caller, audio = peer.logged()
    assert to.startswith("to 15550199@")
    assert caller.startswith("from 15550100@")
    assert audio == "audio 8 101"
