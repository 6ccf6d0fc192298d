"""Which phonemes belong to which word, as hibari reads sentences out; and how long texts are cut."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringback.speech.hibari import _MAX_PHONEMES, _pieces
from ringback.speech.word_phonemes import word_phonemes


@pytest.fixture(scope="module")
def g2p() -> Any:
    from hibari.g2p import G2P

    return G2P()


@pytest.mark.parametrize(
    "sentence",
    [
        "Hello there, my name is Ada.",
        '"Yes," he said - twice.',
        "- ok",
        "A well-known, twenty-one-year-old (British) actor's book.",
        "  odd \t spaces  ",
    ],
)
def test_a_word_is_what_it_is_alone(g2p: Any, sentence: str) -> None:
    """The phonemes between two ends are those of the word, with whatever pause precedes it."""
    words = word_phonemes(sentence, g2p)
    assert words.phonemes == g2p(sentence)
    assert words.ends is not None
    begin = 0
    for word, end in zip(sentence.split(), words.ends, strict=True):
        sounds = words.phonemes[begin : int(end)].strip("—,.“”() ")
        assert bool(sounds) == any(letter.isalnum() for letter in word)
        assert sounds[-1:] in g2p(word), word
        begin = int(end)


@pytest.mark.parametrize(
    ("sentence", "anchors"),
    [
        ("Be there at 3:30 p.m. on Monday", {3: ("θɹˈi", "θˈɜɹTi"), 4: ("pˌi", "ˈɛm"), 5: ("ˌɔn",)}),
        ("It is $42.50 now", {2: ("fˈɔɹTi", "sˈɛnts"), 3: ("nˈW",)}),
        ("Dr. Smith lives here", {0: ("dˈɑktəɹ",), 1: ("smˈɪθ",)}),
        ("on 3/14/2026 at noon", {1: ("mˈɑɹʧ", "sˈɪks"), 2: ("æt",)}),
    ],
)
def test_what_is_read_out_belongs_to_what_is_written(
    g2p: Any, sentence: str, anchors: dict[int, tuple[str, ...]]
) -> None:
    words = word_phonemes(sentence, g2p)
    assert words.ends is not None
    bounds = [0.0, *words.ends]
    for word, sounds in anchors.items():
        stretch = words.phonemes[round(bounds[word]) : round(bounds[word + 1])]
        assert all(sound in stretch for sound in sounds), stretch


@settings(deadline=None, max_examples=200)
@given(st.text(alphabet="ab 1.,:$-—\"'éक\n/%", max_size=40))
def test_every_word_has_an_end_and_they_rise(sentence: str) -> None:
    from hibari.g2p import G2P

    words = word_phonemes(sentence, _shared(G2P))
    if words.ends is not None:
        assert len(words.ends) == len(sentence.split())
        assert list(words.ends) == sorted(words.ends)
        assert all(0 <= end <= len(words.phonemes) for end in words.ends)


_made: list[Any] = []


def _shared(make: Any) -> Any:
    if not _made:
        _made.append(make())
    return _made[0]


@given(st.lists(st.text(alphabet="abc, ;", max_size=300), max_size=8))
def test_long_texts_are_cut_without_loss(parts: list[str]) -> None:
    text = "".join(parts)
    pieces = _pieces(text)
    assert "".join(pieces) == text
    assert all(0 < len(piece) <= _MAX_PHONEMES for piece in pieces)


def test_a_cut_is_behind_a_clause_or_a_word() -> None:
    assert [piece[-2:] for piece in _pieces("one two, three four " * 40)[:-1]] == [", ", ", "]
    assert [piece[-1:] for piece in _pieces("one two three four " * 40)[:-1]] == [" "]
