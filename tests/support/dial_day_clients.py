"""Clients on a simulated day of dialling: they do what is planned, and remember what they were told."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Callable
from contextvars import Context
from typing import Any, Final

from ringback.billing import wallet
from ringback.dialing.batches import NewBatch, NotRunning, UnknownBatch
from ringback.dialing.queue import NewCall, NotStoppable
from ringback.executions import counts
from ringback.executions.ledger import UnknownExecution
from tests.support.dial_day_plan import (
    Deed,
    Fold,
    Forbid,
    Place,
    Restart,
    S,
    Schedule,
    StopAgent,
    StopBatch,
    StopSome,
    TopUp,
    Upload,
)
from tests.support.dial_day_rules import Told
from tests.support.dial_day_staff import Office, Surroundings
from tests.support.simulated_network import NetworkLeg

_RESUMED: Final = 3
"""So often a client lets a paused batch go on; then it is stopped."""
_REFUSED: Final = (NotStoppable, NotRunning, UnknownBatch, UnknownExecution)


class Clients:
    """Whoever asks something of an api that died asks again."""

    def __init__(
        self, around: Surroundings, chance: random.Random, restart: Callable[[int], None], wrong: list[str]
    ) -> None:
        """`restart` ends a worker as by SIGTERM; `wrong` is told of answers that nobody should get."""
        self.told = Told()
        self.office: asyncio.Future[Office] = asyncio.get_running_loop().create_future()
        """The api, once there is one."""
        self.doing: set[asyncio.Task[None]] = set()
        self._around = around
        self._chance = chance
        self._restart = restart
        self._wrong = wrong
        self._uploaded: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._resumed: defaultdict[str, int] = defaultdict(int)
        around.network.told = self._hunt

    def begin(self, deed: Deed) -> None:
        # Whoever notices, it is not a process of the installation that does it.
        self.doing.add(asyncio.get_running_loop().create_task(self._do(deed), context=Context()))

    def resume(self) -> None:
        """Paused batches go on; but not for ever."""
        paused = self._around.store.rows(
            """
            SELECT b.id, b.agent_id, b.account_id, b.bypass_guardrails FROM gates g
            JOIN batches b ON b.account_id = g.account_id AND b.id = g.key
            WHERE g.closed = 'paused' AND b.state = 'scheduled'
            """
        )
        agents_by_id = {agent.id: agent for agent in self._around.plan.agents}
        for row in paused:
            agent, batch = agents_by_id[row["agent_id"]], row["id"]
            self._resumed[batch] += 1
            if self._resumed[batch] <= _RESUMED:
                deed: Deed = Schedule(0, agent, batch, 0, bool(row["bypass_guardrails"]))
            elif self._resumed[batch] == _RESUMED + 1:
                deed = StopBatch(0, agent, batch)
            else:
                continue
            self.begin(deed)

    async def _do(self, deed: Deed) -> None:
        if isinstance(deed, Restart):
            self._restart(deed.worker)
            return
        if isinstance(deed, Schedule | StopBatch):
            await self._uploaded[deed.batch].wait()
        while True:
            office = await self.office
            doing = office.process.start(self._ask(office, deed))
            await asyncio.wait({doing})
            if not office.process.dead.is_set():
                break
            if not doing.cancelled():
                doing.exception()  # nobody hears it
            if isinstance(deed, Place):
                return  # it may have been placed or not: who asks again would be calling twice
            await asyncio.sleep(0.1)
        try:
            doing.result()
        except _REFUSED:
            pass
        except Exception as error:
            self._wrong.append(f"{deed}: {error!r}")

    async def _ask(self, office: Office, deed: Deed) -> None:
        match deed:
            case Upload():
                await self._upload(office, deed)
            case Schedule(_, agent, batch, in_s, bypass):
                at_us = self._around.now_us() + round(in_s * S)
                await office.batches.schedule(agent.account, batch, at_us, bypass)
            case Place(_, agent, person, in_s, retry, bypass):
                call = NewCall(
                    agent.account,
                    agent.id,
                    person.number,
                    None,
                    scheduled_at_us=None if in_s is None else self._around.now_us() + round(in_s * S),
                    user_data={"timezone": person.zone} if person.zone else {},
                    retry_config=retry,
                    bypass_guardrails=bypass,
                )
                self.told.placed.append(await office.queue.place(call))
            case StopSome():
                await self._stop_some(office, deed.calls)
            case StopBatch(_, agent, batch, delete):
                await (office.batches.delete if delete else office.batches.stop)(agent.account, batch)
                self._are_stopped("batch_id = :key", batch)
            case StopAgent(_, agent):
                now_us = self._around.now_us()
                await office.batches.stop_agent(agent.account, agent.id)
                self._are_stopped("agent_id = :key AND seq < :now", agent.id, now=now_us)
            case Forbid(_, account, number):
                await office.do_not_call.put(account, number, "they asked")
                self.told.forbidden.append((account, number, self._around.now_us()))
            case TopUp(_, account, amount, limited):
                if limited is not None:
                    await (office.wallets.limit if limited else office.wallets.unlimit)(account)
                if amount:
                    await office.wallets.top_up(account, amount)
            case Fold():
                await counts.fold(office.db)
                await wallet.count(office.db)

    async def _upload(self, office: Office, deed: Upload) -> None:
        account_id = deed.agent.account
        (self._around.folder / f"{deed.batch}.csv").write_bytes(deed.content)
        if not self._around.store.rows("SELECT 1 FROM batches WHERE id = :id", id=deed.batch):
            async with office.db.transaction() as tx:
                new = NewBatch(
                    account_id=account_id,
                    id=deed.batch,
                    agent_id=deed.agent.id,
                    file_name="people.csv",
                    from_numbers=(),
                    retry_config=deed.retry,
                    webhook_url="https://client.example/hook",
                    dial_once=deed.dial_once,
                )
                await office.batches.create(tx, new)
        self.told.files[deed.batch] = deed.content
        await office.batches.wake()
        self._uploaded[deed.batch].set()

    async def _stop_some(self, office: Office, calls: int) -> None:
        rows = self._around.store.rows(
            """
            SELECT account_id, id FROM executions WHERE status IN ('prepared', 'scheduled', 'rescheduled', 'queued',
              'initiated', 'ringing', 'in-progress') ORDER BY seq, id
            """
        )
        for row in self._chance.sample(rows, min(calls, len(rows))):
            await self._stop(office, row)

    def _hunt(self, dial: int, leg: NetworkLeg) -> None:
        """A client stops a call while it rings, or wants to; its worker may hear of it late."""
        if (hunted := self._around.plan.hunted.get(dial)) is not None:
            work = self._stop_leg(leg, *hunted)
            self.doing.add(asyncio.get_running_loop().create_task(work, context=Context()))

    async def _stop_leg(self, leg: NetworkLeg, after_s: float, held_s: float) -> None:
        await asyncio.sleep(after_s)
        if held_s:
            leg.process.stop(held_s)
        rows = self._around.store.rows(
            "SELECT account_id, execution_id AS id FROM attempts WHERE call_id = :call_id",
            call_id=leg.call_id,
        )
        if not rows:
            return  # nobody knows of this dial: the rules will say so
        office = await self.office
        doing = office.process.start(self._stop(office, rows[0]))
        await asyncio.wait({doing})
        if not office.process.dead.is_set():
            doing.result()

    async def _stop(self, office: Office, row: dict[str, Any]) -> None:
        try:
            await office.queue.stop(row["account_id"], row["id"])
        except _REFUSED:
            return
        self.told.stopped.append((row["id"], self._around.now_us()))

    def _are_stopped(self, which: str, key: str, **more: int) -> None:
        rows = self._around.store.rows(f"SELECT id FROM executions WHERE {which}", key=key, **more)
        self.told.stopped += [(row["id"], self._around.now_us()) for row in rows]
