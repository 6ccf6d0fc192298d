"""A call worker without speech: the product's dialler, claims, SIP and after-call work around a talker that listens."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import logging
import os
import signal
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.crash.pondering import NAMES, Pondering
from ringback.billing.reservation import Reservations
from ringback.calls.call import Attempted, Talker
from ringback.clock import SystemClock
from ringback.dialing.call import Line
from ringback.dialing.claims import Claims
from ringback.dialing.dialler import Dialler
from ringback.dialing.reaper import Reaper
from ringback.dialing.taking import Taken, Taking
from ringback.executions.ledger import Ledger
from ringback.executions.record import Execution
from ringback.media.leg import DialRequest, Ended, EndedBy, Outcome
from ringback.media.rtp_stream import PortRange
from ringback.net.addresses import Allowed
from ringback.net.client import GuardedClient
from ringback.store.database import Database, open_database
from ringback.store.wakeup import Wakeup, open_wakeup
from ringback.telephony.sip.carrier import SipCarrier, Trunk
from ringback.telephony.sip.endpoint import Endpoint
from ringback.webhooks.deliverer import Deliverer
from tests.support.after_call import pipeline
from tests.support.dial_listener import DialListener
from tests.support.simulated_carrier import SimulatedCarrier, SimulatedLeg

PUBLIC_URL: Final = "https://ringback.example"
PROVIDER: Final = "sip-trunk"
FROM: Final = "+14155550100"
_PR_SET_PDEATHSIG: Final = 1
_BUSY: Final = Ended(
    Outcome.BUSY, EndedBy.CARRIER, "Call recipient was busy", 3010, 486, "The line was busy."
)


@dataclass(frozen=True, slots=True)
class Post:
    """What a worker is told."""

    url: str
    folder: Path
    """Its log, the recordings and the sockets of the wake-ups are there."""
    sink_port: int
    capacity: int = 40
    lease_s: float = 30.0
    unknown_s: float = 240.0
    ring_timeout_s: float = 30.0
    talk_s: float = 0.5
    """After which a talker hangs up."""
    pondering_s: float = 0.0
    """How long each of the stages after a call may take that stand for a language model's; 0: there are none."""
    delivers: bool = False
    """Its webhooks are delivered by the same process, so that they die together."""
    busy: bool = False
    """Nobody is dialled at all: every call ends as busy at once."""
    stamps: bool = False
    """Write down when each claim began, in `claims-<index>.jsonl`."""


class Busy(SimulatedCarrier):
    """Everybody is busy before a packet leaves."""

    def __init__(self) -> None:
        super().__init__(lambda leg: leg.give(_BUSY))

    def new_call_id(self) -> str:
        return uuid.uuid4().hex

    async def dial(self, request: DialRequest) -> SimulatedLeg:
        leg = await super().dial(request)
        self.dialled.clear()
        self.legs.clear()
        return leg


def work(index: int, post: Post) -> None:
    """Be a worker until SIGTERM; the process's whole life. It dies with the process that started it."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    logging.basicConfig(
        filename=post.folder / f"worker-{index}.log",
        level=logging.INFO,
        format=f"%(asctime)s {os.getpid()} %(name)s %(message)s",
        force=True,
    )
    try:
        asyncio.run(_serve(index, post))
    except Exception:
        logging.exception("worker %d ended", index)


async def _serve(index: int, post: Post) -> None:
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    clock, name = SystemClock(), f"worker/{index}/{os.getpid()}/{os.urandom(4).hex()}"
    db = await open_database(post.url)
    wakeup = await open_wakeup(db, post.folder)
    endpoint = await Endpoint.open("127.0.0.1", 0, PortRange(20000, 59999))
    ledger = Ledger(db, clock, PUBLIC_URL)
    pondering = [Pondering(name, post.pondering_s) for name in NAMES] if post.pondering_s else ()
    after = pipeline(db, ledger, post.folder, *pondering)

    async def after_call(claim: Attempted) -> None:
        await after.complete(claim.account_id, claim.execution_id, claim.number, name)

    async def prepare(execution: Execution) -> Talker:
        return DialListener(ledger, name, post.talk_s)

    claims = Claims(db, ledger, clock, name, post.lease_s, reservations=Reservations(db, clock))
    taking = Taking(db, ledger, clock, name, lease_s=post.lease_s)
    reaper = Reaper(db, ledger, clock, name, lease_s=post.lease_s, unknown_s=post.unknown_s, wakeup=wakeup)
    if post.stamps:
        _stamp(taking, post.folder / f"claims-{index}.jsonl")
    trunk = SipCarrier(endpoint, Trunk("127.0.0.1", post.sink_port))
    line = Line(
        claims=claims,
        taking=taking,
        reaper=reaper,
        ledger=ledger,
        carrier=Busy() if post.busy else trunk,
        clock=clock,
        prepare=prepare,
        after_call=after_call,
        ring_timeout_s=post.ring_timeout_s,
    )
    async with _delivering(db, wakeup) if post.delivers else contextlib.nullcontext():
        await Dialler(line, wakeup, capacity=post.capacity, drain_s=20).run(stopping)
    await endpoint.close()
    await wakeup.close()
    await db.close()


@asynccontextmanager
async def _delivering(db: Database, wakeup: Wakeup) -> AsyncIterator[None]:
    client = GuardedClient(Allowed(["127.0.0.0/8"]))
    delivering = asyncio.create_task(Deliverer(db, SystemClock(), wakeup, client).run())
    try:
        yield
    finally:
        delivering.cancel()
        await asyncio.gather(delivering, return_exceptions=True)
        await client.close()


def _stamp(taking: Taking, path: Path) -> None:
    """Write down when each claim began: before the transaction that made it."""
    take, file = taking.take, path.open("a", buffering=1)

    async def stamped(room: int) -> Taken:
        began_us = SystemClock().now_us()
        taken = await take(room)
        for claim in taken.claims:
            file.write(json.dumps({"at": began_us, "execution_id": claim.execution_id}) + "\n")
        return taken

    taking.take = stamped  # type: ignore[method-assign]
