"""The menus before an agent, without I/O: keys, silence, retries, and whatever order things happen in."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringback.agents.ivr_config import INVALID_INPUT, NO_INPUT, IvrConfig
from ringback.agents.validation import check
from ringback.conversation import actions, events
from ringback.conversation.events import Event, Timer
from ringback.conversation.ivr import Ivr
from ringback.conversation.transcript import Turn

SALES = {
    "step_id": "department",
    "type": "menu",
    "prompt": "Sales is 1, service 2.",
    "field_name": "department",
    "options": [
        {"digit": "1", "label": "Sales", "agent_id": "seller"},
        {"digit": "2", "label": "Service", "context_label": "has a fault"},
    ],
    "conditional_next": {"2": "order"},
}
ORDER = {"step_id": "order", "type": "collect", "prompt": "Your order?", "min_digits": 2, "max_digits": 4}
SPOKEN_S = 1.0


class Caller:
    """A machine, a voice that takes a second for each sentence, and the time."""

    def __init__(self, *steps: dict[str, Any], **fields: Any) -> None:
        given = {"steps": list(steps) or [SALES, ORDER], "welcome_message": "Welcome, {name}.", **fields}
        self.ivr = Ivr(check(IvrConfig, given), {"name": "Ada"})
        self.now = 100.0
        self.said: list[str] = []
        self.turns: list[Turn] = []
        self.log: list[str] = []
        self.timers: dict[Timer, float] = {}
        self._queue: list[int] = []
        self._paused = False
        self.held = False
        self.give(events.Answered())

    def give(self, event: Event) -> None:
        waiting = [event]
        while waiting:
            for action in self.ivr.handle(waiting.pop(0), self.now):
                waiting += self._perform(action)

    def _perform(self, action: actions.Action) -> list[Event]:
        match action:
            case actions.Speak(utterance, text):
                assert not self.ivr.done, "speaks when it is over"
                self.said.append(text)
                self._queue.append(utterance)
            case actions.FlushVoice():
                first = self._queue[0] if self._queue else None
                self._queue, self._paused = [], False
                return [events.VoiceFlushed(first, 500 if first else 0, 1000 if first else None)]
            case actions.PauseVoice():
                self._paused = True
                return [events.VoicePaused(None)]
            case actions.ResumeVoice():
                self._paused = False
            case actions.SetTimer(timer, at):
                self.timers[timer] = at
            case actions.CancelTimer(timer):
                del self.timers[timer]
            case actions.AddTurn(turn):
                self.turns.append(turn)
            case actions.Log(entry):
                self.log.append(entry.data)
        return []

    def press(self, keys: str) -> None:
        for key in keys:
            self.give(events.Digit(key))

    def listen(self) -> None:
        """Until it is silent."""
        while self._queue and not self._paused:
            utterance = self._queue[0]
            self.give(events.UtteranceStarted(utterance))
            self.now += SPOKEN_S
            del self._queue[0]
            self.give(events.UtteranceFinished(utterance))

    def wait(self) -> None:
        """Say and press nothing until it does something."""
        self.listen()
        timer = min(self.timers, key=lambda name: self.timers[name])
        self.now = max(self.now, self.timers.pop(timer))
        self.give(events.TimerFired(timer))

    def act(self, way: str) -> None:
        """Whatever may happen."""
        match way:
            case "listen":
                self.listen()
            case "wait" if not self.held:
                self.wait()
            case "hold" | "resume":
                self.held = way == "hold"
                self.give(events.Held() if self.held else events.Resumed())
            case "start" if self._queue and not self._paused:
                self.give(events.UtteranceStarted(self._queue[0]))
            case "noise":
                self.give(events.SpeechStarted(self.now))
                self.give(events.UtteranceFinished(9999))
                self.give(events.TimerFired(Timer.SILENCE))
            case key if len(key) == 1:
                self.press(key)
        self.now += 0.1

    @property
    def speaks(self) -> bool:
        return bool(self._queue)

    @property
    def result(self) -> tuple[str | None, dict[str, str], bool]:
        assert self.ivr.done
        return self.ivr.agent_id, self.ivr.data, self.ivr.completed


def test_a_key_chooses_the_agent() -> None:
    caller = Caller()
    caller.listen()
    caller.press("1")
    assert caller.said == ["Welcome, Ada.", "Sales is 1, service 2."]
    assert caller.result == ("seller", {"department": "1", "department_context": "Sales"}, True)
    assert [(turn.role, turn.text) for turn in caller.turns] == [
        ("assistant", "Welcome, Ada. Sales is 1, service 2."),
        ("user", "dtmf_number: 1"),
    ]
    assert (caller.turns[0].start_ms, caller.turns[0].end_ms) == (0, 2000)


def test_digits_are_collected_to_the_key_that_finishes() -> None:
    caller = Caller(default_agent_id="anybody")
    caller.listen()
    caller.press("2")
    caller.listen()
    caller.press("417#")
    expected = {"department": "2", "department_context": "has a fault", "order": "417"}
    assert caller.result == ("anybody", expected, True)


def test_digits_are_collected_to_the_most_that_there_can_be() -> None:
    caller = Caller(ORDER)
    caller.press("1234")
    assert caller.result == (None, {"order": "1234"}, True)


def test_digits_are_collected_until_no_more_come() -> None:
    caller = Caller(ORDER, timeout=3)
    caller.listen()
    caller.press("12")
    assert caller.timers[Timer.KEYPAD] == caller.now + 3
    caller.wait()
    assert caller.result == (None, {"order": "12"}, True)


def test_a_key_silences_the_prompt_and_the_transcript_has_what_was_heard() -> None:
    caller = Caller()
    caller.give(events.UtteranceStarted(1))
    caller.now += 0.5
    caller.press("2")
    assert caller.said[-1] == "Your order?"
    assert [(turn.text, turn.interrupted) for turn in caller.turns if turn.role == "assistant"] == [
        ("Welcome,", True)
    ]


def test_several_steps_may_be_answered_in_one_go() -> None:
    caller = Caller()
    caller.press("2417#")
    assert caller.result[1]["order"] == "417"


@pytest.mark.parametrize(("keys", "why"), [("9", "is no option"), ("#", "is no option")])
def test_a_wrong_key_is_told_and_the_prompt_repeated(keys: str, why: str) -> None:
    caller = Caller()
    caller.listen()
    caller.press(keys)
    assert caller.said[-2:] == [INVALID_INPUT, "Sales is 1, service 2."]
    assert why in caller.log[-1]
    caller.listen()
    caller.press("1")
    assert caller.result[0] == "seller"


@pytest.mark.parametrize("keys", ["1#", "#", "1*2#"])
def test_digits_that_do_not_fit_are_told(keys: str) -> None:
    caller = Caller(ORDER, invalid_input_message={"en": "Wrong."})
    caller.listen()
    caller.press(keys)
    assert caller.said[-2:] == ["Wrong.", "Your order?"]


def test_silence_is_told() -> None:
    caller = Caller()
    caller.listen()
    assert caller.timers[Timer.KEYPAD] == caller.now + 5
    caller.wait()
    assert caller.said[-2:] == [NO_INPUT, "Sales is 1, service 2."]


def test_after_its_retries_the_default_agent_takes_the_call() -> None:
    caller = Caller(max_retries=2, default_agent_id="anybody")
    for _ in range(2):
        caller.wait()
        assert not caller.ivr.done
    caller.wait()
    assert caller.result == ("anybody", {}, False)
    assert caller.said.count(NO_INPUT) == 2
    assert not caller.timers


def test_each_step_has_its_own_retries() -> None:
    caller = Caller(max_retries=1)
    caller.wait()
    caller.press("2")
    caller.wait()
    assert not caller.ivr.done


def test_a_hold_waits() -> None:
    caller = Caller()
    caller.listen()
    caller.give(events.Held())
    assert Timer.KEYPAD not in caller.timers
    caller.press("2")
    assert Timer.KEYPAD not in caller.timers, "nobody can hear what is asked"
    caller.give(events.Resumed())
    caller.listen()
    assert Timer.KEYPAD in caller.timers


def test_the_turn_of_digits_lasts_from_the_first_to_the_last() -> None:
    caller = Caller(ORDER)
    caller.listen()
    caller.press("1")
    caller.now += 2
    caller.press("2#")
    assert caller.turns[-1] == Turn("user", "dtmf_number: 12", 2000, 4000)


def test_a_voice_that_fails_leaves_the_call_to_the_default_agent() -> None:
    caller = Caller(default_agent_id="anybody")
    caller.give(events.UtteranceFailed(1, "No voice."))
    assert caller.result == ("anybody", {}, False)
    assert "ivr given up: No voice." in caller.log


def test_the_person_hangs_up() -> None:
    caller = Caller()
    caller.give(events.LegEnded())
    assert caller.ivr.done
    assert not caller.timers
    assert caller.ivr.handle(events.Digit("1"), 200.0) == []


def test_who_goes_in_circles_is_taken_out() -> None:
    again = {
        "step_id": "menu",
        "type": "menu",
        "prompt": "0 repeats.",
        "options": [{"digit": "0"}],
        "next_step": "menu",
    }
    caller = Caller(again)
    caller.listen()
    while not caller.ivr.done:
        caller.press("0")
        caller.listen()
        assert caller.now < 1000
        caller.now += 1
        if caller.timers.get(Timer.MAX_DURATION, 1e9) <= caller.now:
            caller.give(events.TimerFired(Timer.MAX_DURATION))
    assert not caller.ivr.completed


WAYS = st.sampled_from([*"0123456789*#", "listen", "wait", "hold", "resume", "start", "noise"])


@settings(max_examples=300, deadline=None)
@given(st.lists(WAYS, max_size=60), st.integers(0, 3), st.integers(0, 60))
def test_whatever_happens_it_ends_and_says_nothing_after(ways: list[str], retries: int, end: int) -> None:
    """Nobody waits for nothing: while it is under way, something is being said, held, or a timer runs."""
    caller = Caller(max_retries=retries, default_agent_id="anybody")
    for number, way in enumerate(ways):
        if caller.ivr.done:
            break
        if number == end:
            caller.give(events.LegEnded())
            break
        caller.act(way)
        waits = Timer.KEYPAD in caller.timers or caller.speaks or caller.held
        assert caller.ivr.done or waits, "waits for nothing"
    if caller.ivr.done:
        assert not caller.timers
        assert not caller.speaks
        agent, data, completed = caller.result
        assert agent in ("anybody", "seller")
        assert not completed or data["department"] == "1" or "order" in data
    for turn in caller.turns:
        assert 0 <= turn.start_ms <= turn.end_ms
