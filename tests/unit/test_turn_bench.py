"""The arithmetic of the bench of turns, which decides whether the listener is good."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest

from benchmarks.turns import labels, report
from benchmarks.turns.heard import Reference, compare
from benchmarks.turns.listening import Glance, Glanced, Listened, Stop
from benchmarks.turns.offline import IN_FLIGHT_MS, SPEAK_MS, Rule, decide
from benchmarks.turns.remarks import interrupting
from benchmarks.turns.report import Outcome
from ringback.agents.plan import TalkSettings
from ringback.conversation.dialogue.dialogue import Expectation
from ringback.media.frame import SAMPLE_RATE, Samples

UTTERANCE = next(u for u in labels.utterances() if u.kind == "complete_first")
TEXT = "The train leaves from the central station and stops only once on the way."


def listened(*stops: Stop) -> Listened:
    return Listened(UTTERANCE, 2000, ((500, 1100),), stops)


def after(seconds: float) -> Rule:
    def rule(
        text: str,
        expectation: Expectation,
        talk: TalkSettings,
        spoken_s: float,
        finality: float | None,
        confidence: float | None,
    ) -> float:
        return seconds

    return rule


FIRST = Stop(500, 700, 1180, "Yes.", -1.0, -0.3, 0.1)
LAST = Stop(2040, 2240, None, "Yes, but not on Monday.", -1.0, -0.3, 0.1)


def test_who_waits_out_the_pause_answers_after_the_end() -> None:
    decision = decide(listened(FIRST, LAST), after(0.7))
    assert decision.at == LAST
    assert decision.outcome == Outcome(UTTERANCE, 2040 + 700 + SPEAK_MS - 2000, False)


def test_who_does_not_is_heard_before_the_end() -> None:
    decision = decide(listened(FIRST, LAST), after(0.3))
    assert decision.at == FIRST
    assert decision.outcome.cut


def test_a_sound_puts_the_answer_off_until_the_pause_is_over() -> None:
    pause = Stop(500, 700, 1180, "Yes.", -1.0, -0.3, 0.1, sounds_ms=(1120, 1140))
    assert decide(listened(replace(pause, sounds_ms=()), LAST), after(0.6)).outcome.cut
    assert decide(listened(pause, LAST), after(0.6)).at == LAST
    mere = (2540, 2560, 2900)
    assert decide(listened(replace(LAST, sounds_ms=mere)), after(0.6)).outcome.gap_ms == (
        2540 + 20 + 160 + IN_FLIGHT_MS - 2000
    )


def test_the_words_that_were_sent_cannot_be_taken_back() -> None:
    late = 500 + 600 + SPEAK_MS - IN_FLIGHT_MS
    assert decide(listened(replace(FIRST, resumed_ms=late), LAST), after(0.6)).at == LAST
    assert decide(listened(replace(FIRST, resumed_ms=late + 1), LAST), after(0.6)).at != LAST


def test_without_words_nothing_is_answered() -> None:
    outcome = decide(listened(Stop(2040, 2240, None, "", None, None, 0.1)), after(0.3)).outcome
    assert outcome == Outcome(UTTERANCE, None, False)


def test_the_words_must_be_known_before_the_answer() -> None:
    outcome = decide(listened(LAST), after(0.0)).outcome
    assert outcome.gap_ms is not None
    assert outcome.gap_ms > LAST.known_ms - 2000 + SPEAK_MS


def test_the_first_look_that_finds_an_interruption_counts_with_its_time_and_confidence() -> None:
    asked: list[tuple[str, float, float | None]] = []

    def rule(text: str, needed: int, language: str, spoken_s: float, confidence: float | None) -> bool:
        asked.append((text, round(spoken_s, 3), confidence))
        return text == "no no"

    looks = (
        Glance(600, False, "", None),
        Glance(1300, False, "no", -0.7),
        Glance(1500, True, "no no", None),
        Glance(2000, True, "no no", -0.1),
    )
    assert interrupting(Glanced(UTTERANCE, looks), rule) == looks[2]
    assert asked == [("no", 1.0, -0.7), ("no no", 1.308, None)]
    assert interrupting(Glanced(UTTERANCE, looks[:2]), rule) is None


def test_cut_and_lost_turns_have_no_part_in_the_gaps() -> None:
    outcomes = [
        Outcome(UTTERANCE, gap, cut) for gap, cut in ((400, False), (-300, True), (None, False), (600, False))
    ]
    assert report.gaps(outcomes) == [400, 600]
    assert report.cut_percent(outcomes) == 25
    assert report.table(outcomes).splitlines()[-1].split()[:4] == ["all", "4", "1", "25.0"]


def test_a_claim_of_what_was_heard_is_right() -> None:
    error = compare("x", "The train leaves from the", [TEXT, "Something else."], "the train leaves from the")
    assert (error.claimed, error.heard, error.error) == (5, 5, 0)


def test_a_claim_of_too_much_is_counted_in_words() -> None:
    error = compare("x", "The train leaves from the central station", [TEXT], "The train leaves from")
    assert error.error == 3


def test_a_misheard_word_is_no_error_of_the_claim() -> None:
    assert (
        compare("x", "The train leaves from the central", [TEXT], "The rain leaves from the central").error
        == 0
    )


def test_half_a_word_at_the_cut_counts_for_the_claim() -> None:
    assert (
        compare("x", "The train leaves from the central", [TEXT], "The train leaves from the sent").error == 0
    )
    assert compare("x", "The train leaves from the", [TEXT], "The train leaves from the sent").error == 0


class Voice:
    """Half a second of its own noise for each word, with silence around every sentence."""

    def sentences(self, text: str) -> list[str]:
        return [f"{sentence}." for sentence in text.rstrip(".").split(". ")]

    def speak(self, sentence: str) -> Samples:
        random = np.random.default_rng(len(sentence))
        noise = random.integers(-9000, 9000, WORD * len(sentence.split())).astype(np.int16)
        return np.pad(noise, SILENT)


class Aligner:
    def word_ends_ms(self, text: str, audio: Samples) -> list[int]:
        return [(SILENT + WORD * n) * 1000 // SAMPLE_RATE for n in range(1, len(text.split()) + 1)]


WORD = SAMPLE_RATE // 2
SILENT = SAMPLE_RATE // 10


@pytest.mark.parametrize(("words_heard", "expected"), [(2.0, 2), (2.4, 2), (2.6, 3), (5.0, 5)])
def test_the_last_sound_says_how_many_words_were_heard(words_heard: float, expected: int) -> None:
    voice = Voice()
    reference = Reference(cast(Any, voice), cast(Any, Aligner()), "One two three four. Five six seven.")
    pauses = SILENT + (2 * SILENT if words_heard > 4 else 0)
    whole = np.concatenate([voice.speak("One two three four."), voice.speak("Five six seven.")])
    heard = whole[: pauses + int(words_heard * WORD)]
    assert reference.place(np.pad(heard // 2, (3000, 5000))) == expected


def test_who_falls_silent_and_goes_on_in_fits_is_placed_all_the_same() -> None:
    reference = Reference(cast(Any, Voice()), cast(Any, Aligner()), "One two three four.")
    said = Voice().speak("One two three four.")
    cut, on = SILENT + int(2.3 * WORD), SILENT + int(2.7 * WORD)
    heard = np.concatenate([said[:cut], np.zeros(WORD, np.int16), said[cut:on]])
    assert reference.place(heard) == 3


def test_a_sound_that_the_agent_never_makes_is_not_placed() -> None:
    reference = Reference(cast(Any, Voice()), cast(Any, Aligner()), "One two three four.")
    assert reference.place(np.random.default_rng(0).integers(-9000, 9000, 8000).astype(np.int16)) is None
