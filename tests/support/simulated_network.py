"""The telephone network as the workers of a simulated installation see it: it loses, delays, repeats and reorders.

Who is called does as chance has it. What happens is written down as the sink of the crash test does
(benchmarks/crash/sink.py), for the same checker.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any, Final

from ringback.media.frame import SILENCE, Frame
from ringback.media.leg import (
    Answered,
    DialRequest,
    EarlyMedia,
    Ended,
    EndedBy,
    HangupCause,
    LegEvent,
    Outcome,
    Referred,
    Ringing,
)
from tests.support.simulated_process import Process

BUSY: Final = Ended(Outcome.BUSY, EndedBy.CARRIER, "Call recipient was busy", 3010, 486, "The line was busy.")
UNANSWERED: Final = Ended(
    Outcome.NO_ANSWER, EndedBy.CARRIER, "Call unanswered", 3000, 480, "Nobody answered in time."
)
REFUSED: Final = Ended(Outcome.FAILED, EndedBy.CARRIER, "Call failed", 3020, 503, "The carrier refused.")
SILENT: Final = Ended(Outcome.FAILED, EndedBy.CARRIER, "Call failed", 3020, None, "Nothing came back.")
BROKEN: Final = Ended(Outcome.ERROR, EndedBy.ERROR, "No port is free", 3110, None, "No port was free.")
CANCELED: Final = Ended(Outcome.CANCELED, EndedBy.US, "Call canceled", 4000, 487)
BY_PERSON: Final = Ended(Outcome.HUNG_UP, EndedBy.PEER, "Normal Hangup", 4000)
BY_US: Final = Ended(Outcome.HUNG_UP, EndedBy.US, "Normal Hangup", 4000)

RINGS_AT_MOST_S: Final = 40.0
"""Then the network ends it."""
UNACKNOWLEDGED_S: Final = 32.0
"""So long an answer is repeated."""

_KINDS: Final = {
    "answers": 45,
    "busy": 20,
    "unanswered": 15,
    "refused": 8,
    "silent": 6,
    "dropped": 3,
    "broken": 3,
}
_NOBODY: Final[Mapping[int, float]] = {}


class Network:
    """`rows` is all that happened."""

    def __init__(
        self, chance: random.Random, now_us: Callable[[], int], held: Mapping[int, float] = _NOBODY
    ) -> None:
        """`held`: the worker that asks for the n-th Call-ID stands still for so many seconds before it dials."""
        self.held = held
        self.asked = 0
        self.rows: list[dict[str, Any]] = []
        self.open: set[NetworkLeg] = set()
        """Whom the network still has on the line."""
        self.chance = chance
        self.dials = 0
        self.told: Callable[[int, NetworkLeg], None] = lambda dial, leg: None
        """Of each dial, by its number."""
        self._now_us = now_us
        self._numbers = count(1)

    def write(self, event: str, leg: NetworkLeg, **more: Any) -> None:
        seen = {"call_id": leg.call_id, "tag": str(leg.id), "number": leg.number}
        self.rows.append({"at": self._now_us(), "event": event, **seen, **more})

    def new_number(self) -> int:
        return next(self._numbers)


class SimulatedTrunk:
    """Implements `media.leg.Carrier` for one process."""

    name = "sip-trunk"

    def __init__(self, network: Network, process: Process) -> None:
        self._network = network
        self._process = process

    def new_call_id(self) -> str:
        self._network.asked += 1
        if (held_s := self._network.held.get(self._network.asked)) is not None:
            self._process.held_s = held_s
        return f"{self._process.name}-{self._network.new_number()}"

    async def dial(self, request: DialRequest) -> NetworkLeg:
        self._process.live()
        leg = NetworkLeg(self._network, self._process, request)
        leg.begin()
        self._network.dials += 1
        self._network.told(self._network.dials, leg)
        return leg


class NetworkLeg:
    """Implements `media.leg.Leg`: one call, at both its ends."""

    def __init__(self, network: Network, process: Process, request: DialRequest) -> None:
        self.id = network.new_number()
        self.call_id = request.call_id
        self.number = request.to_number
        self._network = network
        self._chance = network.chance
        self.process = process
        self._request = request
        self._events: asyncio.Queue[LegEvent] = asyncio.Queue()
        self._final: int | None = None
        self._answered = False
        """As far as the worker knows."""
        self._over = False
        self._ended = False

    # The worker's end.

    async def next_event(self) -> LegEvent:
        event = await self._events.get()
        await self.process.go_on()
        return event

    def read_frame(self) -> Frame:
        return SILENCE

    def write_frame(self, frame: Frame) -> None:
        pass

    def send_digits(self, keys: str) -> None:
        pass

    async def hangup(self, cause: HangupCause) -> None:
        if self.process.dead.is_set() or self._ended:
            return
        self._ended = True
        self._later(self._delay(), self._finish, "caller")
        # What the worker hears of it comes after what the network does.
        self._later(self._delay() + 0.5, self._events.put_nowait, BY_US if self._answered else CANCELED)

    async def refer(self, target: str) -> None:
        self._events.put_nowait(Referred(501, final=True))

    # The network's end.

    def begin(self) -> None:
        kind = self._chance.choices(list(_KINDS), list(_KINDS.values()))[0]
        if kind == "broken" or not self._request.in_time():
            self._end(BROKEN if kind == "broken" else SILENT, wire=False)
            self._network.write("dropped", self)
            return
        self._network.write("dropped" if kind == "dropped" else "invite", self)
        if kind != "dropped":
            self._network.open.add(self)
        match kind:
            case "busy":
                self._later(self._delay() * 5, self._refuse, 486, BUSY)
            case "refused":
                self._later(self._delay(), self._refuse, 503, REFUSED)
            case "silent" | "dropped":
                self._later(UNACKNOWLEDGED_S, self._end, SILENT)
            case "answers":
                self._ring()
                self._later(self._chance.uniform(0, 20), self._answer)
            case _:
                self._ring()
        self._later(self._request.ring_timeout_s, self._time_out)
        self._later(RINGS_AT_MOST_S, self._refuse, 480, UNANSWERED)

    def _ring(self) -> None:
        """A 180 may be lost, repeated, or overtaken by the answer."""
        for _ in range(self._chance.choice((0, 1, 1, 1, 2))):
            event = Ringing() if self._chance.random() < 0.9 else EarlyMedia()
            self._later(self._delay() * self._chance.choice((1, 1, 40)), self._tell, event)

    def _answer(self) -> None:
        if self._over or self._final is not None:
            return
        self._final = 200
        self._network.write("final", self, status=200)
        if self.process.dead.is_set() or self.process.stopped_s > UNACKNOWLEDGED_S:
            self._later(UNACKNOWLEDGED_S, self._end, BY_PERSON)
        else:
            self._later(self._chance.choice((0.5, 5, 40)), self._end, BY_PERSON)
        self._later(self._delay(), self._tell, Answered())

    def _refuse(self, status: int, ended: Ended) -> None:
        if self._final is None and not self._over:
            self._final = status
            self._network.write("final", self, status=status)
            self._end(ended)

    def _time_out(self) -> None:
        """The worker's own timer: a dead one has none, a stopped one comes late."""
        if self.process.dead.is_set() or self._final is not None or self._over:
            return
        if wait_s := self.process.stopped_s:
            self._later(wait_s, self._time_out)
        else:
            self._end(UNANSWERED)

    def _tell(self, event: LegEvent) -> None:
        if not self._ended:
            self._answered = self._answered or isinstance(event, Answered)
            self._events.put_nowait(event)

    def _end(self, ended: Ended, *, wire: bool = True) -> None:
        if wire:
            self._finish("callee" if ended.by is EndedBy.PEER else "network")
        if not self._ended:
            self._ended = True
            self._later(self._delay(), self._events.put_nowait, ended)

    def _finish(self, by: str) -> None:
        if not self._over:
            self._over = True
            if self in self._network.open:
                self._network.open.remove(self)
                self._network.write("over", self, by=by)

    def _delay(self) -> float:
        return self._chance.uniform(0.005, 0.4)

    def _later(self, seconds: float, act: Callable[..., None], *args: Any) -> None:
        asyncio.get_running_loop().call_later(seconds, act, *args)
