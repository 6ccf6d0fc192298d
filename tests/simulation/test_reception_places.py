"""Random arrivals at a reception: never more calls than places, nobody is forgotten, nothing is left over."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest

from ringback.agents.definition import Definition
from ringback.agents.registry import Agent
from ringback.calls.call import Attempted, LiveCall, Talk, Talker
from ringback.calls.prelude import Prelude
from ringback.executions.ledger import Ledger
from ringback.executions.lifecycle import Status
from ringback.executions.opening import created
from ringback.executions.record import Execution, NewExecution
from ringback.inbound.call import Desk
from ringback.inbound.opening import Arrival, Refused
from ringback.inbound.reception import House, Reception
from ringback.inbound.sources import Way
from ringback.inbound.waiting import WaitingTalker
from ringback.media.leg import Answered, Ended, EndedBy, HangupCause, Leg, LegEvent, Outcome
from ringback.store.database import StoreError
from ringback.trunks.number import Number
from tests.support.virtual_loop import VirtualClock, run_virtually

OVER = Ended(Outcome.HUNG_UP, EndedBy.PEER, "Normal Hangup", 4000)
GIVEN_UP = Ended(Outcome.NO_ANSWER, EndedBy.CARRIER, "Call unanswered", 3000, 487)
NUMBER = Number("account", "number", None, "+14155550100", None, False, "agent", 0, 1, 1)
SEEDS = range(150)


class SimulatedLeg:
    """Of somebody who hangs up after a while, whatever is said."""

    call_id = "leg"

    def __init__(self) -> None:
        self.events: asyncio.Queue[LegEvent] = asyncio.Queue()
        self.over = False

    async def next_event(self) -> LegEvent:
        return await self.events.get()

    async def hangup(self, cause: HangupCause) -> None:
        self.end(OVER)

    def end(self, ended: Ended) -> None:
        if not self.over:
            self.over = True
            self.events.put_nowait(ended)


@dataclass
class Ringing:
    """One caller."""

    call_id: str
    patience_s: float
    """Until they hang up, whether they were answered or not."""
    way: tuple[str, ...] = ("192.0.2.1",)
    caller: str = "sip:+14155550123@carrier.example"
    called: str = "sip:+14155550100@192.0.2.1"
    callee: str = "sip:+14155550100@192.0.2.1"
    refused: int | None = None
    leg: SimulatedLeg = field(default_factory=SimulatedLeg)
    answered: bool = False
    talked: bool = False
    waited: bool = False

    def header(self, name: str) -> str | None:
        return None

    def ring(self) -> None:
        asyncio.get_running_loop().call_later(self.patience_s, self._gives_up)

    def _gives_up(self) -> None:
        self.leg.end(OVER if self.answered else GIVEN_UP)

    def reject(self, status: int = 603, retry_after_s: int | None = None) -> None:
        if not self.answered and self.refused is None and not self.leg.over:
            self.refused = status

    async def answer(self) -> Leg:
        if not self.leg.over:
            self.answered = True
            self.leg.events.put_nowait(Answered())
        return cast("Leg", self.leg)


class Silent:
    duration_ms = 0

    async def close(self) -> None: ...


@dataclass
class Day:
    """A worker, and those who call it."""

    rng: random.Random
    capacity: int
    most_waiting: int
    dialled: int = 0
    """Calls that the worker has besides."""
    talking: int = 0
    callers: dict[str, Ringing] = field(default_factory=dict)
    completed: list[str] = field(default_factory=list)

    async def lived(self) -> None:
        clock, stopping = VirtualClock(), asyncio.Event()
        desk = Desk(cast("Ledger", self), clock, "worker", self.prepare, self.after_call)
        house = House(
            *(cast("Any", self),) * 6, desk, lambda execution, menus, talker: talker, 3600, self.wait
        )
        reception = Reception(
            house,
            capacity=self.capacity,
            most_waiting=self.most_waiting,
            drain_s=400,
            admits=lambda: self.rng.random() > 0.05,
            others=lambda: self.dialled,
        )
        running = asyncio.create_task(reception.run(stopping))
        for number in range(40):
            await clock.sleep(self.rng.expovariate(0.5))
            self.dialled = self.rng.choice([0, 0, 0, 1]) if self.capacity > 1 else 0
            ringing = Ringing(str(number), self.rng.expovariate(self.rng.choice([0.05, 0.05, 0.05, 5])))
            self.callers[ringing.call_id] = ringing
            asyncio.get_running_loop().create_task(reception.receive(ringing))
            assert reception.calls <= self.capacity + self.most_waiting
        self.dialled = 0
        await clock.sleep(1)
        stopping.set()
        await running
        assert (reception.calls, self.talking) == (0, 0)
        for ringing in self.callers.values():
            assert ringing.refused is not None or ringing.leg.over, "everybody was told"
            assert ringing.talked <= ringing.answered
        assert len(set(self.completed)) == len(self.completed)

    # What the reception works with.

    clock = VirtualClock()

    def ways(self, call: object) -> tuple[Way, ...]:
        return (Way("sip-trunk"),)

    async def called(self, number: str, *, trunk: object) -> Number:
        return NUMBER

    async def get(self, account_id: str, agent_id: str) -> Agent:
        return Agent(account_id, agent_id, Definition({"tasks": []}, {}), "processed", 1, 1)

    async def fetch_one(self, sql: str, **values: object) -> None: ...

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Day]:
        yield self

    async def execute_many(self, sql: str, rows: object) -> None: ...

    async def fetch_all(self, sql: str, **values: object) -> list[dict[str, object]]:
        """What the worker holds: sometimes a call is not its own any more."""
        held = [one for one in self.callers if self.rng.random() > 0.002]
        return [{"account_id": "account", "execution_id": one, "number": 1} for one in held]

    async def open(self, arrival: Arrival) -> Execution:
        await asyncio.sleep(self.rng.random())
        match self.rng.randrange(12):
            case 0:
                raise Refused(603, "as often as it may")
            case 1:
                raise StoreError("away")
        new = NewExecution(
            "account",
            "agent",
            "+14155550100",
            arrival.caller,
            "sip-trunk",
            id=arrival.call_id,
            call_type="inbound",
        )
        return replace(created(new, 1, 1), status=Status.INITIATED)

    async def transition(self, account_id: str, execution_id: str, to: Status, **more: Any) -> Execution:
        await asyncio.sleep(self.rng.random() / 10)
        new = NewExecution(account_id, "agent", "+14155550100", None, "sip-trunk", id=execution_id)
        return replace(created(new, 1, 1), status=to)

    async def prepare(self, execution: Execution) -> Talker:
        await asyncio.sleep(self.rng.random() / 10)
        return self

    async def after_call(self, held: Attempted) -> None:
        await asyncio.sleep(self.rng.random() * 5)
        self.completed.append(held.execution_id)

    async def talk(self, call: LiveCall) -> Talk:
        self.callers[call.execution.id].talked = True
        self.talking += 1
        assert self.talking <= self.capacity
        try:
            while not isinstance(event := await call.leg.next_event(), Ended):
                pass
        finally:
            self.talking -= 1
        return Talk(event, 0)

    def wait(self, execution: Execution, has_turn: Callable[[], bool], talker: Talker) -> Talker:
        return WaitingTalker(
            talker, message=self.message, has_turn=has_turn, clock=VirtualClock(), longest_s=30
        )

    async def message(self, call: LiveCall) -> Prelude:
        self.callers[call.execution.id].waited = True
        await asyncio.sleep(3)
        leg = cast("SimulatedLeg", call.leg)
        ended = None
        if leg.over:
            ended = cast("Ended", await leg.next_event())
        return Prelude(None, {}, ended, cast("Any", Silent()), (), 0, lambda: None)


@pytest.mark.parametrize("seed", SEEDS)
def test_random_arrivals(seed: int) -> None:
    rng = random.Random(seed)
    day = Day(rng, capacity=rng.randint(1, 4), most_waiting=rng.randint(0, 3))
    run_virtually(day.lived())


def test_all_that_may_happen_does() -> None:
    """Otherwise the days prove nothing."""
    refused: set[int | None] = set()
    waited = seated = talked = given_up = 0
    for seed in SEEDS:
        rng = random.Random(seed)
        day = Day(rng, capacity=rng.randint(1, 4), most_waiting=rng.randint(0, 3))
        run_virtually(day.lived())
        for one in day.callers.values():
            refused.add(one.refused)
            talked += one.talked
            waited += one.waited and not one.talked
            seated += one.waited and one.talked
            given_up += one.refused is None and not one.answered
    assert refused >= {None, 503, 603}
    assert talked > 500
    assert waited > 50
    assert seated > 50
    assert given_up > 5
