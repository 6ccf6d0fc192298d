"""Who takes the calls to a worker: whose they are, whether they are taken, and their leases while they go on."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Protocol

from ringback.agents.registry import Agent, Agents, UnknownAgent
from ringback.calls.call import Talker
from ringback.executions.ledger import LeaseLost, UnknownExecution
from ringback.executions.lifecycle import IllegalTransition
from ringback.executions.record import Execution
from ringback.inbound.call import Caller, Desk, InboundCall
from ringback.inbound.callers import CallerDataError, Callers
from ringback.inbound.opening import Arrival, Held, Opening, Refused
from ringback.inbound.party import Told, parties_of
from ringback.inbound.policy import Policy
from ringback.inbound.sources import Routed, Sources, Way
from ringback.media.leg import HangupCause
from ringback.store.database import Database, StoreError
from ringback.store.queries import inbound as inbound_queries
from ringback.store.queries import queue
from ringback.trunks.number import Number
from ringback.trunks.numbers import Numbers

logger = logging.getLogger(__name__)

_RENEW_S: Final = 5.0
_RETRY_AFTER_S: Final = 10
_MOST_AFTER: Final = 4
"""As many calls more than it has places may have work left after them."""
_HANGUP_S: Final = 45.0
"""How long a call that was hung up may take to its record: SIP gives up after 32 s."""
_LOOK_S: Final = 0.05
_MOVED_ON: Final = (LeaseLost, IllegalTransition, UnknownExecution)

Introduce = Callable[[Execution, str, Talker], Talker]
"""What comes before the agent of a call, by the `ivr_config` of its number (JSON)."""


Wait = Callable[[Execution, Callable[[], bool], Talker], Talker]
"""What a caller hears until there is time for them, which is asked for again and again."""


class Ringing(Routed, Told, Caller, Protocol):
    """A call to us, as the telephony gives it."""

    @property
    def call_id(self) -> str: ...


@dataclass(frozen=True, slots=True)
class House:
    """What a worker's reception works with."""

    db: Database
    sources: Sources
    numbers: Numbers
    agents: Agents
    callers: Callers
    opening: Opening
    desk: Desk
    introduce: Introduce
    lease_s: float
    wait: Wait | None = None
    """None: who finds no place is refused."""


class Reception:
    """Takes calls as long as there are places, and keeps what it has taken."""

    def __init__(
        self,
        house: House,
        *,
        capacity: int,
        drain_s: float,
        most_waiting: int = 0,
        admits: Callable[[], bool] = lambda: True,
        others: Callable[[], int] = lambda: 0,
        freed: Callable[[], None] = lambda: None,
    ) -> None:
        """`most_waiting`: so many more are answered, and wait (`House.wait`).

        `admits`: whether there is time for another call; `others`: how many this worker has that nobody took here.
        `freed` is called when a place is free again."""
        self._house = house
        self._capacity = capacity
        self._drain_s = drain_s
        self._most_waiting = most_waiting if house.wait is not None else 0
        self._admits = admits
        self._others = others
        self._freed = freed
        self._places: set[object] = set()
        """Of calls that are not over, those included that are looked at."""
        self._waiting: deque[object] = deque()
        """Of those that are answered, and wait for a place; the first is the next."""
        self._calls: dict[Held, InboundCall] = {}
        self._tasks: dict[Held, asyncio.Task[None]] = {}
        """Also the work after them."""

    @property
    def calls(self) -> int:
        """How many have a place, or wait for one."""
        return len(self._places) + len(self._waiting)

    async def run(self, stopping: asyncio.Event) -> None:
        """Keep the calls until `stopping`, then bring them to their end. Whoever stops sees that no more come."""
        keeping = asyncio.create_task(self._keep())
        try:
            await stopping.wait()
            await self._finish(self._drain_s)
            for call in tuple(self._calls.values()):
                await call.hang_up(HangupCause.CANCELED)
            await self._finish(_HANGUP_S)
        finally:
            for task in (keeping, *self._tasks.values()):
                task.cancel()
            await asyncio.gather(keeping, *self._tasks.values(), return_exceptions=True)

    async def receive(self, ringing: Ringing) -> None:
        """Take a call or refuse it. Returns once it is in the hands of a task of its own."""
        place = self._place()
        if place is None:
            ringing.reject(503, _RETRY_AFTER_S)
            return
        taken = False
        try:
            self._start(await self._opened(ringing, place), place)
            taken = True
        except Refused as reason:
            logger.info("call %s is refused with %d: %s", ringing.call_id, reason.status, reason)
            ringing.reject(reason.status)
        except StoreError as error:
            logger.error("call %s is refused, its record cannot be written: %s", ringing.call_id, error)
            ringing.reject(503, _RETRY_AFTER_S)
        finally:
            if not taken:
                self._leave(place)

    # Places.

    def _place(self) -> object | None:
        """A new one; None: there is neither room nor time."""
        if len(self._tasks) >= self._capacity * (1 + _MOST_AFTER) or not self._admits():
            return None
        place = object()
        if self.calls + self._others() < self._capacity:
            self._places.add(place)
        elif len(self._waiting) < self._most_waiting:
            self._waiting.append(place)
        else:
            return None
        return place

    def _has_turn(self, place: object) -> bool:
        """Whether a caller who waited has a place now: as soon as there is one for each of those before them too."""
        if place in self._waiting:
            before = self._waiting.index(place)
            if len(self._places) + self._others() + before < self._capacity:
                self._waiting.remove(place)
                self._places.add(place)
        return place in self._places

    def _leave(self, place: object) -> None:
        if place in self._waiting:
            self._waiting.remove(place)
        elif place in self._places:
            self._places.remove(place)
        else:
            return
        self._freed()

    # Whose it is.

    async def _opened(self, ringing: Ringing, place: object) -> InboundCall:
        """Raises Refused, StoreError."""
        house, arrived_us = self._house, self._house.desk.clock.now_us()
        parties = parties_of(ringing)
        way, number = await self._called(house.sources.ways(ringing), parties.called)
        agent = await self._agent(number)
        execution_id = str(uuid.uuid4())
        policy = Policy.of(agent.definition)
        data, note = await self._known(agent, policy, parties.caller, execution_id)
        menus = await inbound_queries.menus(house.db, number.account_id, number.id)
        execution = await house.opening.open(
            Arrival(
                account_id=number.account_id,
                execution_id=execution_id,
                agent_id=agent.id,
                call_id=ringing.call_id,
                caller=parties.caller,
                called=number.e164,
                provider=way.provider,
                hosted=way.hosted,
                data=data,
                limit=policy.limit_of(parties.caller),
                arrived_us=arrived_us,
                trunk_id=way.trunk[1] if way.trunk else None,
                note=note,
            )
        )
        introduced = partial(self._introduced, place, menus)
        return InboundCall(ringing, execution, house.desk, introduced, partial(self._leave, place))

    def _introduced(self, place: object, menus: str | None, execution: Execution, talker: Talker) -> Talker:
        if menus is not None:
            talker = self._house.introduce(execution, menus, talker)
        if self._house.wait is not None and not self._has_turn(place):
            talker = self._house.wait(execution, partial(self._has_turn, place), talker)
        return talker

    async def _called(self, ways: tuple[Way, ...], called: tuple[str, ...]) -> tuple[Way, Number]:
        """Where several accounts have named one carrier, whoever had the number first has the call."""
        if not ways:
            raise Refused(403, "its sender is no trunk's")
        for text in called:
            found = [(way, await self._house.numbers.called(text, trunk=way.trunk)) for way in ways]
            owned = [(way, number) for way, number in found if number is not None]
            if owned:
                way, number = min(owned, key=lambda pair: pair[1].created_at)
                if not way.is_open:
                    raise Refused(403, f"the trunk of {text} takes no calls (inbound_enabled)")
                return way, number
        raise Refused(404, f"nobody has the number {', '.join(called) or 'that was called'}")

    async def _agent(self, number: Number) -> Agent:
        if number.agent_id is None:
            raise Refused(480, f"no agent answers at {number.phone_number}")
        try:
            return await self._house.agents.get(number.account_id, number.agent_id)
        except UnknownAgent:
            raise Refused(480, f"the agent of {number.phone_number} does not exist any more") from None

    async def _known(
        self, agent: Agent, policy: Policy, caller: str | None, execution_id: str
    ) -> tuple[dict[str, Any], str | None]:
        """What is known of the caller, and a note for the log where it could not be found out."""
        data, note = None, None
        if policy.source is not None:
            try:
                data = await self._house.callers.look_up(
                    agent.account_id, policy.source, caller, agent_id=agent.id, execution_id=execution_id
                )
            except CallerDataError as error:
                note = str(error)
                logger.warning("a call to agent %s: %s", agent.id, note)
        if data is None and policy.known_only and not policy.trusts(caller):
            raise Refused(603, note or f"agent {agent.id} takes calls of known numbers only")
        return data or {}, note

    # While it goes on.

    def _start(self, call: InboundCall, place: object) -> None:
        task = asyncio.create_task(self._guarded(call.held, call.run()))
        self._calls[call.held], self._tasks[call.held] = call, task

        def forget(_: asyncio.Task[None]) -> None:
            self._calls.pop(call.held, None)
            self._tasks.pop(call.held, None)
            self._leave(place)

        task.add_done_callback(forget)

    async def _guarded(self, held: Held, work: Coroutine[Any, Any, None]) -> None:
        """What is left unfinished here loses its lease and is closed by whoever reaps it."""
        try:
            await work
        except _MOVED_ON as reason:
            logger.warning("call %s is not ours any more: %s", held.execution_id, reason)
        except StoreError as error:
            logger.error("the record of call %s could not be written: %s", held.execution_id, error)
        except Exception:
            logger.exception("call %s failed", held.execution_id)

    async def _finish(self, seconds: float) -> None:
        """Those included that are only looked at when it begins."""
        clock = self._house.desk.clock
        until_s = clock.monotonic() + seconds
        while self._tasks or self.calls:
            left_s = until_s - clock.monotonic()
            if left_s <= 0:
                return
            if self._tasks:
                await asyncio.wait(self._tasks.values(), timeout=left_s)
            else:
                await clock.sleep(min(left_s, _LOOK_S))

    async def _keep(self) -> None:
        clock = self._house.desk.clock
        while True:
            await clock.sleep(min(_RENEW_S, self._house.lease_s / 6))
            try:
                await self._renew()
            except StoreError as error:
                logger.error("%s", error)
            except Exception:
                logger.exception("leases could not be renewed; it is tried again")

    async def _renew(self) -> None:
        """What is not ours any more is hung up: somebody else closes its record."""
        # As of now: what is taken while the database answers is not in the answer.
        calls, keys = dict(self._calls), tuple(self._tasks)
        if not keys:
            return
        house = self._house
        owner = house.desk.owner
        until_us = house.desk.clock.now_us() + round(house.lease_s * 1_000_000)
        async with house.db.transaction() as tx:
            await queue.renew(tx, keys, owner=owner, until_us=until_us)
        rows = await queue.held(house.db, owner=owner)
        held = {Held(row["account_id"], row["execution_id"], row["number"]) for row in rows}
        for key in calls.keys() - held:
            if key in self._calls:
                await calls[key].hang_up(HangupCause.ERROR)
