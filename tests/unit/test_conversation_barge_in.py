"""What interrupts, what only tells that somebody listens, and what tells the agent to stop."""

from __future__ import annotations

import pytest

from ringback.conversation.core.backchannel import is_backchannel
from ringback.conversation.core.barge_in import interrupts, says_stop


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
    assert not interrupts(text, 1, language, 2.0)


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
    assert interrupts(text, 10, language, 0.4)


@pytest.mark.parametrize(
    ("language", "text"), [("en", ""), ("en", "The bus stop is here"), ("en", "stopping"), ("fr", "wait")]
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
    assert interrupts(text, needed, "en", 2.0) is expected


@pytest.mark.parametrize(
    ("needed", "spoken_s", "expected"), [(2, 0.55, False), (2, 0.65, True), (1, 0.2, False), (1, 0.35, True)]
)
def test_words_take_their_time(needed: int, spoken_s: float, expected: bool) -> None:
    """What a transcriber makes of a murmur is no interruption."""
    assert interrupts("Good luck.", needed, "en", spoken_s) is expected
