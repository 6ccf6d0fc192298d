"""A carrier in memory: what happens on its legs is what a test says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import count

from ringback.media.frame import SILENCE, Frame
from ringback.media.leg import DialRequest, Ended, EndedBy, HangupCause, LegEvent, Outcome, Referred

NORMAL = Ended(Outcome.HUNG_UP, EndedBy.PEER, "Normal Hangup", 4000)
CANCELED = Ended(Outcome.CANCELED, EndedBy.US, "Call canceled", 4000, 487)


class SimulatedLeg:
    """Implements `media.leg.Leg`."""

    def __init__(self, call_id: str) -> None:
        self.call_id = call_id
        self.hangups: list[HangupCause] = []
        self._events: asyncio.Queue[LegEvent] = asyncio.Queue()
        self.over = False

    def give(self, *events: LegEvent) -> None:
        for event in events:
            self.over = self.over or isinstance(event, Ended)
            self._events.put_nowait(event)

    async def next_event(self) -> LegEvent:
        return await self._events.get()

    def read_frame(self) -> Frame:
        return SILENCE

    def write_frame(self, frame: Frame) -> None:
        pass

    def send_digits(self, keys: str) -> None:
        pass

    async def hangup(self, cause: HangupCause) -> None:
        if not self.over:
            self.hangups.append(cause)
            self.give(CANCELED if cause is HangupCause.CANCELED else NORMAL)

    async def refer(self, target: str) -> None:
        self.give(Referred(501, final=True))


class SimulatedCarrier:
    """Implements `media.leg.Carrier`. `on_dial` is told each new leg."""

    name = "simulated"

    def __init__(self, on_dial: Callable[[SimulatedLeg], None]) -> None:
        self.dialled: list[DialRequest] = []
        self.legs: list[SimulatedLeg] = []
        self._on_dial = on_dial
        self._numbers = count(1)

    def new_call_id(self) -> str:
        return f"call-{next(self._numbers)}"

    async def dial(self, request: DialRequest) -> SimulatedLeg:
        leg = SimulatedLeg(request.call_id)
        self.dialled.append(request)
        self.legs.append(leg)
        self._on_dial(leg)
        return leg
