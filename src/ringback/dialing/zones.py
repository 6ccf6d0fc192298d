"""Where a person is: the time zones that a number may lie in. Pure."""

from __future__ import annotations

from zoneinfo import ZoneInfo


def zones_of(number: str, user_timezone: object, unknown: ZoneInfo) -> tuple[tuple[ZoneInfo, ...], str]:
    """The zones, and how they were found (for the log row).

    `user_timezone` is what the client says in `user_data.timezone`, if it is a zone; else those of the number (E.164),
    else `unknown`.
    """
    raise NotImplementedError
