"""The order of SRV records."""

from __future__ import annotations

import random
from collections import Counter

from ringback.telephony.sip.services import Service, in_order

FIRST = [Service(10, 60, 5060, "big"), Service(10, 30, 5060, "small"), Service(10, 10, 5060, "tiny")]
LATER = [Service(20, 0, 5060, "spare")]


def test_lower_priorities_come_first_and_each_comes_once() -> None:
    rng = random.Random(1)
    for _ in range(100):
        ordered = in_order([*LATER, *FIRST], rng)
        assert ordered[-1] == LATER[0]
        assert sorted(one.target for one in ordered) == ["big", "small", "spare", "tiny"]


def test_weights_are_chances() -> None:
    rng = random.Random(2)
    first = Counter(in_order(FIRST, rng)[0].target for _ in range(4_000))
    assert 0.55 < first["big"] / 4_000 < 0.65
    assert 0.25 < first["small"] / 4_000 < 0.35
    assert 0.06 < first["tiny"] / 4_000 < 0.14


def test_without_weights_all_have_a_chance() -> None:
    rng = random.Random(3)
    records = [Service(0, 0, 5060, name) for name in "abc"]
    assert {in_order(records, rng)[0].target for _ in range(100)} >= {"a"}
    assert in_order([], rng) == []
