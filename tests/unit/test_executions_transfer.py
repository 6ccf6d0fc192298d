"""A transfer as a value: its length, its end without news, its JSON, its lines of the bill, and which one is shown."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from ringback.billing.rating import transfer_lines
from ringback.executions.lifecycle import Status
from ringback.executions.record import Attempt, UsageKind, UsageLine
from ringback.executions.rendering import render
from ringback.executions.rows import columns_of, to_attempt
from ringback.executions.transfer import Transfer, from_json, shown_transfer, to_json
from tests.support.records import an_attempt, an_execution

RANG = Transfer("attended", "+1", "+2", "trunk", "call", 1_000_000, Status.NO_ANSWER, ended_at=9_000_000)
TALKED = replace(RANG, status=Status.COMPLETED, answered_at=3_000_000, ended_at=64_456_000)
BLIND = replace(TALKED, kind="blind")
OPEN = replace(TALKED, status=Status.IN_PROGRESS, ended_at=None)


def test_its_leg_is_ours_to_pay_from_the_answer_to_the_end() -> None:
    lengths = [transfer.leg_ms for transfer in (RANG, TALKED, BLIND, OPEN)]
    assert lengths == [0, 61_456, 0, 0]
    [line] = transfer_lines([RANG, TALKED, BLIND, OPEN])
    assert (line.kind, line.provider, line.unit, line.quantity) == (UsageKind.NETWORK, "trunk", "ms", 61_456)
    assert (line.at_us, line.purpose) == (3_000_000, "transfer")


@pytest.mark.parametrize(
    ("transfer", "at_us", "status", "ended_at"),
    [
        (OPEN, 5_000_000, Status.COMPLETED, 5_000_000),
        (OPEN, 2_000_000, Status.COMPLETED, 3_000_000),
        (replace(RANG, ended_at=None), 500_000, Status.FAILED, 1_000_000),
    ],
)
def test_what_nobody_can_tell_of_ends_with_the_last_sign_of_life(
    transfer: Transfer, at_us: int, status: Status, ended_at: int
) -> None:
    closed = transfer.closed(at_us)
    assert (closed.status, closed.ended_at) == (status, ended_at)
    assert (closed.hangup_by, closed.hangup_reason) == ("Error", "worker lost")
    assert TALKED.closed(at_us) == TALKED


def test_the_last_that_was_answered_is_shown() -> None:
    late = replace(TALKED, call_id="late")
    assert shown_transfer([]) is None
    assert shown_transfer([RANG, replace(RANG, call_id="again")]) == replace(RANG, call_id="again")
    assert shown_transfer([TALKED, late, RANG]) == late


def test_its_json_is_read_back_also_by_a_version_that_knows_less() -> None:
    values = to_json([RANG, BLIND])
    assert from_json(json.loads(json.dumps(values))) == (RANG, BLIND)
    assert from_json([{**values[0], "news": 1}]) == (RANG,)


def test_an_attempt_keeps_them() -> None:
    attempt = an_attempt(transfers=(RANG, TALKED), transfer_token="t")
    columns = columns_of(attempt)
    read = to_attempt(columns)
    assert (read.transfers, read.transfer_token) == (attempt.transfers, attempt.transfer_token)
    none = columns_of(an_attempt())
    assert (none["transfers"], to_attempt(none).transfers) == (None, ())


def told(
    attempt: Attempt, status: Status = Status.COMPLETED, amounts: tuple[int, ...] = (10_000, 20_000)
) -> Any:
    lines = [
        UsageLine(UsageKind.NETWORK, "trunk", "", "ms", 1, amount, at_us=at, purpose="transfer")
        for amount, at in zip(amounts, (3_000_000, 100_000_000), strict=True)
    ]
    other = UsageLine(UsageKind.NETWORK, "trunk", "", "ms", 1, 70_000, at_us=3_000_000)
    record = an_execution(status=status)
    return json.loads(render(record, attempt, (), [*lines, other], "http://x"))["transfer_call_data"]


def test_its_cost_is_that_of_its_own_leg() -> None:
    second = replace(TALKED, answered_at=100_000_000, ended_at=101_000_000)
    assert told(an_attempt(transfers=[TALKED]))["cost"] == 1
    assert told(an_attempt(transfers=[TALKED, second]))["cost"] == 2
    assert told(an_attempt(transfers=[RANG]))["cost"] == 0
    assert told(an_attempt(transfers=[TALKED]), Status.CALL_DISCONNECTED)["cost"] == 0
    assert told(an_attempt(transfers=[TALKED]))["duration"] == 61.5


@pytest.mark.parametrize(
    ("path", "token", "status", "is_shown"),
    [
        ("a.wav", "t", Status.COMPLETED, True),
        ("a.wav", "t", Status.CALL_DISCONNECTED, False),
        ("a.wav", None, Status.COMPLETED, False),
        (None, "t", Status.COMPLETED, False),
    ],
)
def test_its_recording_has_a_link(
    path: str | None, token: str | None, status: Status, is_shown: bool
) -> None:
    attempt = an_attempt(transfers=[replace(TALKED, recording_path=path)], transfer_token=token)
    link = told(attempt, status)["recording_url"]
    expected = f"http://x/recordings/transfer/{attempt.execution_id}?token=t"
    assert link == (expected if is_shown else None)
