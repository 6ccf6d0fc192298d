"""The `{variables}` of prompts and messages."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

_PLACE = re.compile(r"\{([^{}\n]{1,200})\}")


def fill(text: str, variables: Mapping[str, Any], missing: str | None = None) -> str:
    """Replace each `{name}` by its value; a name that is missing by `missing`, or it is left as it stands.

    Names are looked up, never evaluated: no attributes, no format specifications. Values are taken as
    they are: a `{name}` inside one stays.
    """

    def value(match: re.Match[str]) -> str:
        name = match[1].strip()
        if name in variables:
            return _written(variables[name])
        return match[0] if missing is None else missing

    return _PLACE.sub(value, text)


def in_language(text: str | Mapping[str, Any] | None, language: str) -> str:
    """A text by language code in the agent's language, else in English, else in the first language given."""
    if isinstance(text, str):
        return text
    if not text:
        return ""
    chosen = (
        text.get(language) or text.get(language.split("-")[0]) or text.get("en") or next(iter(text.values()))
    )
    return str(chosen)


def _written(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def variables(
    user_data: Mapping[str, Any],
    *,
    agent_id: str,
    execution_id: str,
    call_sid: str | None,
    from_number: str | None,
    to_number: str | None,
    now_us: int,
) -> dict[str, Any]:
    """The caller's `user_data` and over it the system variables of contract 7.

    `user_data["timezone"]`, a name such as "Asia/Kolkata", sets the zone of `current_date` and
    `current_time`; an unknown one counts as UTC. `now_us` is wall time in microseconds.
    The parts of the time that a graph may compare are there only where the zone is known: opening hours by another
    clock than the person's would be wrong in silence.
    """
    zone = zone_of(user_data)
    now = datetime.fromtimestamp(now_us / 1e6, zone)
    comparable = {
        "current_hour": now.hour,
        "current_minute": now.minute,
        "current_weekday": f"{now:%A}".lower(),
        "current_day": now.day,
        "current_month": now.month,
        "current_year": now.year,
    }
    return (
        dict(user_data)
        | (comparable if zone is not UTC else {})
        | {
            "agent_id": agent_id,
            "execution_id": execution_id,
            "call_sid": call_sid,
            "from_number": from_number,
            "to_number": to_number,
            "current_date": f"{now:%A, %B} {now.day}, {now.year}",
            "current_time": f"{now:%I:%M %p}",
            "timezone": "UTC" if zone is UTC else str(zone),
        }
    )


def zone_of(user_data: Mapping[str, Any]) -> tzinfo:
    """The zone that `user_data["timezone"]` names; UTC for an unknown one or none."""
    name = user_data.get("timezone")
    if not isinstance(name, str):
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return UTC
