"""The life cycle against our own transcription of contract 4.5."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.executions.lifecycle import (
    STOPPABLE,
    TERMINAL,
    TRANSITIONS,
    V1_STATUS,
    IllegalTransition,
    Status,
    check,
)
from ringback.store.schema import EXECUTION_STATUSES

CONTRACT_4_5 = """
prepared          -> scheduled queued stopped
scheduled         -> queued stopped canceled rescheduled
queued            -> initiated rescheduled balance-low stopped canceled error
rescheduled       -> queued stopped canceled
initiated         -> ringing in-progress busy no-answer failed canceled error stopped
ringing           -> in-progress no-answer busy failed canceled error
in-progress       -> call-disconnected
call-disconnected -> completed error
no-answer         -> scheduled
busy              -> scheduled
failed            -> scheduled
error             -> scheduled
completed         -> scheduled
canceled          ->
stopped           ->
balance-low       ->
"""
ALLOWED = {
    (before.strip(), after)
    for before, _, afters in (line.partition("->") for line in CONTRACT_4_5.strip().splitlines())
    for after in afters.split()
}
ENDS = {"completed", "no-answer", "busy", "failed", "canceled", "stopped", "error", "balance-low"}
SEED_PAGE = {
    "completed",
    "call-disconnected",
    "no-answer",
    "busy",
    "failed",
    "in-progress",
    "canceled",
    "balance-low",
    "queued",
    "ringing",
    "initiated",
}


@pytest.mark.parametrize("before", Status)
@pytest.mark.parametrize("after", Status)
def test_every_pair_is_as_in_the_contract(before: Status, after: Status) -> None:
    if (before, after) in ALLOWED:
        check(before, after)
    else:
        with pytest.raises(IllegalTransition, match=f"{before} cannot become {after}"):
            check(before, after)


def test_ends_and_statuses() -> None:
    assert TERMINAL == ENDS
    assert set(TRANSITIONS) == set(Status)
    assert set(EXECUTION_STATUSES) == set(Status)


def test_every_call_can_end_without_a_retry() -> None:
    for start in Status:
        reached, frontier = set[Status](), {start}
        while frontier:
            reached |= frontier
            onward = {after for status in frontier if status not in TERMINAL for after in TRANSITIONS[status]}
            frontier = onward - reached
        assert reached & TERMINAL, start


def test_no_way_but_forward_until_the_end() -> None:
    """Without retries no live status comes twice, so every call ends after finitely many transitions."""
    order = [
        Status.PREPARED,
        Status.SCHEDULED,
        Status.RESCHEDULED,
        Status.QUEUED,
        Status.INITIATED,
        Status.RINGING,
        Status.IN_PROGRESS,
        Status.CALL_DISCONNECTED,
    ]
    back = {
        (before, after)
        for before in order
        for after in TRANSITIONS[before] - TERMINAL
        if order.index(after) <= order.index(before)
    }
    # Putting off a call is the one way back, and its calling window opens.
    assert back == {(Status.QUEUED, Status.RESCHEDULED)}


@given(st.lists(st.sampled_from(list(Status)), max_size=40))
def test_no_sequence_of_events_reaches_an_illegal_state(wanted: list[Status]) -> None:
    status = Status.QUEUED
    walked = [status]
    for to in wanted:
        try:
            check(status, to)
        except IllegalTransition:
            continue
        status = to
        walked.append(status)
    assert all(pair in ALLOWED for pair in pairwise(walked))


def test_v1_knows_eleven_statuses() -> None:
    assert {V1_STATUS.get(status, status) for status in Status} == SEED_PAGE
    assert V1_STATUS == {
        "scheduled": "queued",
        "rescheduled": "queued",
        "prepared": "queued",
        "stopped": "canceled",
        "error": "failed",
    }


def test_what_waits_can_be_stopped() -> None:
    assert {status for status in Status if (status, "stopped") in ALLOWED} - {"initiated"} == STOPPABLE
