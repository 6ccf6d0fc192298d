"""Random days of dialling, with batches, hours, retries, stops and deaths, under rules that must hold on all of them.

`make simulate-days` lives ten thousand; `RINGBACK_SEED=17 pytest tests/simulation/test_dialling_days.py` one again.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from ringback.dialing.zones import BY_NUMBER, zones_of
from tests.support.dial_day_plan import NO_TRUNK_LIMIT, ZONES, draw
from tests.support.dial_days import BadDay, lived, play_all

DAYS = int(os.environ.get("RINGBACK_DAYS", "300"))
SEED = os.environ.get("RINGBACK_SEED")

# How often a thing happens on a hundred days at least: the simulation is worth something only if everything does.
HAPPENS = {
    200: ("calls", "done completed", "done busy"),
    60: ("done no-answer", "done failed"),
    30: ("done stopped", "done error", "unknown error", "kills of a worker"),
    5: ("done canceled", "done balance-low", "kills of the api", "live calls lost", "power cuts"),
}


def test_nobody_is_dialled_too_often_too_late_or_not_at_all(
    template: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seeds = [int(SEED)] if SEED else range(DAYS)
    try:
        happened = play_all(draw, seeds, template)
    except BadDay as bad:
        seed, what = bad.args
        pytest.fail(
            f"day {seed}:\n{what}\nreplay: RINGBACK_SEED={seed} python -m pytest {os.path.relpath(__file__)}"
        )
    with capsys.disabled():
        if "RINGBACK_DAYS" in os.environ:
            print("\n" + ", ".join(f"{count} {what}" for what, count in sorted(happened.items())))
    if not SEED and DAYS >= 300:
        least = {what: count for count, whats in HAPPENS.items() for what in whats}
        rare = {what: happened[what] for what, count in least.items() if 100 * happened[what] < count * DAYS}
        assert not rare, f"too rare on {DAYS} days: {rare}"


@pytest.mark.parametrize("seed", [12, 20, 26, 28])
def test_who_is_held_up_before_a_dial_does_not_dial_after_hours(seed: int, template: Path) -> None:
    """Days on which it did: without a rate nothing else was asked between the intent and the packet."""
    day = draw(seed)
    accounts = tuple(replace(account, interval_us=None) for account in day.accounts)
    always = dict.fromkeys(range(1, 13), 14.0)
    report = lived(
        replace(day, accounts=accounts, trunk=NO_TRUNK_LIMIT, late=always, held={}, stops=()), template
    )
    assert not report.wrong


def test_numbers_lie_where_the_rules_think() -> None:
    """They know the zones of numbers by themselves."""
    for prefix, zones in ZONES.items():
        found, how = zones_of(f"{prefix}5550000", None, None)  # type: ignore[arg-type]
        assert how == BY_NUMBER
        assert {str(zone).replace("Calcutta", "Kolkata") for zone in found} == set(zones)
