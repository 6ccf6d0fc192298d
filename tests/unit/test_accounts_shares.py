"""How the calls of an account are shared out among its sub-accounts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.accounts.shares import BadShare, Share, allowed, check

SHARES = st.builds(Share, st.integers(0, 6), st.none() | st.integers(0, 12))


def test_who_is_elastic_gets_what_nobody_else_is_promised() -> None:
    shares = {"a": Share(), "b": Share(3, 5), "c": Share(2)}
    assert allowed(shares, 10) == {"a": 5, "b": 5, "c": 7}
    assert allowed(shares, None) == {"a": None, "b": 5, "c": None}


def test_a_maximum_does_not_reach_into_what_others_are_promised() -> None:
    assert allowed({"a": Share(0, 9), "b": Share(4)}, 10) == {"a": 6, "b": 10}


def test_who_is_paused_has_none_and_is_promised_none() -> None:
    assert allowed({"a": Share(5, 0), "b": Share()}, 10) == {"a": 0, "b": 10}


def test_more_than_there_is_cannot_be_promised() -> None:
    others = {"b": Share(35, 35)}
    check(Share(15, 15), others, 50)
    with pytest.raises(BadShare) as refused:
        check(Share(50, 50), others, 50)
    assert str(refused.value) == (
        "Concurrency limit exceeded: 50 calls at a time were asked for, and 15 of the account's 50 are not promised to "
        "others"
    )
    assert refused.value.numbers == {
        "requested": 50,
        "available": 15,
        "account_limit": 50,
        "subaccount_usage": 35,
    }
    check(Share(50, 50), others, None)
    with pytest.raises(BadShare):
        check(Share(0, 51), {}, 50)


def test_a_share_must_not_contradict_itself() -> None:
    with pytest.raises(BadShare, match="max_concurrency must be at least min_concurrency"):
        check(Share(5, 4), {}, None)
    check(Share(5, 5), {}, None)
    check(Share(5, 0), {}, 5)


@given(st.lists(SHARES, max_size=6), st.integers(0, 30))
def test_shares_that_were_allowed_one_by_one_are_all_kept(asked: list[Share], limit: int) -> None:
    shares: dict[str, Share] = {}
    for place, share in enumerate(asked):
        try:
            check(share, shares, limit)
        except BadShare:
            continue
        shares[str(place)] = share
    bounds = allowed(shares, limit)
    assert sum(share.promised for share in shares.values()) <= limit
    for key, share in shares.items():
        bound = bounds[key]
        assert bound is not None
        assert share.promised <= bound <= limit
        assert share.maximum is None or bound <= share.maximum
