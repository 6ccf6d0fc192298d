"""What the core does about whoever took the call."""

from __future__ import annotations

from dataclasses import replace

from ringback.agents.chat import ChatSettings
from ringback.agents.plan import ChatPlan, Plan, SpeechPart, TalkSettings, VoicemailSettings
from ringback.conversation import actions, events
from ringback.conversation.actions import Action
from ringback.conversation.core.core import ConversationCore
from ringback.conversation.core.vetting import LONGEST_GREETING_S, NO_BEEP_S
from ringback.conversation.dialogue.chat import ChatDialogue
from ringback.conversation.events import Event, Timer
from ringback.conversation.screening.verdict import Kind
from ringback.media.leg import HangupCause
from ringback.media.tones import Tone, ToneKind

MESSAGE = "Ada, please call us back."
LEAVES = VoicemailSettings("{name}, please call us back.")
WELCOME = "Hello Ada."
BEEP = events.ToneHeard(Tone(ToneKind.BEEP, 1000, 400))
GREETING = "You have reached the voicemail of Ann."


def make_core(voicemail: VoicemailSettings | None) -> ConversationCore:
    part = SpeechPart("local")
    plan = Plan(
        "a",
        "b",
        "Hello {name}.",
        part,
        part,
        ChatPlan("local", ChatSettings("m"), None, "You sell."),
        TalkSettings(voicemail=voicemail),
    )
    assert isinstance(plan.dialogue, ChatPlan)
    return ConversationCore(plan, ChatDialogue(plan.dialogue, {}, {"name": "Ada"}), {"name": "Ada"})


class Table:
    """A call that was answered and whose agent is greeting; times are given by hand."""

    def __init__(self, voicemail: VoicemailSettings | None = LEAVES) -> None:
        self.core = make_core(voicemail)
        self.timers: dict[Timer, float] = {}
        self.utterance = 0
        self.at(0.0, events.Answered())
        wanted = self.at(0.0, events.TimerFired(Timer.WELCOME))
        [speak] = [action for action in wanted if isinstance(action, actions.Speak)]
        self.utterance = speak.utterance
        self.at(0.1, events.UtteranceStarted(speak.utterance))

    def at(self, now: float, event: Event) -> list[Action]:
        wanted = self.core.handle(event, now)
        for action in list(wanted):
            if isinstance(action, actions.SetTimer):
                self.timers[action.timer] = action.at
            elif isinstance(action, actions.CancelTimer):
                self.timers.pop(action.timer)
            elif isinstance(action, actions.FlushVoice):
                wanted += self.at(now, events.VoiceFlushed(self.utterance, 300, 900))
        return wanted

    def fires(self, timer: Timer) -> list[Action]:
        now = self.timers.pop(timer)
        return self.at(now, events.TimerFired(timer))

    def says(self, text: str, begins: float, ends: float) -> list[Action]:
        """Words, transcribed 0.3 s after their end."""
        wanted = self.at(begins + 0.1, events.SpeechStarted(begins))
        wanted += self.at(ends + 0.2, events.SpeechStopped(ends))
        [request] = [action.request for action in wanted if isinstance(action, actions.Transcribe)]
        return self.at(ends + 0.3, events.Transcribed(request, text))

    @property
    def kind(self) -> Kind | None:
        return self.core.answered_by.kind if self.core.answered_by else None


def spoken(wanted: list[Action]) -> list[str]:
    return [action.text for action in wanted if isinstance(action, actions.Speak)]


def hangup(wanted: list[Action]) -> HangupCause | None:
    return next((action.cause for action in wanted if isinstance(action, actions.HangUp)), None)


def test_without_the_setting_nobody_wants_to_know() -> None:
    table = Table(None)
    wanted = table.says(GREETING + " Please leave a message after the tone.", 0.5, 3.0)
    assert hangup(wanted) is None
    assert table.kind is None
    assert not any(isinstance(action, actions.Overhear | actions.StopTones) for action in wanted)
    assert Timer.SCREEN not in table.timers
    assert table.at(4.0, BEEP) == []


def test_a_machine_is_hung_up_on() -> None:
    table = Table(VoicemailSettings())
    assert hangup(table.says(GREETING, 0.5, 2.5)) is HangupCause.VOICEMAIL
    assert table.kind is Kind.MACHINE


def test_the_message_is_left_after_the_beep() -> None:
    table = Table()
    wanted = table.says(GREETING, 0.5, 2.5)
    assert hangup(wanted) is None
    assert spoken(table.at(3.0, events.TimerFired(Timer.SILENCE))) == [], "the agent is silent meanwhile"
    table.says("Please leave a message after the tone.", 3.0, 5.0)
    wanted = table.at(6.0, BEEP)
    assert spoken(wanted) == [MESSAGE]
    [utterance] = [action.utterance for action in wanted if isinstance(action, actions.Speak)]
    table.at(6.1, events.UtteranceStarted(utterance))
    assert hangup(table.at(9.0, events.UtteranceFinished(utterance))) is HangupCause.VOICEMAIL


def test_a_low_tone_while_the_machine_speaks_is_a_vowel() -> None:
    table = Table()
    table.says(GREETING, 0.5, 2.5)
    low = events.ToneHeard(Tone(ToneKind.BEEP, 440, 300))
    table.at(3.1, events.SpeechStarted(3.0))
    assert spoken(table.at(4.0, low)) == []
    table.at(5.2, events.SpeechStopped(5.0))
    assert spoken(table.at(6.0, low)) == [MESSAGE]


def test_a_beep_that_tells_the_machine_is_not_waited_for_again() -> None:
    table = Table()
    table.says("Gone fishing, back soon, you know", 0.5, 2.5)
    assert spoken(table.at(3.0, BEEP)) == [MESSAGE]


def test_without_a_beep_silence_is_enough() -> None:
    table = Table()
    table.says(GREETING, 0.5, 2.5)
    assert table.timers[Timer.BEEP] == 2.5 + 0.3 + NO_BEEP_S
    assert spoken(table.fires(Timer.BEEP)) == [MESSAGE]


def test_the_longest_greeting_comes_to_an_end() -> None:
    table = Table()
    table.says(GREETING, 0.5, 2.5)
    table.at(3.1, events.SpeechStarted(3.0))
    assert table.timers[Timer.BEEP] == 2.8 + LONGEST_GREETING_S
    assert spoken(table.fires(Timer.BEEP)) == [MESSAGE]


def test_an_announcement_of_the_network_gets_no_message() -> None:
    table = Table()
    assert (
        hangup(table.at(0.9, events.ToneHeard(Tone(ToneKind.INFORMATION, 950, 990)))) is HangupCause.VOICEMAIL
    )


def test_a_fax_machine_is_hung_up_on() -> None:
    table = Table()
    assert hangup(table.at(0.9, events.ToneHeard(Tone(ToneKind.ANSWER, 2100, 600)))) is HangupCause.FAX
    assert table.kind is Kind.FAX


def test_a_person_who_picks_up_gets_the_agent_back() -> None:
    table = Table()
    table.says(GREETING, 0.5, 2.5)
    table.fires(Timer.ENDPOINT)
    wanted = table.says("Hello? Who is this?", 4.0, 5.0)
    assert table.kind is Kind.HUMAN
    assert Timer.BEEP not in table.timers
    wanted += table.fires(Timer.ENDPOINT)
    assert any(isinstance(action, actions.StartReply) for action in wanted)


def test_a_call_screener_is_told_who_calls() -> None:
    table = Table()
    table.at(0.3, events.UtteranceFinished(table.utterance))
    table.says("Please record your name and reason for calling.", 0.5, 2.5)
    wanted = table.fires(Timer.ENDPOINT)
    assert spoken(wanted) == [WELCOME]
    assert table.kind is Kind.SCREENER


def test_who_speaks_on_is_overheard_until_it_is_known() -> None:
    table = Table()
    table.at(0.6, events.SpeechStarted(0.5))
    [overhear] = [one for one in table.fires(Timer.SCREEN) if isinstance(one, actions.Overhear)]
    assert overhear.since == 0.5
    wanted = table.at(2.1, events.Overheard(overhear.request, "Please leave a message"))
    assert isinstance(wanted[0], actions.Log)
    assert table.kind is Kind.MACHINE
    assert table.at(2.2, events.Overheard(overhear.request, "hello?")) == [], "news twice"


def test_a_hold_is_nobodys_voice() -> None:
    table = Table()
    table.at(0.5, events.Held())
    assert table.at(1.0, BEEP) == []
    assert hangup(table.at(1.0, events.ToneHeard(Tone(ToneKind.ANSWER, 2100, 600)))) is None


def test_after_its_time_no_tones_are_wanted() -> None:
    table = Table(replace(VoicemailSettings(), lasts_s=5.0))
    table.says("Hello, who is this?", 0.5, 1.5)
    assert table.kind is Kind.HUMAN
    assert table.timers[Timer.SCREEN] == 5.0
    assert actions.StopTones() in table.fires(Timer.SCREEN)
    assert table.at(5.1, BEEP) == []
