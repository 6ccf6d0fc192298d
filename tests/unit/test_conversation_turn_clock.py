"""Where the time of an answer went."""

from __future__ import annotations

from ringback.conversation.core.turn_clock import TurnClock
from ringback.conversation.transcript import TurnTiming


def clock() -> TurnClock:
    """Of a person who fell silent at 1.0 s and was taken at their word at 1.4 s."""
    return TurnClock(1.0, 1.4, ((150, "hello"),))


def test_nothing_was_heard() -> None:
    assert clock().timing() is None


def test_a_language_model() -> None:
    it = clock()
    it.asked(1.41)
    it.token(1.7)
    it.token(1.8)
    it.spoke(1.81)
    it.replied(2.4)
    it.audio(1.95)
    it.heard(1.97)
    timing = it.timing()
    assert timing is not None
    assert (timing.total_ms, timing.endpointing_ms) == (970, 400)
    assert (timing.first_token_ms, timing.last_token_ms, timing.first_audio_ms) == (290, 990, 140)
    assert timing.overhead_ms == 30, "10 ms before the question, 20 ms after the first audio"


def test_a_voice_that_is_kept_back_is_endpointing() -> None:
    it = clock()
    it.spoke(1.4)
    it.kept_back(1.41, 1.44)
    it.audio(1.5)
    it.kept_back(1.45, 1.65)
    it.heard(1.66)
    timing = it.timing()
    assert timing is not None
    assert (timing.endpointing_ms, timing.first_audio_ms, timing.overhead_ms) == (550, 100, 10)
    assert timing.total_ms == 660


def test_functions_first_and_then_a_language_model() -> None:
    it = clock()
    it.tools_began(1.4)
    it.tools_done(2.4)
    it.asked(2.5)
    it.token(2.7)
    it.spoke(2.8)
    it.audio(2.9)
    it.heard(3.0)
    assert it.timing() == TurnTiming(
        2000, 400, 200, ((150, "hello"),), first_token_ms=200, first_audio_ms=100, tools_ms=1000
    )


def test_a_question_that_led_to_a_function_is_time_of_the_language_models() -> None:
    it = clock()
    it.asked(1.4)
    it.replied(2.0)
    it.tools_began(2.0)
    it.tools_done(2.3)
    it.asked(2.3)
    it.token(2.5)
    it.spoke(2.6)
    it.replied(2.7)
    it.audio(2.7)
    it.heard(2.72)
    timing = it.timing()
    assert timing is not None
    assert (timing.first_token_ms, timing.last_token_ms, timing.tools_ms) == (800, 1000, 300)
    assert timing.total_ms == 400 + 800 + 300 + 100 + 120, "and of the sentence, and of its audio"


def test_questions_after_the_first_words_do_not_count() -> None:
    it = clock()
    it.asked(1.4)
    it.replied(1.6)
    it.spoke(1.6)
    it.audio(1.7)
    it.heard(1.7)
    it.asked(3.0)
    it.token(3.2)
    it.replied(3.9)
    timing = it.timing()
    assert timing is not None
    assert (timing.first_token_ms, timing.last_token_ms) == (200, 200), "what was called for came as a whole"


def test_the_longest_wait_for_functions_is_told() -> None:
    it = clock()
    for began, done in ((1.4, 1.5), (1.6, 2.0), (2.1, 2.2)):
        it.tools_began(began)
        it.tools_done(done)
    it.spoke(2.2)
    it.heard(2.3)
    timing = it.timing()
    assert timing is not None
    assert timing.tools_ms == 400


def test_what_comes_after_the_first_frame_does_not_count() -> None:
    it = clock()
    it.spoke(1.4)
    it.audio(1.5)
    it.heard(1.52)
    before = it.timing()
    it.tools_began(1.6)
    it.heard(9.0)
    it.audio(9.0)
    assert it.timing() == before
    assert before is not None
    assert before.overhead_ms == 20


def test_without_news_of_the_audio_the_wait_for_it_is_no_overhead() -> None:
    it = clock()
    it.spoke(1.45)
    it.heard(1.8)
    timing = it.timing()
    assert timing is not None
    assert (timing.first_audio_ms, timing.overhead_ms) == (None, 50)
