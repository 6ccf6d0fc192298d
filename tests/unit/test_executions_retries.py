"""The retry policy: never more dials than configured, never after a stop, always at the configured time."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.executions.lifecycle import TERMINAL, Status
from ringback.executions.record import Execution
from ringback.executions.retries import next_attempt, reopened
from tests.support.records import an_execution as execution

NOW = 1_795_493_045_000_000
MINUTE = 60_000_000
DEFAULTS: dict[str, Any] = {
    "enabled": True,
    "max_retries": 3,
    "retry_on_statuses": ["no-answer", "busy", "failed"],
    "retry_on_voicemail": False,
    "retry_intervals_minutes": [30, 60, 120],
}
EVERY_STATUS = DEFAULTS | {
    "retry_on_statuses": [str(status) for status in Status],
    "retry_on_voicemail": True,
}

configs = st.fixed_dictionaries(
    {
        "enabled": st.booleans(),
        "max_retries": st.integers(1, 3),
        "retry_on_statuses": st.lists(st.sampled_from(["no-answer", "busy", "failed", "error"])),
        "retry_on_voicemail": st.booleans(),
        "retry_intervals_minutes": st.lists(st.integers(1, 10_080), min_size=1, max_size=10),
    }
)
ends = st.tuples(st.sampled_from(sorted(TERMINAL)), st.booleans())


def _ended(status: Status, config: dict[str, Any] | None, voicemail: bool = False) -> Execution:
    return execution(status=status, retry_config=config, answered_by_voice_mail=voicemail)


def _next(
    status: Status, config: dict[str, Any] | None, number: int = 1, voicemail: bool = False
) -> int | None:
    return next_attempt(_ended(status, config, voicemail), number, NOW)


@pytest.mark.parametrize("status", sorted(TERMINAL))
def test_which_ends_are_followed_by_another_attempt(status: Status) -> None:
    assert _next(status, None) is None
    assert _next(status, {}) is None
    assert _next(status, DEFAULTS | {"enabled": False}) is None
    assert (_next(status, DEFAULTS) is not None) == (status in ("no-answer", "busy", "failed"))
    # Whatever is configured: called off, unpaid, or talked to.
    assert (_next(status, EVERY_STATUS) is not None) == (status in ("no-answer", "busy", "failed", "error"))
    for wanted in DEFAULTS["retry_on_statuses"]:
        assert (_next(status, DEFAULTS | {"retry_on_statuses": [wanted]}) is not None) == (status == wanted)
    assert _next(status, DEFAULTS | {"retry_on_statuses": []}) is None


@pytest.mark.parametrize("status", sorted(TERMINAL))
def test_a_voicemail_is_no_person(status: Status) -> None:
    wanted = DEFAULTS | {"retry_on_statuses": [], "retry_on_voicemail": True}
    assert (_next(status, wanted, voicemail=True) is not None) == (status is Status.COMPLETED)
    assert _next(status, wanted, voicemail=False) is None
    assert _next(Status.COMPLETED, DEFAULTS, voicemail=True) is None


@pytest.mark.parametrize("most", [1, 2, 3])
def test_the_budget(most: int) -> None:
    numbers = [n for n in range(1, 6) if _next(Status.BUSY, DEFAULTS | {"max_retries": most}, n) is not None]
    assert numbers == list(range(1, most + 1))


def test_the_intervals_in_turn_and_the_last_one_from_then_on() -> None:
    def due(intervals: list[int]) -> list[int | None]:
        config = DEFAULTS | {"retry_intervals_minutes": intervals}
        return [_next(Status.BUSY, config, number) for number in (1, 2, 3)]

    assert due([30, 60, 120]) == [NOW + 30 * MINUTE, NOW + 60 * MINUTE, NOW + 120 * MINUTE]
    assert due([5]) == [NOW + 5 * MINUTE] * 3
    assert due([5, 7]) == [NOW + 5 * MINUTE, NOW + 7 * MINUTE, NOW + 7 * MINUTE]
    assert due(list(range(1, 11))) == [NOW + MINUTE, NOW + 2 * MINUTE, NOW + 3 * MINUTE]


@pytest.mark.parametrize("missing", ["max_retries", "retry_on_statuses", "retry_intervals_minutes"])
def test_what_is_not_configured_is_not_dialled(missing: str) -> None:
    config = {key: value for key, value in EVERY_STATUS.items() if key != missing}
    assert _next(Status.BUSY, config) is None


def test_the_record_of_a_call_that_is_dialled_again() -> None:
    ended = execution(
        status=Status.COMPLETED,
        answered_by_voice_mail=True,
        summary="a machine",
        error_message="x",
        extracted_data={"a": 1},
        initiated_at=NOW,
        retry_history=[{"attempt": 1, "status": "busy", "at": "2026-11-24T04:00:00Z"}],
    )
    changes = reopened(ended, 2, NOW + MINUTE, NOW)
    assert changes["retry_history"] == [
        {"attempt": 1, "status": "busy", "at": "2026-11-24T04:00:00Z"},
        {"attempt": 2, "status": "completed", "at": "2026-11-24T04:04:05Z"},
    ]
    assert (changes["status"], changes["retry_count"], changes["scheduled_at"]) == (
        "scheduled",
        2,
        NOW + MINUTE,
    )
    # A person who answers the next time is no machine.
    assert changes["answered_by_voice_mail"] is False
    assert {changes[name] for name in ("summary", "error_message", "extracted_data", "initiated_at")} == {
        None
    }


@given(configs, st.lists(ends, min_size=10, max_size=10))
def test_nobody_is_dialled_more_often_than_configured(
    config: dict[str, Any], outcomes: list[tuple[Status, bool]]
) -> None:
    now, number = NOW, 1
    for status, voicemail in outcomes:
        due = next_attempt(_ended(status, config, voicemail), number, now)
        if due is None:
            break
        assert status not in (Status.STOPPED, Status.CANCELED, Status.BALANCE_LOW)
        assert due - now in [minutes * MINUTE for minutes in config["retry_intervals_minutes"]]
        number, now = number + 1, due
    assert number <= 1 + (config["max_retries"] if config["enabled"] else 0)
