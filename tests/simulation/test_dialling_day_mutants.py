"""The simulated days can fail: each of these faults, put into the product, is found within a few of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ringback.dialing import judging, limits
from ringback.dialing.call import Call
from ringback.dialing.claims import Claims
from ringback.executions import bulk, ledger, lifecycle, retries
from ringback.executions.lifecycle import TERMINAL
from ringback.executions.record import AttemptState
from ringback.store.queries import gates, queue
from tests.support.dial_day_plan import DayPlan, draw
from tests.support.dial_days import lived

DAYS = 300

Mutate = Callable[[pytest.MonkeyPatch], None]


def an_intent_asks_nobody(patch: pytest.MonkeyPatch) -> None:
    """Neither whose lease it is nor what became of the call."""
    true = ledger.hold

    async def hold(tx: Any, *where: Any, lease_owner: Any = None, **more: Any) -> Any:
        return await true(tx, *where, **more)

    patch.setattr(ledger, "hold", hold)
    patch.setattr(lifecycle, "check", lambda current, to: None)


def gates_do_not_close(patch: pytest.MonkeyPatch) -> None:
    true = gates.share

    async def share(*args: Any, **more: Any) -> Any:
        return [{**row, "closed": None, "stopped_seq": 0} for row in await true(*args, **more)]

    patch.setattr(gates, "share", share)


def one_retry_more(patch: pytest.MonkeyPatch) -> None:
    true = retries.next_attempt
    patch.setattr(retries, "next_attempt", lambda execution, number, now: true(execution, number - 1, now))


def a_burst_of_three(patch: pytest.MonkeyPatch) -> None:
    true = limits.reserve

    def reserve(now_us: int, tats: Any) -> Any:
        _, new = true(now_us, tats)
        return max([now_us, *(tat - 2 * interval for tat, interval in tats)]), new

    patch.setattr(limits, "reserve", reserve)


def any_hour(patch: pytest.MonkeyPatch) -> None:
    true = judging.judge
    patch.setattr(judging, "judge", lambda execution, window, *more: true(execution, None, *more))


def a_lost_dial_frees_its_slot(patch: pytest.MonkeyPatch) -> None:
    true = ledger.left
    patch.setattr(ledger, "left", lambda to, attempt: true(to, {"slot_since": None, **attempt}))


def a_stop_while_it_rings_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    true = ledger.Ledger._again

    async def again(self: Any, tx: Any, held: Any, ended: Any) -> Any:
        return await true(
            self, tx, replace(held, attempt=replace(held.attempt, cancel_requested=False)), ended
        )

    patch.setattr(ledger.Ledger, "_again", again)


def nobody_is_forbidden(patch: pytest.MonkeyPatch) -> None:
    true = judging.judge

    async def forbidden(*args: Any) -> bool:
        return False

    patch.setattr(queue, "forbidden", forbidden)
    patch.setattr(judging, "judge", lambda execution, window, _, *more: true(execution, window, False, *more))


def a_dial_as_late_as_you_like(patch: pytest.MonkeyPatch) -> None:
    true = Claims.intend

    async def intend(*args: Any) -> Any:
        return replace(await true(*args), deadline_s=1e9)

    patch.setattr(Claims, "intend", intend)


def hints_are_not_lowered(patch: pytest.MonkeyPatch) -> None:
    """Where something waits for a moment."""
    true = gates._lower

    async def lower(tx: Any, gate: Any, due_us: int) -> None:
        if gate["next_due_at"] is None:
            await true(tx, gate, due_us)

    patch.setattr(gates, "_lower", lower)


def lost_dials_are_dialled_again(patch: pytest.MonkeyPatch) -> None:
    """As engines do that run a step anew."""
    true = queue.still_expired

    async def still_expired(tx: Any, key: Any, *, now_us: int) -> Any:
        found = await true(tx, key, now_us=now_us)
        if found is not None and found["state"] == AttemptState.DIALLING:
            await tx.execute(
                "UPDATE attempts SET state = 'claimed' WHERE account_id = :a AND execution_id = :e AND number = :n",
                a=key[0],
                e=key[1],
                n=key[2],
            )
            await tx.execute("UPDATE executions SET status = 'queued' WHERE id = :e", e=key[1])
            await queue.wait(tx, key)
        return None

    patch.setattr(queue, "still_expired", still_expired)


def cancelled_calls_are_dialled(patch: pytest.MonkeyPatch) -> None:
    async def dial(self: Any, intent: Any) -> bool:
        return True

    patch.setattr(Call, "_in_time", dial)


def an_intent_does_not_wait_for_the_disk(patch: pytest.MonkeyPatch) -> None:
    true = Claims.intend

    async def intend(self: Any, *args: Any) -> Any:
        patch.setattr(self, "_db", _Hasty(self._db))
        return await true(self, *args)

    patch.setattr(Claims, "intend", intend)


def an_end_settles_nothing(patch: pytest.MonkeyPatch) -> None:
    async def settle(*_: Any) -> None:
        pass

    patch.setattr(ledger, "settle", settle)


def a_lost_dial_stays_reserved(patch: pytest.MonkeyPatch) -> None:
    true = ledger.settle

    async def settle(tx: Any, attempt: Any, *more: Any) -> None:
        if attempt.state is not AttemptState.DIALLING or attempt.ringing_at is not None:
            await true(tx, attempt, *more)

    patch.setattr(ledger, "settle", settle)


def a_stopped_lane_is_told_nothing(patch: pytest.MonkeyPatch) -> None:
    async def told_all(*_: Any) -> bool:
        return False

    patch.setattr(bulk.outbox, "told_all", told_all)


def an_end_before_a_retry_is_told_as_the_retry(patch: pytest.MonkeyPatch) -> None:
    """One write for both, as before there were webhooks."""
    true = ledger.outbox.told

    async def told(tx: Any, execution: Any) -> bool:
        if execution.status in TERMINAL and execution.retry_config:
            return False
        return await true(tx, execution)

    patch.setattr(ledger.outbox, "told", told)


class _Hasty:
    def __init__(self, db: Any) -> None:
        self._db = db

    def transaction(self, **_: Any) -> Any:
        return self._db.transaction(durable=False)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)


MUTANTS: tuple[Mutate, ...] = (
    an_intent_asks_nobody,
    gates_do_not_close,
    one_retry_more,
    a_burst_of_three,
    any_hour,
    a_lost_dial_frees_its_slot,
    a_stop_while_it_rings_is_forgotten,
    nobody_is_forbidden,
    a_dial_as_late_as_you_like,
    hints_are_not_lowered,
    lost_dials_are_dialled_again,
    cancelled_calls_are_dialled,
    an_intent_does_not_wait_for_the_disk,
    an_end_settles_nothing,
    a_lost_dial_stays_reserved,
    a_stopped_lane_is_told_nothing,
    an_end_before_a_retry_is_told_as_the_retry,
)


def provoked(mutate: Mutate, day: DayPlan) -> DayPlan:
    """More of what the fault needs to be seen."""
    if mutate is a_dial_as_late_as_you_like:
        return replace(day, late=dict.fromkeys(range(1, 13), 45.0))
    if mutate is an_intent_does_not_wait_for_the_disk:
        return replace(day, power_cuts=tuple(range(150, 1200, 50)))
    return day


@pytest.mark.parametrize("mutate", MUTANTS)
def test_a_fault_is_found(mutate: Mutate, monkeypatch: pytest.MonkeyPatch, template: Path) -> None:
    mutate(monkeypatch)
    for seed in range(DAYS):
        report = lived(provoked(mutate, draw(seed)), template)
        if report.wrong:
            print(f"day {seed}: {report.wrong[0]}")
            return
    pytest.fail(f"nothing was wrong on {DAYS} days")
