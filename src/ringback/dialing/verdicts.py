"""May this person be dialled now? Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo

from ringback.dialing.windows import ALWAYS_US, NeverOpen, Window, closes, next_open
from ringback.dialing.zones import BY_SETTING, zones_of
from ringback.executions.record import Execution

_NAMED: Final = 3
"""Zones in a sentence; a toll-free number has dozens."""
_UTC: Final = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True)
class Dial:
    closes_us: int
    """Not after this moment."""


@dataclass(frozen=True, slots=True)
class Later:
    due_us: int
    why: str
    """A sentence for the log row."""


@dataclass(frozen=True, slots=True)
class Never:
    why: str
    """A sentence for the record."""


Verdict: TypeAlias = Dial | Later | Never


def judge(
    execution: Execution,
    window: Window | None,
    forbidden: bool,
    now_us: int,
    unknown: ZoneInfo = _UTC,
) -> Verdict:
    """`window` is the agent's calling hours, None: any; `forbidden`: its number is on the do-not-call list, which binds
    also who bypasses the hours; `unknown` is the zone of numbers that have none, or too many to have an hour in common.
    """
    number = execution.to_number or ""
    if forbidden:
        return Never("The number is on the account's do-not-call list")
    if window is None or window.always or execution.bypass_guardrails:
        return Dial(ALWAYS_US)
    zones, found_by = zones_of(number, execution.recipient_data.get("timezone"), unknown)
    try:
        opens_us = next_open(window, zones, now_us)
    except NeverOpen:
        found_by = f"{BY_SETTING}, for the hours never meet in the {len(zones)} zones of {found_by}"
        zones = (unknown,)
        opens_us = next_open(window, zones, now_us)
    if opens_us > now_us:
        return Later(opens_us, _why(window, zones, found_by, opens_us))
    return Dial(closes(window, zones, now_us))


def _why(window: Window, zones: Sequence[ZoneInfo], found_by: str, opens_us: int) -> str:
    named = ", ".join(str(zone) for zone in zones[:_NAMED])
    more = f" and {len(zones) - _NAMED} zones more" if len(zones) > _NAMED else ""
    opens = datetime.fromtimestamp(opens_us // 1_000_000, zones[0])
    return (
        f"Outside the calling hours {window.start_hour:02}:00 to {window.end_hour:02}:00 in {named}{more} "
        f"(by {found_by}); next at {opens.isoformat()}"
    )
