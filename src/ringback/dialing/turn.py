"""One account's turn in a claim: what it may dial now, lane by lane, in one transaction."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass
from typing import Final

from ringback.dialing.breaker import Breaker, trips
from ringback.dialing.claims import Asked, Claim
from ringback.dialing.judging import Judging
from ringback.dialing.limits import Bound, Defaults, Lane, Usage, shares
from ringback.dialing.rooms import Rooms
from ringback.dialing.verdicts import Dial
from ringback.executions.lifecycle import Status
from ringback.executions.record import Execution
from ringback.store.database import Row, Transaction
from ringback.store.queries import gates, queue

logger = logging.getLogger(__name__)

_LANES: Final = 64
_MOST_PUT_OFF: Final = 500
"""In one transaction, about. A batch of a million whose hours are over must not need a million claims."""
_AT_ONCE: Final = 50
"""So many are judged and written in one go where none may be dialled: the same process moves audio every 20 ms."""
_WAIT_US: Final = 100_000
"""Shortest wait for dials that others have claimed and not yet reserved."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for every claim of a worker."""

    owner: str
    lease_us: int
    trunk: str
    defaults: Defaults
    breaker: Breaker


@dataclass(slots=True)
class _Open:
    """A lane in this turn."""

    gate: Row
    lane: Lane
    due: bool = True
    """As far as we know there is more in it."""
    served: bool = False
    shut: bool = False
    """Nobody of those that were looked at may be called now: more are looked at in one go."""


class Turn:
    """Use `serve` once; then the rest says what came of it."""

    def __init__(self, tx: Transaction, account_id: str, rules: Rules, judging: Judging, now_us: int) -> None:
        self._tx = tx
        self._account_id = account_id
        self._rules = rules
        self._judging = judging
        self._now_us = now_us
        self.claims: list[Claim] = []
        self.put_off = 0
        """Calls that were due and may not be made now, or ever."""
        self.more = False
        """There may be more to claim at once."""
        self.trunk_is_full = False
        self._limited = False
        """Its calls take slots of the account, of which there are not any number."""
        self._rooms = Rooms({}, now_us, rules.trunk, own=False)
        self.look_us: int | None = None
        """When a rate may allow more."""

    async def serve(self, most: int) -> None:
        """Claim up to `most` attempts."""
        gate = await gates.lock(self._tx, self._account_id, "account")
        if (
            gate is None
            or gate["closed"]
            or gate["next_due_at"] is None
            or gate["next_due_at"] > self._now_us
        ):
            return  # another worker was faster
        slots = await gates.slots(self._tx, self._account_id)
        account = self._account(gate, slots)
        self._rooms = await Rooms.of(self._tx, self._account_id, self._rules.trunk, self._now_us)
        bounds = (account, *self._rooms.bounds.values())
        free = min(most, account.free, account.in_time(self._now_us), self._rooms.most)
        self.trunk_is_full = self._rooms.shared_is_full
        if free <= 0:
            self._look_again(*bounds)
            await gates.account_served(self._tx, self._account_id, now_us=self._now_us)
            return
        self._limited = account.max_calls is not None
        lanes = await self._lanes()
        await self._fill(free, lanes, Counter(_by(slots, "lane")), Counter(_by(slots, "agent_id")))
        blocked = len(lanes) == _LANES and len(self.claims) < free
        await self._hints([lane for lane in lanes if lane.served or blocked])
        self.more = bool(len(self.claims) >= most or self.put_off or len(lanes) == _LANES)
        if len(self.claims) == free < most or self._rooms.full:
            self._look_again(*bounds)

    def _account(self, gate: Row, slots: list[Row]) -> Bound:
        defaults = self._rules.defaults
        return Bound(
            defaults.account_calls if gate["max_calls"] is None else gate["max_calls"],
            sum(row["n"] for row in slots),
            defaults.account_interval_us if gate["interval_us"] is None else gate["interval_us"],
            gate["tat_us"],
            sum(row["n"] for row in slots if row["state"] == "claimed"),
        )

    def _look_again(self, *bounds: Bound) -> None:
        """Claims of others become dials without a wake-up, and dials move the moment of the next look."""
        waits = [bound.interval_us for bound in bounds if bound.interval_us is not None]
        if waits:
            self.look_us = self._now_us + max(_WAIT_US, *waits)

    async def _lanes(self) -> list[_Open]:
        """Those with something due, least recently served first."""
        lanes = []
        for gate in await gates.lanes_due(self._tx, self._account_id, now_us=self._now_us, limit=_LANES):
            if gate["kind"] == "batch" and await self._pause(gate):
                continue
            own = gate["max_calls"] if gate["kind"] == "batch" else None
            lanes.append(_Open(gate, Lane(gate["key"], gate["agent_id"] or "", own, gate["agent_calls"])))
        return lanes

    async def _pause(self, batch: Row) -> bool:
        """Close the gate of a batch whose last calls, since it was scheduled, went wrong; whether they did."""
        breaker = self._rules.breaker
        if not breaker.calls:
            return False
        ends = await queue.last_ends(
            self._tx, self._account_id, batch["key"], after_us=batch["opens_at"], limit=breaker.calls
        )
        why = trips([Status(status) for status in ends], breaker.calls, breaker.share)
        if why is None:
            return False
        logger.warning("batch %s is paused: %s", batch["key"], why)
        await gates.close(
            self._tx,
            self._account_id,
            "batch",
            batch["key"],
            how="paused",
            why=why,
            now_us=self._now_us,
        )
        return True

    async def _fill(self, free: int, lanes: list[_Open], calls: Counter[str], agents: Counter[str]) -> None:
        """Give every lane its share, and what one leaves to the others."""
        while free > 0 and self.put_off < _MOST_PUT_OFF:
            asking = {lane.lane.key: lane for lane in lanes if lane.due}
            given = shares(free, [lane.lane for lane in asking.values()], Usage(calls, agents))
            if not given:
                return
            for lane, share in given:
                claimed = await self._claim(asking[lane.key], share)
                free -= claimed
                calls[lane.key] += claimed
                agents[lane.agent_id] += claimed

    async def _claim(self, lane: _Open, share: int) -> int:
        limit = max(share, _AT_ONCE) if lane.shut else share
        rows = await queue.waiting(
            self._tx,
            self._account_id,
            lane.lane.key,
            now_us=self._now_us,
            after_seq=lane.gate["stopped_seq"],
            limit=limit,
            full=self._rooms.full,
        )
        fitting = self._rooms.fitting(rows)
        judged = await self._judging.judge(self._tx, self._account_id, fitting, share, self._now_us)
        limited = self._limited or lane.lane.is_limited
        claims = [
            _claim(row, execution, verdict, limited or self._rooms.is_limited(row["trunk"]))
            for row, execution, verdict in judged.dial
        ]
        self._rooms.take(row["trunk"] for row, _, _ in judged.dial)
        if claims:
            await queue.claim(
                self._tx,
                [claim.key for claim in claims],
                owner=self._rules.owner,
                now_us=self._now_us,
                until_us=self._now_us + self._rules.lease_us,
            )
        lane.due, lane.served, lane.shut = len(rows) == limit, True, not claims
        self.claims += claims
        self.put_off += judged.put_off
        return len(claims)

    async def _hints(self, lanes: list[_Open]) -> None:
        """Of lanes that had their turn, or were passed over because they are full: others come before them next."""
        for lane in lanes:
            await gates.lane_served(
                self._tx, self._account_id, lane.gate["kind"], lane.lane.key, now_us=self._now_us
            )
        await gates.account_served(self._tx, self._account_id, now_us=self._now_us)


def _claim(row: Row, execution: Execution, verdict: Dial, limited: bool) -> Claim:
    asked = Asked(execution, row["agent_id"], row["batch_id"], row["trunk"], row["seq"])
    return Claim(execution.account_id, execution.id, row["number"], verdict.closes_us, asked, limited)


def _by(slots: list[Row], column: str) -> Counter[str]:
    counted: Counter[str] = Counter()
    for row in slots:
        counted[row[column]] += row["n"]
    return counted
