"""What interrupts, what only tells that somebody listens, and what tells the agent to stop."""

from __future__ import annotations

import pytest

from ringback.conversation.core.backchannel import is_backchannel
from ringback.conversation.core.barge_in import NOISE, SURE, UNSURE, interrupts, says_stop


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "Mhm."),
        ("en", "Mm-hmm."),
        ("en", "Uh-huh"),
        ("en", "Yeah, okay."),
        ("en", "I see, right"),
        ("en", "Oh really?"),
        ("en-IN", "all right"),
        ("es", "Sí, claro."),
        ("fr", "D'accord"),
        ("fr", "Bien sûr !"),
        ("de", "Ja, genau."),
        ("de", "Ach so"),
        ("pt", "Tá bom"),
        ("it", "Ho capito"),
        ("hi", "हाँ"),
        ("hi", "ठीक है"),
        ("xx", "okay"),
    ],
)
def test_backchannels(language: str, text: str) -> None:
    assert is_backchannel(text, language)
    assert not interrupts(text, 1, language, 2.0, None)
    assert not interrupts(text, 1, language, 2.0, -0.1)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", ""),
        ("en", "No."),
        ("en", "Yeah, but no"),
        ("en", "Okay, Monday"),
        ("de", "ja bitte"),
        ("xx", "claro"),
    ],
)
def test_no_backchannels(language: str, text: str) -> None:
    assert not is_backchannel(text, language)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "Stop!"),
        ("en", "Wait a second"),
        ("en", "No, please stop."),
        ("en", "Hold on."),
        ("en", "Start."),
        ("es", "Un momento, por favor"),
        ("fr", "Attendez"),
        ("de", "Moment!"),
        ("pt", "Com licença"),
        ("it", "Aspetti"),
        ("hi", "रुको"),
        ("hi", "एक मिनट"),
    ],
)
def test_a_stop_interrupts_however_many_words_are_needed(language: str, text: str) -> None:
    assert says_stop(text, language)
    assert interrupts(text, 10, language, 0.4, None)
    assert interrupts(text, 10, language, 0.4, -3.0)


@pytest.mark.parametrize(
    ("language", "text"),
    [("en", ""), ("en", "The bus stop is here"), ("en", "stopping"), ("en", "We started"), ("fr", "wait")],
)
def test_no_stop(language: str, text: str) -> None:
    assert not says_stop(text, language)


@pytest.mark.parametrize(
    ("text", "needed", "expected"),
    [
        ("No", 0, True),
        ("No", 1, True),
        ("No", 2, False),
        ("Not Monday", 2, True),
        ("", 0, False),
        ("okay okay okay", 2, False),
    ],
)
def test_words_enough(text: str, needed: int, expected: bool) -> None:
    assert interrupts(text, needed, "en", 2.0, None) is expected
    assert interrupts(text, needed, "en", 2.0, -0.1) is expected


@pytest.mark.parametrize(
    ("needed", "spoken_s", "expected"), [(2, 0.55, False), (2, 0.65, True), (1, 0.2, False), (1, 0.35, True)]
)
def test_words_take_their_time(needed: int, spoken_s: float, expected: bool) -> None:
    """What a transcriber makes of a murmur is no interruption."""
    assert interrupts("Good luck.", needed, "en", spoken_s, None) is expected


@pytest.mark.parametrize(
    ("text", "spoken_s", "confidence", "expected"),
    [
        ("Not Monday", 0.2, -0.2, True),  # surely words, however fast
        ("Not", 2.0, -0.2, False),  # but no more of them than there are
        ("Not Monday", 0.2, SURE, True),
        ("Not Monday", 0.2, SURE - 0.01, False),
        ("Not Monday", 0.7, SURE - 0.01, True),  # words, by the time they took
        ("Not Monday", 0.7, UNSURE, True),
        ("Good luck.", 3.0, UNSURE - 0.01, False),  # a murmur, however long
        ("Shroud, try it.", 3.0, UNSURE - 0.01, False),
        ("Good luck.", 3.0, None, True),  # which only the transcriber can tell
        ("Bill rung never again", 1.3, UNSURE - 0.01, True),  # misheard, but longer than a murmur
        ("Bill rung never again", 1.1, UNSURE - 0.01, False),
    ],
)
def test_of_murmurs_the_transcriber_is_not_sure(
    text: str, spoken_s: float, confidence: float | None, expected: bool
) -> None:
    assert interrupts(text, 2, "en", spoken_s, confidence) is expected


def test_unsure_words_are_not_enough_where_more_are_needed() -> None:
    assert not interrupts("I share it now", 5, "en", 9.0, UNSURE - 0.01)
    assert interrupts("I share it now too", 5, "en", 9.0, UNSURE - 0.01)


def test_sentences_that_were_guessed_out_of_a_noise_never_interrupt() -> None:
    text = "The meeting had been trained in the other building."
    assert not interrupts(text, 2, "en", 6.0, NOISE - 0.01)
    assert interrupts(text, 2, "en", 6.0, NOISE), "badly heard, but heard"
    assert interrupts("Stop it.", 2, "en", 0.5, NOISE - 1.0)
