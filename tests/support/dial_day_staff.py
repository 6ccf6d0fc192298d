"""The processes of a simulated day of dialling, made of the product's parts: call workers, an api, jobs."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ringback.billing.wallet import Wallets
from ringback.calls.call import Attempted, CallRefused, Talker
from ringback.dialing.batches import Batches
from ringback.dialing.breaker import Breaker
from ringback.dialing.call import Line
from ringback.dialing.claims import Claims
from ringback.dialing.dialler import Dialler
from ringback.dialing.do_not_call import DoNotCall
from ringback.dialing.intake import Intake
from ringback.dialing.jobs import Jobs
from ringback.dialing.queue import CallQueue
from ringback.dialing.reaper import Reaper
from ringback.dialing.sweep import Sweep
from ringback.dialing.taking import Taking
from ringback.executions.bulk import Bulk
from ringback.executions.ledger import Ledger
from ringback.executions.record import Execution
from ringback.executions.settlement import Book, Entry, EntryKind, enter
from ringback.store.queries import accounts, agents, gates, trunk_gates, wallets, webhook_endpoints
from tests.support.after_call import pipeline
from tests.support.dial_day_plan import DayPlan, Upload
from tests.support.dial_day_webhooks import URL
from tests.support.dial_listener import DialListener
from tests.support.loop_database import LoopDatabase, LoopStore
from tests.support.simulated_network import Network, SimulatedTrunk
from tests.support.simulated_process import Peril, Process, SimulatedClock, SimulatedWakeup

PROVIDER: Final = "sip-trunk"
FROM: Final = "+14155550100"
UNKNOWN_S: Final = 76.0
"""Beyond what a call without a worker can last: a ringing of 40 s, and an answer repeated for 32 s."""
_URL: Final = "https://ringback.example"


@dataclass
class Surroundings:
    """What all processes share."""

    plan: DayPlan
    store: LoopStore
    folder: Path
    network: Network
    chance: random.Random
    now_us: Callable[[], int]
    processes: Callable[[], list[Process]]
    prepared: int = 0
    """Calls so far."""

    def clock(self, process: Process) -> SimulatedClock:
        return SimulatedClock(process, self.now_us)

    def wakeup(self, process: Process) -> SimulatedWakeup:
        return SimulatedWakeup(process, self.processes, self.chance)


def worker(around: Surroundings, process: Process) -> Dialler:
    """As `app.worker` makes one."""
    db, clock, wakeup = LoopDatabase(around.store, process), around.clock(process), around.wakeup(process)
    name = process.name
    ledger = Ledger(db, clock, _URL)
    after = pipeline(db, ledger, around.folder)

    async def after_call(claim: Attempted) -> None:
        await after.complete(claim.account_id, claim.execution_id, claim.number, name)

    async def prepare(execution: Execution) -> Talker:
        around.prepared += 1
        if (held_s := around.plan.held.get(around.prepared)) is not None:
            process.stop(held_s)
        await clock.sleep(around.chance.uniform(0, 0.3))
        if around.chance.random() < around.plan.refusals:
            raise CallRefused("The agent cannot be made ready")
        return DialListener(ledger, name, around.chance.choice((3, 20)))

    line = Line(
        claims=Claims(db, ledger, clock, name),
        taking=Taking(db, ledger, clock, name, breaker=Breaker(around.plan.breaker_calls, 0.8)),
        reaper=Reaper(db, ledger, clock, name, unknown_s=UNKNOWN_S, wakeup=wakeup),
        ledger=ledger,
        carrier=SimulatedTrunk(around.network, process),
        clock=clock,
        prepare=prepare,
        after_call=after_call,
        ring_timeout_s=around.chance.choice((15.0, 30.0)),
    )
    return Dialler(line, wakeup, capacity=around.plan.capacity, drain_s=20)


class Office:
    """What the api does, and the jobs beside it."""

    def __init__(self, around: Surroundings, process: Process) -> None:
        db, clock, wakeup = LoopDatabase(around.store, process), around.clock(process), around.wakeup(process)
        self.process = process
        self.db = db
        ledger = Ledger(db, clock, _URL)
        bulk = Bulk(ledger)
        sweep = Sweep(db, bulk, clock)
        self.queue = CallQueue(db, ledger, wakeup, provider=PROVIDER, from_numbers=[FROM])
        self.batches = Batches(db, clock, wakeup, self.queue, sweep, "here")
        self.do_not_call = DoNotCall(db, clock)
        self.wallets = Wallets(db, clock)
        self.jobs = Jobs(
            db,
            clock,
            wakeup,
            Intake(db, bulk, clock, provider=PROVIDER),
            sweep,
            self.batches.settle_all,
            machine="here",
            uploads=around.folder,
        )


async def settle_in(around: Surroundings) -> None:
    """Accounts, agents and limits, as the plan has them."""
    plan = around.plan
    nobody = Process("nobody", Peril(), random.Random(0))
    async with LoopDatabase(around.store, nobody).transaction() as tx:
        for account in plan.accounts:
            await accounts.insert(tx, account_id=account.id, name=account.id, now_us=around.now_us())
            limits = {"max_calls": account.max_calls, "interval_us": account.interval_us}
            await gates.set_limits(tx, account.id, "account", "", **limits)
            if account.wallet is not None:
                paid = Entry(EntryKind.TOP_UP, Book.CASH, Book.WALLET, account.wallet)
                await enter(tx, account.id, [paid], around.now_us())
                await wallets.set_unlimited(tx, account.id, False)
        for agent in plan.agents:
            hours = agent.window and dict(
                zip(("call_start_hour", "call_end_hour"), agent.window, strict=True)
            )
            await agents.insert(
                tx,
                account_id=agent.account,
                agent_id=agent.id,
                definition=json.dumps({"calling_guardrails": hours}),
                prompts="{}",
                status="processed",
                now_us=1,
                webhook_url=URL,
            )
            await webhook_endpoints.ensure(tx, agent.account, URL, secret="whsec_AAAA", now_us=1)
            await gates.set_limits(
                tx, agent.account, "agent", agent.id, max_calls=agent.max_calls, interval_us=None
            )
        for deed in plan.deeds:
            if isinstance(deed, Upload):
                await gates.set_limits(
                    tx,
                    deed.agent.account,
                    "batch",
                    deed.batch,
                    max_calls=deed.max_calls,
                    interval_us=None,
                )
        max_calls, interval_us = plan.trunk
        await trunk_gates.set_limits(tx, PROVIDER, max_calls=max_calls, interval_us=interval_us)
