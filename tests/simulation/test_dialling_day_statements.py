"""One small day, again and again: each time a process dies before, or after, another of its statements.

Before the odd ones and after the even ones; all of both with `make simulate-days`, which sets RINGBACK_DAYS.
`RINGBACK_STATEMENT="20 123 after" pytest tests/simulation/test_dialling_day_statements.py` plays one of them.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support.dial_day_plan import (
    LONGEST_CALL,
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
from tests.support.dial_days import BadDay, apart, lived, play_all

STATEMENT = os.environ.get("RINGBACK_STATEMENT")
ALL = "RINGBACK_DAYS" in os.environ
RETRY = {
    "enabled": True,
    "max_retries": 1,
    "retry_on_statuses": ["busy", "no-answer", "failed", "error"],
    "retry_intervals_minutes": [0],
}
# Ten seconds before it is nine in Berlin, where the hours of the batch begin.
START_US = round(datetime(2026, 6, 1, 6, 59, 50, tzinfo=UTC).timestamp()) * 1_000_000


Death = tuple[int, int, str]
"""The seed of the day, a statement, and "before" or "after" it."""


def day(death: Death) -> DayPlan:
    """Three lines, a call alone that is stopped, somebody who is not to be called; statement 0 kills nobody."""
    seed, statement, side = death
    agent = Agent("account", "agent", (9, 17), 2)
    content = b"contact_number,timezone\n+493055500,\n+493055501,\n+493055502,\n"
    return DayPlan(
        seed=seed,
        start_us=START_US,
        accounts=(Account("account", 2, 200_000, 10 * LONGEST_CALL),),
        agents=(agent,),
        deeds=(
            Upload(0, agent, f"{1:032x}", content, RETRY),
            Schedule(1, agent, f"{1:032x}", 0),
            Forbid(2, "account", "+493055502"),
            Place(3, agent, Person("+493055503"), None, None, True),
            StopSome(8, 1),
        ),
        kills=((statement, side),),
        workers=2,
        refusals=0.0,
    )


def eventful(template: Path) -> tuple[int, int]:
    """Seed and number of statements of a day with an answer, a call off, and a retry."""
    for seed in range(200):
        undisturbed = lived(day((seed, 0, "")), template)
        assert not undisturbed.wrong
        ends = {row["status"] for row in undisturbed.attempts}
        if ends > {"completed", "canceled"} and any(row["number"] > 1 for row in undisturbed.attempts):
            return seed, undisturbed.statements
    raise AssertionError("all days are dull")


def test_a_death_at_any_statement_changes_nothing(template: Path) -> None:
    if STATEMENT:
        seed, n, side = STATEMENT.split()
        deaths = [(int(seed), int(n), side)]
    else:
        seed, statements = apart(eventful, template)
        deaths = [
            (seed, n, side)
            for n in range(1, statements + 1)
            for side in ("before", "after")
            if ALL or (side == "before") == (n % 2 == 1)
        ]
    try:
        happened = play_all(day, deaths, template)
    except BadDay as bad:
        death, what = bad.args
        replay = (
            f'RINGBACK_STATEMENT="{" ".join(map(str, death))}" python -m pytest {os.path.relpath(__file__)}'
        )
        pytest.fail(f"killed at {death}:\n{what}\nreplay: {replay}")
    killed = happened["kills of a worker"] + happened["kills of the api"]
    assert killed == len(deaths)
