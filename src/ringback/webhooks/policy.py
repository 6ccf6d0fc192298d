"""When a webhook is tried again, and when it or its endpoint is given up. Pure; times are microseconds UTC."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final, Literal

_SECOND_US: Final = 1_000_000
DAY_US: Final = 86_400 * _SECOND_US

SHORTEST_US: Final = 5 * _SECOND_US
LONGEST_US: Final = 6 * 3600 * _SECOND_US
"""Pauses of a delivery: the first, doubled with each try up to the longest, and then up to a fifth more or less."""
JITTER: Final = 0.2
TRIED_FOR_US: Final = 3 * DAY_US
"""From its first try to its last; also how long an endpoint may fail without a success."""
LONGEST_RETRY_AFTER_US: Final = DAY_US
_FAILURES: Final = 5
"""In a row, until an endpoint rests between two tries of whatever waits for it."""
_LONGEST_REST_US: Final = 60 * _SECOND_US


@dataclass(frozen=True, slots=True)
class Failure:
    """What came of a request, where it was not a 2xx."""

    error: str
    """For the log: one sentence."""
    code: int | None = None
    """Of the answer; None: there was none."""
    retry_after_us: int | None = None
    """So long the receiver asked to be left alone."""


@dataclass(frozen=True, slots=True)
class Health:
    """Of an endpoint: since when it fails without a success, how often, and until when it is left alone."""

    failing_since: int | None = None
    failures: int = 0
    paused_until: int = 0
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class Next:
    """What becomes of a delivery that failed."""

    state: Literal["waiting", "dead"]
    due_at: int
    error: str


def is_down(failures: int) -> bool:
    """For all we know: one try at a time is enough for the endpoint."""
    return failures >= _FAILURES


def after_failure(health: Health, failure: Failure, now_us: int) -> Health:
    """Of an endpoint at which a try has just failed.

    It is disabled when it has failed for three days. A receiver that says when to come back is left alone until then;
    one that is down is asked once a minute at the least.
    """
    since, failures = health.failing_since or now_us, health.failures + 1
    rest = min(_LONGEST_REST_US, _SECOND_US << min(failures - _FAILURES, 16)) if is_down(failures) else 0
    return replace(
        health,
        failing_since=since,
        failures=failures,
        paused_until=max(health.paused_until, now_us + max(rest, failure.retry_after_us or 0)),
        disabled=now_us - since >= TRIED_FOR_US,
    )


def after_try(failure: Failure, *, tries: int, first_try_at: int, now_us: int, chance: float) -> Next:
    """Of a delivery whose try number `tries`, from 1, has just failed; the last one is three days after the first.

    `chance` is from 0 to 1 and picks the pause from its range.
    """
    last_at = first_try_at + TRIED_FOR_US
    if now_us >= last_at:
        return Next("dead", now_us, f"Given up after {tries} tries in three days: {failure.error}")
    pause = max(pause_us(tries, chance), failure.retry_after_us or 0)
    return Next("waiting", min(now_us + pause, last_at), failure.error)


def pause_us(tries: int, chance: float) -> int:
    """After so many tries, from 1."""
    doubled = min(LONGEST_US, SHORTEST_US << min(tries - 1, 32))
    return round(doubled * (1 + JITTER * (2 * chance - 1)))


def retry_after_us(value: str | None, now_us: int) -> int | None:
    """How long a Retry-After header (RFC 9110, 10.2.3) asks to wait, at most a day: seconds or a date. None where there
    is none, or nobody can read it."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        asked = int(text[:9]) * _SECOND_US
    else:
        try:
            moment = parsedate_to_datetime(text)
        except ValueError:
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        asked = round((moment - _EPOCH).total_seconds() * _SECOND_US) - now_us
    return min(max(asked, 0), LONGEST_RETRY_AFTER_US)


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
