"""The verdict by cadence, words and tones, without a conversation."""

from __future__ import annotations

import pytest

from benchmarks.voicemail import labels
from ringback.agents.plan import VoicemailSettings
from ringback.conversation.screening.phrases import greets, weigh
from ringback.conversation.screening.screening import DECIDE_S, Screening
from ringback.conversation.screening.verdict import Kind
from ringback.media.tones import Tone, ToneKind

BEEP = Tone(ToneKind.BEEP, 1000, 400)


class Listener:
    """Says it all to a screening, one call's, that was answered at 0."""

    def __init__(self, **settings: object) -> None:
        self.screening = Screening("en", VoicemailSettings(**settings))  # type: ignore[arg-type]
        self.screening.answered(0.0)

    def says(self, text: str, begins: float, ends: float, goes_on: bool = False) -> Listener:
        self.screening.speech_started(begins)
        if goes_on:
            self.screening.looked(ends)
        else:
            self.screening.speech_stopped(ends)
        self.screening.heard(begins, text, ends + 0.3)
        return self

    def beeps(self, tone: Tone = BEEP, at: float = 2.6) -> Listener:
        self.screening.tone(tone, at)
        return self

    def at(self, now: float) -> Kind | None:
        self.screening.judge(now)
        return self.screening.verdict.kind if self.screening.verdict else None


def test_a_hello_with_silence_after_it_is_a_persons() -> None:
    listener = Listener().says("Hello?", 0.5, 0.9)
    assert listener.at(2.2) is None
    assert listener.screening.again == pytest.approx(2.3)
    assert listener.at(2.3) is Kind.HUMAN


def test_a_greeting_that_goes_on_is_not_decided_by_its_pause() -> None:
    listener = Listener().says("Hello.", 0.5, 0.9).says("You have reached the voicemail of Ann.", 1.6, 3.0)
    assert listener.at(3.4) is Kind.MACHINE


def test_words_decide_as_soon_as_they_are_known() -> None:
    assert Listener().says("Please leave a message", 0.3, 1.6, goes_on=True).at(1.9) is Kind.MACHINE
    assert Listener().says("For sales, press one", 0.3, 1.6, goes_on=True).at(1.9) is Kind.IVR
    assert Listener().says("Your call is being screened", 0.3, 1.6, goes_on=True).at(1.9) is Kind.SCREENER
    assert Listener().says("Hello, how can I help?", 0.3, 1.6, goes_on=True).at(1.9) is Kind.HUMAN


def test_without_a_word_it_is_silence_and_may_turn_out_otherwise() -> None:
    listener = Listener()
    assert listener.at(DECIDE_S) is Kind.SILENCE
    assert listener.says("Please leave a message after the tone.", 5.0, 7.0).at(8.0) is Kind.MACHINE


def test_noise_before_the_first_words_takes_no_time_of_theirs() -> None:
    listener = Listener().says("", 0.3, 1.0)
    assert listener.at(2.5) is None, "silence after a noise is nobody's waiting"
    listener.says("", 2.0, 3.0, goes_on=True)
    assert listener.screening.again == pytest.approx(3.3 - 0.6 + DECIDE_S)


def test_who_talks_on_without_a_sign_is_a_person_by_guess() -> None:
    listener = Listener().says("I wanted to ask about the weather", 0.2, 3.5, goes_on=True)
    assert listener.at(0.2 + DECIDE_S) is Kind.HUMAN
    assert not listener.screening.sure
    words = "I am not at home so please leave a message"
    assert listener.says(words, 0.2, 6.0).at(6.5) is Kind.MACHINE


def test_a_sure_person_becomes_a_machine_only_by_many_words() -> None:
    listener = Listener().says("Hello, who is this?", 0.3, 1.5)
    assert listener.at(1.8) is Kind.HUMAN
    assert listener.says("You can leave a message with me.", 6.0, 8.0).at(8.5) is Kind.HUMAN
    many = "Nobody is available to take your call, please leave your name after the tone."
    assert listener.says(many, 9.0, 12.0).at(12.5) is Kind.MACHINE


def test_after_its_time_a_verdict_stands() -> None:
    listener = Listener(lasts_s=10.0).says("Hello?", 0.3, 0.8)
    assert listener.at(2.3) is Kind.HUMAN
    many = "Nobody is available to take your call, please leave your name after the tone."
    assert listener.says(many, 20.0, 24.0).at(25.0) is Kind.HUMAN


def test_a_beep_after_a_greeting_is_a_machines() -> None:
    assert Listener().says("Gone fishing, and so on", 0.3, 2.5).beeps().at(2.6) is Kind.MACHINE


def test_a_beep_alone_or_after_a_persons_words_decides_nothing() -> None:
    assert Listener().beeps().at(1.0) is None
    assert Listener().says("Hello?", 0.3, 0.8).beeps().at(0.9) is None
    assert Listener().says("Hello, who is this, please?", 0.3, 1.8).beeps().at(2.0) is Kind.HUMAN


def test_a_low_beep_needs_words_for_a_machine() -> None:
    low = Tone(ToneKind.BEEP, 440, 300)
    assert Listener().says("Tony's pizza, pick up or delivery", 0.3, 2.5).beeps(low).at(2.6) is None
    assert Listener().says("You have reached Tony and all", 0.3, 2.5).beeps(low).at(2.6) is Kind.MACHINE


def test_a_beep_in_a_conversation_makes_no_machine_of_a_person() -> None:
    listener = Listener().says("Hello, this is Peter Smith.", 0.3, 1.8)
    assert listener.at(3.6) is Kind.HUMAN
    assert listener.beeps(at=15.0).at(16.0) is Kind.HUMAN
    assert listener.beeps(Tone(ToneKind.ANSWER, 2100, 600), at=16.0).at(17.0) is Kind.HUMAN


def test_a_pause_in_a_greeting_may_be_taken_for_a_persons_until_the_beep() -> None:
    listener = Listener().says("Hi, this is Mike.", 0.3, 1.6)
    assert listener.at(3.4) is Kind.HUMAN
    assert listener.beeps(at=4.0).at(4.1) is Kind.MACHINE


def test_fax_machines_and_announcements_are_known_by_their_tones() -> None:
    assert Listener().beeps(Tone(ToneKind.ANSWER, 2100, 600)).at(0.9) is Kind.FAX
    assert Listener().beeps(Tone(ToneKind.CALLING, 1100, 500)).at(0.9) is Kind.FAX
    assert Listener().beeps(Tone(ToneKind.INFORMATION, 950, 990)).at(1.2) is Kind.MACHINE
    greeting = Listener().says("You have reached Ann, I cannot", 0.3, 2.5)
    assert greeting.beeps(Tone(ToneKind.CALLING, 1100, 500)).at(3.0) is Kind.MACHINE, "a beep of 1100 Hz"


def test_somebody_picks_up_while_the_machine_speaks() -> None:
    listener = Listener().says("Please leave a message after the tone.", 0.3, 2.5)
    assert listener.at(2.8) is Kind.MACHINE
    assert listener.says("Hello? Hello?", 4.0, 5.0).at(5.3) is Kind.HUMAN


def test_the_words_of_who_speaks_on_are_wanted_again_and_again() -> None:
    screening = Listener().screening
    assert screening.look is None
    screening.speech_started(1.0)
    assert screening.look == pytest.approx(2.3)
    screening.looked(2.3)
    assert screening.look == pytest.approx(2.3 + 0.77)
    screening.heard(1.0, "Please leave a message", 2.6)
    assert screening.look is None, "what is sure needs no further look"


@pytest.mark.parametrize("words", labels.words(), ids=lambda words: words.id)
def test_what_is_said_leans_to_who_says_it(words: labels.Words) -> None:
    weighed = weigh(words.text, words.language)
    if words.label == "human":
        assert weighed.kind in (None, Kind.HUMAN) or weighed.weight < 2, weighed
    else:
        assert (weighed.kind, weighed.weight >= 2) == (Kind(words.label), True), weighed


@pytest.mark.parametrize(
    "text", ["Hello?", "hi there", "Yes.", "Allô ?", "¿Bueno?", "Pronto?", "हैलो?", "Good morning."]
)
def test_greetings(text: str) -> None:
    assert greets(text.lstrip("¿"))


@pytest.mark.parametrize("text", ["", "Hello, you have reached Ann.", "Leave a message."])
def test_what_is_more_than_a_greeting(text: str) -> None:
    assert not greets(text)
