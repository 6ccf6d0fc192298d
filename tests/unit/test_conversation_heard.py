"""What was heard of a sentence that was cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.conversation.core.heard import heard

WORDS = "One three five seven"


@pytest.mark.parametrize(
    ("played_ms", "audio_ms", "expected"),
    [
        (0, 1000, ""),
        (50, 1000, ""),
        (150, 1000, "One"),
        (400, 1000, "One three"),
        (650, 1000, "One three five seven"),
        (5000, 1000, WORDS),
        (500, None, "One three"),
        (10, 0, ""),
    ],
)
def test_by_letters(played_ms: int, audio_ms: int | None, expected: str) -> None:
    assert heard(WORDS, played_ms, audio_ms) == expected


def test_the_silence_around_it_says_nothing_and_marks_are_pauses() -> None:
    assert heard(WORDS, 870, 1270) == heard(WORDS, 870, 1270, (210, 500, 750, 1000))
    assert heard("one, two", 800, 1270) == "one,"
    assert heard("one two", 800, 1270) == "one two"


def test_digits_are_read_out() -> None:
    assert heard("12345 people", 1700, 2270) == "12345"
    assert heard("abcde people", 1700, 2270) == "abcde people"


@pytest.mark.parametrize(
    ("played_ms", "expected"),
    [(99, ""), (100, "One"), (424, "One"), (425, "One three"), (1000, "One three five"), (2000, WORDS)],
)
@pytest.mark.parametrize("audio_ms", [None, 2000])
def test_by_word_ends_half_a_word_is_a_word(played_ms: int, expected: str, audio_ms: int | None) -> None:
    assert heard(WORDS, played_ms, audio_ms, (200, 650, 1000, 1500)) == expected


def test_the_pause_before_a_word_is_not_the_word() -> None:
    assert heard("Thanks, I see", 900, 2000, (400, 1000, 1300)) == "Thanks,"
    assert heard("Thanks, I see", 930, 2000, (400, 1000, 1300)) == "Thanks, I"


def test_word_ends_of_another_text_are_not_used() -> None:
    assert heard(WORDS, 400, 1000, (10, 20)) == heard(WORDS, 400, 1000)


@given(
    st.text(max_size=80),
    st.integers(0, 5000),
    st.integers(0, 5000),
    st.none() | st.integers(1, 5000),
    st.none() | st.lists(st.integers(0, 5000), max_size=12).map(sorted),
)
def test_it_is_a_beginning_that_grows(
    text: str, one: int, more: int, audio_ms: int | None, ends: list[int] | None
) -> None:
    words = text.split()
    less, rest = heard(text, one, audio_ms, ends).split(), heard(text, one + more, audio_ms, ends).split()
    assert rest[: len(less)] == less
    assert words[: len(rest)] == rest
    if audio_ms is not None:
        assert heard(text, audio_ms, audio_ms, ends).split() == words
