"""Where a person is: the time zones that a number may lie in. Pure."""

from __future__ import annotations

from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import phonenumbers
from phonenumbers.timezone import UNKNOWN_TIMEZONE, time_zones_for_number

BY_CLIENT: Final = "user_data.timezone"
BY_NUMBER: Final = "the number"
BY_SETTING: Final = "dialling.unknown_timezone"

_LONGEST_NAME: Final = 64
"""Twice that of any zone: what a client sends is a key of the cache."""


def zones_of(number: str, user_timezone: object, unknown: ZoneInfo) -> tuple[tuple[ZoneInfo, ...], str]:
    """The zones, and how they were found (for the log row).

    `user_timezone` is what the client says in `user_data.timezone`, if it is a zone; else those of the number (E.164),
    else `unknown`.
    """
    said = None
    if isinstance(user_timezone, str) and len(user_timezone) <= _LONGEST_NAME:
        said = _zone(user_timezone)
    if said is not None:
        return (said,), BY_CLIENT
    found = tuple(zone for name in _names(number) if (zone := _zone(name)) is not None)
    return (found, BY_NUMBER) if found else ((unknown,), BY_SETTING)


def _names(number: str) -> tuple[str, ...]:
    try:
        names = time_zones_for_number(phonenumbers.parse(number))
    except phonenumbers.NumberParseException:
        return ()
    return tuple(name for name in names if name != UNKNOWN_TIMEZONE)


@lru_cache(maxsize=1024)  # zoneinfo itself keeps eight: it would read dozens of files for a toll-free number
def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None
