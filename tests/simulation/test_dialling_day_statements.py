"""One small day, again and again: each time a process dies before, or after, another of its statements.

`RINGBACK_STATEMENT="123 after" pytest tests/simulation/test_dialling_day_statements.py` plays one of them.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support.dial_day_plan import (
    Account,
    Agent,
    DayPlan,
    Forbid,
    Person,
    Place,
    Schedule,
    StopSome,
    Upload,
)
from tests.support.dial_days import BadDay, lived, play_all

STATEMENT = os.environ.get("RINGBACK_STATEMENT")
RETRY = {
    "enabled": True,
    "max_retries": 1,
    "retry_on_statuses": ["busy", "no-answer", "failed", "error"],
    "retry_intervals_minutes": [1],
}
# A minute before it is nine in Berlin, where the hours of the batch begin.
START_US = round(datetime(2026, 6, 1, 6, 59, tzinfo=UTC).timestamp()) * 1_000_000


def day(where: tuple[int, str] | None) -> DayPlan:
    """Three lines, a call alone that is stopped, somebody who is not to be called; dead at a statement or not."""
    agent = Agent("account", "agent", (9, 17), 2)
    content = b"contact_number,timezone\n+493055500,\n+493055501,\n+493055502,\n"
    return DayPlan(
        seed=7,
        start_us=START_US,
        accounts=(Account("account", 2, 200_000),),
        agents=(agent,),
        deeds=(
            Upload(0, agent, f"{1:032x}", content, RETRY),
            Schedule(1, agent, f"{1:032x}", 0),
            Forbid(2, "account", "+493055502"),
            Place(3, agent, Person("+493055503"), None, None, True),
            StopSome(20, 1),
        ),
        kills=(where,) if where else (),
        workers=2,
        refusals=0.0,
    )


def test_a_death_at_any_statement_changes_nothing(template: Path) -> None:
    undisturbed = lived(day(None), template)
    assert not undisturbed.wrong
    assert undisturbed.dials > 3
    deaths = [(n, side) for n in range(1, undisturbed.statements + 1) for side in ("before", "after")]
    if STATEMENT:
        n, side = STATEMENT.split()
        deaths = [(int(n), side)]
    try:
        happened = play_all(day, deaths, template)
    except BadDay as bad:
        (n, side), what = bad.args
        replay = f'RINGBACK_STATEMENT="{n} {side}" python -m pytest {os.path.relpath(__file__)}'
        pytest.fail(f"killed {side} statement {n}:\n{what}\nreplay: {replay}")
    killed = happened["kills of a worker"] + happened["kills of the api"]
    assert killed == len(deaths)
