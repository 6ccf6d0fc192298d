"""The core under hand-made times. What random calls cannot say: what exactly is done, and when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from ringback.agents.chat import Ask, ChatMessage, ChatSettings, ToolCall
from ringback.agents.plan import ChatPlan, Plan, SpeechPart, TalkSettings
from ringback.agents.tools import ToolResult
from ringback.conversation.actions import (
    Action,
    AddTurn,
    CancelReply,
    CancelTimer,
    CancelTranscription,
    FlushVoice,
    HangUp,
    Log,
    PauseVoice,
    ResumeVoice,
    SetTimer,
    Speak,
    StartReply,
    Transcribe,
)
from ringback.conversation.core import listening
from ringback.conversation.core.core import ConversationCore
from ringback.conversation.core.phrases import phrases_for
from ringback.conversation.dialogue.dialogue import Expectation, ModelAnswer, Reply
from ringback.conversation.events import (
    Answered,
    AudioReady,
    Digit,
    Event,
    Held,
    Injected,
    LegEnded,
    ReplyDone,
    ReplyFailed,
    ReplyText,
    Resumed,
    SoundHeard,
    SpeechStarted,
    SpeechStopped,
    Timer,
    TimerFired,
    Transcribed,
    TranscriptionFailed,
    UtteranceFailed,
    UtteranceFinished,
    UtteranceStarted,
    VoiceFlushed,
    VoicePaused,
)
from ringback.conversation.transcript import Failure, LogEntry, Turn, TurnTiming
from ringback.media.leg import HangupCause

APOLOGY = phrases_for("en").apology
WITHDRAWN = Log(LogEntry("event", "system", "the person went on: the answer that was not heard is withdrawn"))


class Echo:
    """A dialogue that asks the model after "why", hangs up after "bye", and else says what it heard."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.then = Reply()
        """What follows the model's answer."""

    @property
    def slots(self) -> Mapping[str, Any]:
        return {}

    def opening(self) -> Reply:
        return Reply()

    def answer(self, text: str) -> Reply:
        self.log.append(f"answer {text}")
        if text == "why":
            return Reply(ask=Ask((ChatMessage("user", text),), ChatSettings("m")))
        return Reply(f"You said {text}.", ends=text == "bye")

    context: Mapping[str, Any] = {}
    repeat_after_s: float | None = None

    def answered(self, answer: ModelAnswer) -> Reply:
        self.log.append(f"answered {answer.text}")
        return self.then

    def unanswered(self, message: str) -> Reply | None:
        return None

    def results(self, results: Sequence[tuple[ToolCall, ToolResult]]) -> Reply:
        return Reply()

    def inject(self, name: str, properties: Mapping[str, Any]) -> Reply | None:
        return Reply(f"It is {name}.")

    def repeat(self) -> Reply | None:
        return None

    expects = Expectation.COMPLETE

    def judge(self, text: str) -> Expectation:
        return self.expects

    def fills(self, keys: str) -> bool:
        return keys == "4444"

    def heard(self, text: str) -> None:
        self.log.append(f"heard {text}")

    def mark(self) -> object:
        return len(self.log)

    def rewind(self, mark: object) -> None:
        assert isinstance(mark, int)
        del self.log[mark:]


class Talk:
    """A core with the welcome message on its way."""

    def __init__(self, welcome: str = "Hello, {name}.", **talk: Any) -> None:
        part = SpeechPart("local")
        talk = {"check_if_user_online": False} | talk
        plan = Plan("a", "b", welcome, part, part, ChatPlan("m", ChatSettings("m")), TalkSettings(**talk))
        self.dialogue = Echo()
        self.core = ConversationCore(plan, self.dialogue, {"name": "Ada"})
        self.answered = self(0.0, Answered())

    def __call__(self, now: float, event: Event) -> list[Action]:
        return self.core.handle(event, now)

    def welcomed(self) -> Talk:
        """The welcome message was spoken from 0.1 to 1.0."""
        self(0.0, TimerFired(Timer.WELCOME))
        self(0.1, UtteranceStarted(1))
        self(1.0, UtteranceFinished(1))
        return self

    def says(self, text: str, start: float, end: float) -> list[Action]:
        """The person speaks; the actions at the end of the wait."""
        self(start + 0.1, SpeechStarted(start))
        (request,) = [a.request for a in self(end + 0.2, SpeechStopped(end)) if isinstance(a, Transcribe)]
        return self(end + 0.4, Transcribed(request, text))


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """How long which words are waited for is tested elsewhere; here it is 0.4 s, or 1 s for half an answer."""
    waits_s = {Expectation.COMPLETE: 0.4, Expectation.PARTIAL: 1.0}
    monkeypatch.setattr(
        listening, "wait_s", lambda text, expected, *_, **__: waits_s[expected] if text else 0.0
    )


def added(actions: list[Action]) -> Turn:
    """The one turn that is complete."""
    (turn,) = [action.turn for action in actions if isinstance(action, AddTurn)]
    return turn


def test_the_welcome_message_after_its_delay() -> None:
    talk = Talk(welcome_message_delay_ms=700)
    assert talk.answered == [SetTimer(Timer.MAX_DURATION, 90.0), SetTimer(Timer.WELCOME, 0.7)]
    assert talk(0.7, TimerFired(Timer.WELCOME)) == [Speak(1, "Hello, Ada.")]
    assert talk(0.8, UtteranceStarted(1)) == []
    assert talk(1.5, UtteranceFinished(1)) == [
        AddTurn(Turn("assistant", "Hello, Ada.", 800, 1500)),
        SetTimer(Timer.SILENCE, 11.5),
    ]
    assert talk.dialogue.log == ["heard Hello, Ada."]


def test_the_welcome_message_lets_a_hello_end() -> None:
    talk = Talk()
    talk(0.0, SpeechStarted(-0.1))
    assert talk(0.0, TimerFired(Timer.WELCOME)) == [SetTimer(Timer.WELCOME, 1.5)]
    assert talk(0.6, SpeechStopped(0.4)) == [CancelTimer(Timer.WELCOME), Speak(1, "Hello, Ada.")]


def test_the_welcome_message_does_not_wait_for_ever() -> None:
    talk = Talk()
    talk(0.0, SpeechStarted(-0.1))
    talk(0.0, TimerFired(Timer.WELCOME))
    assert talk(1.5, TimerFired(Timer.WELCOME)) == [Speak(1, "Hello, Ada.")]


def test_without_a_welcome_message_the_agent_listens() -> None:
    talk = Talk(welcome="")
    assert talk(0.0, TimerFired(Timer.WELCOME)) == [SetTimer(Timer.SILENCE, 10.0)]


def test_transcription_starts_before_the_turn_is_over() -> None:
    talk = Talk().welcomed()
    assert talk(2.1, SpeechStarted(2.0)) == [CancelTimer(Timer.SILENCE)]
    assert talk(3.2, SpeechStopped(3.0)) == [Transcribe(2, 2.0)]
    assert talk(3.35, Transcribed(2, "hello")) == [SetTimer(Timer.ENDPOINT, 3.4)]
    assert talk(3.4, TimerFired(Timer.ENDPOINT)) == [Speak(3, "You said hello.")]
    assert talk(3.45, AudioReady(3)) == []
    assert talk(3.55, UtteranceStarted(3)) == [AddTurn(Turn("user", "hello", 2000, 3000))]
    turn = added(talk(4.5, UtteranceFinished(3)))
    assert (turn.text, turn.start_ms, turn.end_ms) == ("You said hello.", 3550, 4500)
    assert turn.timing == TurnTiming(550, 400, 100, ((150, "hello"),), first_audio_ms=50)


def test_a_late_transcription_is_answered_when_it_comes() -> None:
    talk = Talk().welcomed()
    talk(2.1, SpeechStarted(2.0))
    talk(3.2, SpeechStopped(3.0))
    assert talk(4.0, Transcribed(2, "hello")) == [Speak(3, "You said hello.")]


def test_a_person_who_goes_on_is_transcribed_anew() -> None:
    talk = Talk().welcomed()
    talk(2.1, SpeechStarted(2.0))
    talk(3.2, SpeechStopped(3.0))
    assert talk(3.4, SpeechStarted(3.3)) == [CancelTranscription(2)]
    assert talk(3.5, Transcribed(2, "too late")) == []
    assert talk(4.2, SpeechStopped(4.0)) == [Transcribe(3, 2.0)]


def test_a_person_who_goes_on_before_the_end_of_the_wait() -> None:
    talk = Talk().welcomed()
    talk(2.1, SpeechStarted(2.0))
    talk(3.2, SpeechStopped(3.0))
    assert talk(3.3, Transcribed(2, "I want")) == [SetTimer(Timer.ENDPOINT, 3.4)]
    assert talk(3.38, SpeechStarted(3.3)) == [CancelTimer(Timer.ENDPOINT)]
    assert talk(4.2, SpeechStopped(4.0)) == [Transcribe(3, 2.0)]


def test_an_unheard_answer_is_withdrawn() -> None:
    talk = Talk().welcomed()
    assert talk.says("one", 2.0, 3.0) == [Speak(3, "You said one.")]
    assert talk(3.5, SpeechStarted(3.4)) == [FlushVoice(), WITHDRAWN]
    assert talk.dialogue.log == ["heard Hello, Ada."]
    assert talk(3.5, VoiceFlushed()) == []
    assert talk(4.2, SpeechStopped(4.0)) == [Transcribe(4, 2.0)]
    assert talk(4.4, Transcribed(4, "one two")) == [Speak(5, "You said one two.")]
    assert talk(4.6, UtteranceStarted(5)) == [AddTurn(Turn("user", "one two", 2000, 4000))]


def test_a_sound_puts_off_the_answer_until_it_is_known_what_it_is() -> None:
    talk = Talk().welcomed()
    talk(2.1, SpeechStarted(2.0))
    talk(3.2, SpeechStopped(3.0))
    talk(3.3, Transcribed(2, "hello"))
    assert talk(3.32, SoundHeard()) == [SetTimer(Timer.ENDPOINT, pytest.approx(3.48))]
    assert talk(3.4, TimerFired(Timer.ENDPOINT)) == [], "it was on the way when the sound came"
    assert talk(3.48, TimerFired(Timer.ENDPOINT)) == [Speak(3, "You said hello.")]


def test_a_sound_before_the_words_are_known_counts_as_much() -> None:
    talk = Talk().welcomed()
    talk(2.1, SpeechStarted(2.0))
    talk(3.2, SpeechStopped(3.0))
    assert talk(3.36, SoundHeard()) == []
    assert talk(3.38, Transcribed(2, "hello")) == [SetTimer(Timer.ENDPOINT, pytest.approx(3.52))]


def test_sounds_that_last_put_the_answer_off_once() -> None:
    talk = Talk().welcomed()
    talk(2.1, SpeechStarted(2.0))
    talk(3.2, SpeechStopped(3.0))
    talk(3.3, Transcribed(2, "hello"))
    for tick in range(10):
        talk(3.32 + 0.02 * tick, SoundHeard())
    talk(3.6, SoundHeard())
    assert talk(3.71, SoundHeard()) == []
    assert talk(3.72, TimerFired(Timer.ENDPOINT)) == [Speak(3, "You said hello.")]
    assert talk(3.73, SoundHeard()) == []


def test_an_answer_that_is_not_heard_yet_waits_for_a_sound_to_be_known() -> None:
    talk = Talk().welcomed()
    talk.says("one", 2.0, 3.0)
    assert talk(3.42, SoundHeard()) == [PauseVoice(), SetTimer(Timer.DOUBT, pytest.approx(3.58))]
    assert talk(3.45, AudioReady(3)) == []
    assert talk(3.58, TimerFired(Timer.DOUBT)) == [ResumeVoice()]
    assert talk(3.6, UtteranceStarted(3)) == [AddTurn(Turn("user", "one", 2000, 3000))]
    assert talk(3.62, SoundHeard()) == [], "it is heard already"
    timing = added(talk(4.5, UtteranceFinished(3))).timing
    assert timing is not None
    assert (timing.endpointing_ms, timing.overhead_ms) == (530, 20), "0.13 s with the audio there"


def test_an_answer_that_waits_for_a_sound_is_withdrawn_when_it_is_speech() -> None:
    talk = Talk().welcomed()
    talk.says("one", 2.0, 3.0)
    talk(3.42, SoundHeard())
    assert talk(3.5, SpeechStarted(3.4)) == [CancelTimer(Timer.DOUBT), FlushVoice(), WITHDRAWN]
    assert talk(3.5, VoiceFlushed()) == []
    assert talk(4.2, SpeechStopped(4.0)) == [Transcribe(4, 2.0)]


@pytest.mark.parametrize("moment", ["nobody has spoken", "the person speaks", "the agent speaks"])
def test_a_sound_at_another_time_means_nothing(moment: str) -> None:
    talk = Talk().welcomed()
    if moment == "the person speaks":
        talk(2.1, SpeechStarted(2.0))
    elif moment == "the agent speaks":
        talk.says("one", 2.0, 3.0)
        talk(3.5, UtteranceStarted(3))
    assert talk(3.6, SoundHeard()) == []


def test_a_withdrawn_goodbye_does_not_hang_up() -> None:
    talk = Talk().welcomed()
    talk.says("bye", 2.0, 3.0)
    talk(3.5, SpeechStarted(3.4))
    assert talk(3.5, VoiceFlushed()) == []
    assert not talk.core.over


def test_a_noise_is_not_a_turn() -> None:
    talk = Talk().welcomed()
    assert talk.says("", 9.0, 9.2) == [SetTimer(Timer.SILENCE, 11.6)]
    assert talk.says("", 11.0, 11.1) == [SetTimer(Timer.SILENCE, 13.5)]


def test_half_an_answer_is_waited_for() -> None:
    talk = Talk().welcomed()
    talk(2.1, SpeechStarted(2.0))
    talk(3.2, SpeechStopped(3.0))
    talk.dialogue.expects = Expectation.PARTIAL
    assert talk(3.3, Transcribed(2, "Four.")) == [SetTimer(Timer.ENDPOINT, 4.0)]


def test_after_an_interruption_the_person_has_more_time() -> None:
    talk = interrupted(interruption_backoff_period_ms=500)
    talk(1.1, SpeechStopped(0.9))
    assert talk(1.3, Transcribed(2, "wait, not Monday")) == [FlushVoice(), SetTimer(Timer.ENDPOINT, 1.8)]


def interrupted(**talk: Any) -> Talk:
    """A person who begins to speak at 0.5 into the welcome message of one sentence."""
    it = Talk("One two three four five six seven.", **talk)
    it(0.0, TimerFired(Timer.WELCOME))
    it(0.1, UtteranceStarted(1))
    assert it(0.6, SpeechStarted(0.5)) == [PauseVoice(), SetTimer(Timer.INTERIM, 1.1)]
    assert it(0.6, VoicePaused(1500)) == []
    return it


def test_words_during_the_pause_interrupt() -> None:
    talk = interrupted()
    assert talk(1.1, TimerFired(Timer.INTERIM)) == [Transcribe(2, 0.5)]
    assert talk(1.65, Transcribed(2, "no thanks")) == [FlushVoice()]
    assert talk(1.65, VoiceFlushed(1, 1000, 2500)) == [
        AddTurn(Turn("assistant", "One two three", 100, 600, interrupted=True))
    ]
    assert talk.dialogue.log == ["heard One two three —"]
    talk(1.7, SpeechStopped(1.5))
    assert talk(1.95, Transcribed(3, "no wait please")) == [Speak(4, "You said no wait please.")]


def test_too_few_words_resume() -> None:
    talk = interrupted()
    talk(0.9, SpeechStopped(0.7))
    assert talk(1.05, Transcribed(2, "mhm")) == [ResumeVoice(), SetTimer(Timer.ENDPOINT, 1.1)]
    (logged,) = talk(1.18, TimerFired(Timer.ENDPOINT))
    assert isinstance(logged, Log)
    assert logged.entry.data == "did not interrupt: mhm"
    assert talk(3.0, UtteranceFinished(1))[0] == AddTurn(
        Turn("assistant", "One two three four five six seven.", 100, 3000)
    )


def test_words_that_the_transcriber_is_sure_of_interrupt_sooner() -> None:
    talk = interrupted()
    talk(1.1, TimerFired(Timer.INTERIM))
    assert FlushVoice() not in talk(1.3, Transcribed(2, "no thanks"))
    talk = interrupted()
    talk(1.1, TimerFired(Timer.INTERIM))
    assert talk(1.3, Transcribed(2, "no thanks", confidence=-0.2)) == [FlushVoice()]


def test_words_that_the_transcriber_is_not_sure_of_do_not_interrupt() -> None:
    talk = interrupted()
    talk(1.4, SpeechStopped(1.2))
    assert talk(1.5, Transcribed(2, "good luck", confidence=-1.2))[0] == ResumeVoice()
    (logged,) = talk(1.7, TimerFired(Timer.ENDPOINT))
    assert isinstance(logged, Log)
    assert logged.entry.data == "did not interrupt: good luck"


def test_a_long_noise_resumes_while_it_lasts() -> None:
    talk = interrupted()
    talk(1.1, TimerFired(Timer.INTERIM))
    assert talk(1.3, Transcribed(2, "so")) == [SetTimer(Timer.INTERIM, 1.9)]
    talk(1.9, TimerFired(Timer.INTERIM))
    assert talk(2.1, Transcribed(3, "so")) == [ResumeVoice(), SetTimer(Timer.INTERIM, 2.7)]
    talk(2.7, TimerFired(Timer.INTERIM))
    assert talk(2.9, Transcribed(4, "now listen")) == [FlushVoice()]


def test_a_noise_over_which_somebody_begins_to_speak_is_looked_at_once_more() -> None:
    """The agent fell silent for the noise, and so the person began: it must not go on over them."""
    talk = interrupted()
    talk(1.1, TimerFired(Timer.INTERIM))
    assert talk(1.3, Transcribed(2, "", rises=True)) == [SetTimer(Timer.INTERIM, 1.9)]
    talk(1.9, TimerFired(Timer.INTERIM))
    assert talk(2.1, Transcribed(3, "no thanks")) == [FlushVoice()]


def test_a_noise_that_swells_resumes_all_the_same() -> None:
    talk = interrupted()
    talk(1.1, TimerFired(Timer.INTERIM))
    talk(1.3, Transcribed(2, "", rises=True))
    talk(1.9, TimerFired(Timer.INTERIM))
    assert talk(2.1, Transcribed(3, "", rises=True)) == [ResumeVoice(), SetTimer(Timer.INTERIM, 2.7)]


def test_who_begins_late_in_a_noise_gets_looks_of_their_own() -> None:
    talk = interrupted()
    talk(1.1, TimerFired(Timer.INTERIM))
    assert talk(1.3, Transcribed(2, "so")) == [SetTimer(Timer.INTERIM, 1.9)]
    talk(1.9, TimerFired(Timer.INTERIM))
    assert talk(2.1, Transcribed(3, "no", rises=True)) == [SetTimer(Timer.INTERIM, 2.7)]
    talk(2.7, TimerFired(Timer.INTERIM))
    assert talk(2.9, Transcribed(4, "941.")) == [FlushVoice()]


@pytest.mark.parametrize("heard", [Transcribed(2, ""), Transcribed(2, "by the time", confidence=-1.7)])
def test_a_noise_without_words_resumes_at_the_first_look(heard: Transcribed) -> None:
    talk = interrupted()
    talk(1.1, TimerFired(Timer.INTERIM))
    assert talk(1.3, heard) == [ResumeVoice(), SetTimer(Timer.INTERIM, 1.9)]
    talk(1.9, TimerFired(Timer.INTERIM))
    assert talk(2.1, Transcribed(3, "now listen")) == [FlushVoice()]


def test_one_word_is_enough_where_the_plan_says_so() -> None:
    talk = interrupted(number_of_words_for_interruption=1)
    talk(1.1, TimerFired(Timer.INTERIM))
    assert talk(1.3, Transcribed(2, "no")) == [FlushVoice()]


def test_a_stop_is_always_enough() -> None:
    talk = interrupted(number_of_words_for_interruption=5)
    talk(1.1, TimerFired(Timer.INTERIM))
    assert talk(1.3, Transcribed(2, "Stop!")) == [FlushVoice()]


def test_a_goodbye_is_spoken_although_somebody_just_spoke_over_the_answer() -> None:
    """The random calls' seed 178: the voice stayed paused."""
    talk = asked()
    talk.dialogue.then = Reply(ends=True)
    talk(3.6, ReplyText(3, "Because. "))
    talk(3.7, UtteranceStarted(4))
    talk(3.9, SpeechStarted(3.8))
    assert talk(4.0, ReplyDone(3)) == [CancelTimer(Timer.INTERIM), ResumeVoice()]


def test_backchannels_do_not_interrupt() -> None:
    talk = interrupted(number_of_words_for_interruption=1)
    talk(0.9, SpeechStopped(0.7))
    assert talk(1.05, Transcribed(2, "Yeah okay")) == [ResumeVoice(), SetTimer(Timer.ENDPOINT, 1.1)]


@pytest.mark.parametrize("confidence", [None, -0.2, -1.5])
def test_one_word_is_enough_at_the_last_words(confidence: float | None) -> None:
    talk = Talk().welcomed()
    talk.says("one", 2.0, 3.0)
    talk(3.5, UtteranceStarted(3))
    talk(4.0, SpeechStarted(3.9))
    talk(4.0, VoicePaused(400))
    talk(4.3, SpeechStopped(4.1))
    assert talk(4.5, Transcribed(4, "Monday", confidence=confidence))[0] == FlushVoice()
    turn = added(talk(4.5, VoiceFlushed(3, 500, 900)))
    assert (turn.text, turn.end_ms, turn.interrupted, turn.latency_ms) == ("You said", 4000, True, 500)


def asked() -> Talk:
    talk = Talk().welcomed()
    assert talk.says("why", 2.0, 3.0) == [
        StartReply(3, Ask((ChatMessage("user", "why"),), ChatSettings("m")))
    ]
    return talk


def test_a_reply_is_spoken_sentence_by_sentence() -> None:
    talk = asked()
    assert talk(3.6, ReplyText(3, "Because ")) == []
    assert talk(3.7, ReplyText(3, "I can. And ")) == [Speak(4, "Because I can.")]
    talk(3.8, UtteranceStarted(4))
    assert talk(4.5, UtteranceFinished(4)) == []
    assert talk(4.6, ReplyText(3, "so on")) == []
    assert talk(4.7, ReplyDone(3)) == [Speak(5, "And so on")]
    talk(4.8, UtteranceStarted(5))
    turn = added(talk(5.5, UtteranceFinished(5)))
    assert (turn.text, turn.start_ms, turn.latency_ms) == ("Because I can. And so on", 3800, 800)
    assert turn.timing is not None
    assert (turn.timing.first_token_ms, turn.timing.last_token_ms) == (200, 1300)


def test_a_cancelled_reply_is_not_spoken() -> None:
    talk = asked()
    assert talk(3.6, SpeechStarted(3.5)) == [CancelReply(3), FlushVoice(), WITHDRAWN]
    assert talk(3.7, ReplyText(3, "Too late. ")) == []
    assert talk(3.8, ReplyDone(3)) == []


def test_a_dead_language_model_apologises_then_hangs_up() -> None:
    talk = asked()
    log, settled, *sentences = talk(4.0, ReplyFailed(3, "The model is gone."))
    assert isinstance(log, Log)
    assert settled == AddTurn(Turn("user", "why", 2000, 3000))
    assert " ".join(s.text for s in sentences if isinstance(s, Speak)) == APOLOGY
    for sentence in sentences:
        assert isinstance(sentence, Speak)
        talk(4.1, UtteranceStarted(sentence.utterance))
        last = talk(5.0, UtteranceFinished(sentence.utterance))
    assert last[-1] == HangUp(HangupCause.ERROR, Failure("llm", "The model is gone."))


def test_an_empty_reply_is_a_failure() -> None:
    talk = asked()
    log, again = talk(4.0, ReplyDone(3))
    assert isinstance(log, Log)
    assert again == StartReply(4, Ask((ChatMessage("user", "why"),), ChatSettings("m")))
    texts = [action.text for action in talk(4.5, ReplyDone(4)) if isinstance(action, Speak)]
    assert " ".join(texts) == APOLOGY


def test_a_dead_transcriber_apologises() -> None:
    talk = Talk().welcomed()
    talk(2.1, SpeechStarted(2.0))
    talk(3.2, SpeechStopped(3.0))
    actions = talk(3.4, TranscriptionFailed(2, "No ears."))
    assert [a.text for a in actions if isinstance(a, Speak)][-1] == "Goodbye."


def test_a_dead_synthesizer_hangs_up_at_once() -> None:
    talk = Talk()
    talk(0.0, TimerFired(Timer.WELCOME))
    actions = talk(0.5, UtteranceFailed(1, "No voice."))
    assert actions[1:] == [
        FlushVoice(),
        CancelTimer(Timer.MAX_DURATION),
        HangUp(HangupCause.ERROR, Failure("synthesizer", "No voice.")),
    ]


def test_silence_hangs_up_after_the_goodbye() -> None:
    talk = Talk(call_hangup_message="Bye, {name}.").welcomed()
    assert talk(11.0, TimerFired(Timer.SILENCE)) == [Speak(2, "Bye, Ada.")]
    talk(11.1, UtteranceStarted(2))
    assert talk(12.0, UtteranceFinished(2))[-1] == HangUp(HangupCause.SILENCE)


def test_silence_hangs_up_at_once_without_a_goodbye() -> None:
    talk = Talk().welcomed()
    assert talk(11.0, TimerFired(Timer.SILENCE))[-1] == HangUp(HangupCause.SILENCE)


def test_the_agent_hangs_up_when_its_goodbye_was_played() -> None:
    talk = Talk().welcomed()
    assert talk.says("bye", 2.0, 3.0) == [Speak(3, "You said bye.")]
    talk(3.5, UtteranceStarted(3))
    # Nothing interrupts the last words.
    assert talk(3.8, SpeechStarted(3.7)) == []
    turn, *rest = talk(4.5, UtteranceFinished(3))
    assert added([turn]).text == "You said bye."
    assert rest == [CancelTimer(Timer.MAX_DURATION), HangUp(HangupCause.AGENT)]
    assert talk(4.6, LegEnded()) == [Transcribe(4, 3.7)]
    assert talk(4.8, Transcribed(4, "thanks")) == [AddTurn(Turn("user", "thanks", 3700, 4600))]
    assert talk.core.over


def test_the_longest_call_ends_in_the_middle_of_a_word() -> None:
    talk = Talk(call_terminate_s=0.5)
    talk(0.0, TimerFired(Timer.WELCOME))
    talk(0.1, UtteranceStarted(1))
    assert talk(0.5, TimerFired(Timer.MAX_DURATION)) == [FlushVoice(), HangUp(HangupCause.MAX_DURATION)]
    assert talk(0.5, VoiceFlushed(1, 300, 800)) == [AddTurn(Turn("assistant", "Hello,", 100, 500, True))]
    assert talk(0.6, UtteranceFinished(1)) == []


def test_a_timer_that_was_moved_does_not_fire_early() -> None:
    talk = Talk().welcomed()
    talk.says("", 9.0, 9.2)
    assert talk(11.0, TimerFired(Timer.SILENCE)) == []


def test_keys_are_logged() -> None:
    (log,) = Talk().welcomed()(2.0, Digit("#"))
    assert isinstance(log, Log)
    assert log.entry.data == "keypad: #"


def test_nothing_happens_after_the_end() -> None:
    talk = Talk().welcomed()
    assert set(talk(2.0, LegEnded())) == {CancelTimer(Timer.MAX_DURATION), CancelTimer(Timer.SILENCE)}
    assert talk.core.over
    for event in (LegEnded(), SpeechStarted(2.0), TimerFired(Timer.SILENCE), Transcribed(2, "x"), Answered()):
        assert talk(3.0, event) == []


def test_nobody_is_listened_to_during_a_hold() -> None:
    talk = Talk().welcomed()
    assert talk(2.0, Held())[1:] == [CancelTimer(Timer.SILENCE), PauseVoice()]
    assert talk(2.2, SpeechStarted(2.1)) == []
    assert talk(3.2, SpeechStopped(3.0)) == []
    assert talk(4.0, Resumed())[1:] == [ResumeVoice(), SetTimer(Timer.SILENCE, 14.0)]


def test_who_speaks_when_a_hold_ends_is_heard_from_there() -> None:
    """The random calls' seed 5141."""
    talk = Talk().welcomed()
    talk(2.0, Held())
    talk(2.2, SpeechStarted(2.1))
    talk(4.0, Resumed())
    assert talk(5.2, SpeechStopped(5.0)) == [Transcribe(2, 4.0)]


def test_who_was_told_of_an_event_may_think_about_it() -> None:
    talk = Talk().welcomed()
    assert talk(10.0, Injected("paid")) == [CancelTimer(Timer.SILENCE), Speak(2, "It is paid.")]
    talk(10.1, UtteranceStarted(2))
    assert talk(11.0, UtteranceFinished(2))[-1] == SetTimer(Timer.SILENCE, 21.0)


def test_what_an_empty_reply_had_of_marks_is_not_spoken() -> None:
    talk = asked()
    talk(3.6, ReplyText(3, "..."))
    talk(4.0, ReplyDone(3))
    talk(4.4, ReplyText(4, "Because."))
    assert talk(4.5, ReplyDone(4)) == [Speak(5, "Because.")]
