"""Timestamps as the API writes and reads them: whole seconds with `Z` out, ISO 8601 in."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def iso(us: int) -> str:
    """Microseconds since the epoch as `2024-01-23T01:14:37Z`."""
    return f"{_EPOCH + timedelta(microseconds=us):%Y-%m-%dT%H:%M:%SZ}"


def parse_iso(text: str) -> int:
    """ISO 8601 to microseconds since the epoch; without an offset it is UTC. Raises ValueError, also for a moment that
    lies outside the years 1 to 9999 in UTC.

    A space before the offset is taken for the `+` that a query string turned into one.
    """
    moment = datetime.fromisoformat(re.sub(r" (?=\d\d:?\d\d$)(?<=:\d\d )", "+", text.strip()))
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    try:
        moment = moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(str(error)) from None
    return (moment - _EPOCH) // timedelta(microseconds=1)
