"""Whom an agent takes calls from."""

from __future__ import annotations

from typing import Any

import pytest

from ringback.agents.definition import Definition
from ringback.inbound.policy import Policy


def policy(task_config: dict[str, Any] | None = None, **config: Any) -> Policy:
    tasks = [{"task_type": "summarization"}, {"task_type": "conversation", "task_config": task_config}]
    return Policy.of(Definition({"tasks": tasks, **config}, {}))


def test_everybody_may_call_as_often_as_they_like() -> None:
    for one in (policy(), policy({}), policy({"inbound_limit": -1}), Policy.of(Definition({}, {}))):
        assert one == Policy()
        assert one.limit_of("+14155550123") is None


@pytest.mark.parametrize("caller", ["+14155550123", "14155550123"])
def test_a_limit_spares_those_that_are_named(caller: str) -> None:
    one = policy({"inbound_limit": 2, "whitelist_phone_numbers": ["+14155550123"]})
    assert one.limit_of(caller) is None
    assert one.trusts(caller)
    assert one.limit_of("+14155550124") == 2


def test_a_withheld_number_is_not_counted_and_not_trusted() -> None:
    one = policy({"inbound_limit": 0, "whitelist_phone_numbers": [""]})
    assert one.limit_of(None) is None
    assert not one.trusts(None)


def test_no_call_at_all_may_be_the_limit() -> None:
    assert policy({"inbound_limit": 0}).limit_of("+14155550123") == 0


def test_known_numbers_only() -> None:
    source = {"source_type": "csv", "source_name": "june.csv"}
    one = policy({"disallow_unknown_numbers": True}, ingest_source_config=source)
    assert one.known_only
    assert one.source == source
