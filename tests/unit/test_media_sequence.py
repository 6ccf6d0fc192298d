"""Counting what is new, lost and doubled by sequence number."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from ringback.media.sequence import SequenceTracker, signed_difference


def accept_all(*numbers):
    tracker = SequenceTracker()
    return tracker, [tracker.accept(number & 0xFFFF) for number in numbers]


def test_a_gap_is_lost_until_the_missing_packet_comes():
    tracker, _ = accept_all(10, 11, 13)
    assert tracker.lost == 1
    assert tracker.accept(12)
    assert (tracker.lost, tracker.received) == (0, 4)


def test_a_duplicate_is_refused_and_counted_once():
    tracker, accepted = accept_all(1, 2, 2, 1, 3)
    assert accepted == [True, True, False, False, True]
    assert (tracker.received, tracker.duplicated, tracker.lost) == (3, 2, 0)


def test_numbers_wrap():
    tracker, accepted = accept_all(65534, 65535, 0, 1)
    assert all(accepted)
    assert tracker.lost == 0


def test_a_restarted_sender_is_no_loss():
    tracker, accepted = accept_all(100, 101, 40000, 40001)
    assert all(accepted)
    assert (tracker.received, tracker.lost) == (4, 0)


def test_another_source_begins_anywhere():
    tracker, _ = accept_all(100, 102)
    tracker.restart()
    assert tracker.accept(101)
    assert (tracker.received, tracker.lost) == (3, 1)


def test_one_that_came_before_the_first_was_not_expected():
    tracker, accepted = accept_all(5, 4)
    assert accepted == [True, True]
    assert tracker.lost == 0


@given(st.integers(0, 65535), st.lists(st.booleans(), max_size=300), st.randoms(use_true_random=False))
def test_lost_and_received_add_up_under_loss_and_reordering(first, arrives, random):
    """The first and the last packet arrive; those between are lost or swapped within the window."""
    numbers = [
        first + index
        for index, here in enumerate([True, *arrives, True])
        if here or index in (0, len(arrives) + 1)
    ]
    middle = numbers[1:-1]
    for index in range(0, len(middle) - 1, 2):
        if random.random() < 0.5:
            middle[index], middle[index + 1] = middle[index + 1], middle[index]
    longest_gap = max((b - a for a, b in itertools.pairwise(numbers)), default=0)
    tracker, accepted = accept_all(numbers[0], *middle, numbers[-1])
    if longest_gap < 30:
        assert all(accepted)
        assert tracker.lost == arrives.count(False)
    assert tracker.received + tracker.duplicated == len(numbers)


@given(st.integers(0, 2**32 - 1), st.integers(-(2**31), 2**31 - 1))
def test_signed_difference_undoes_a_wrapped_addition(old, step):
    assert signed_difference((old + step) % 2**32, old, 32) == step
