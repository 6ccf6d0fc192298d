"""Keys as a turn: to `#`, to a pause, or to as many as are wanted; over the agent, beside words, and at the end."""

from __future__ import annotations

import pytest

from ringback.agents.plan import Affirmative, Always, Anything, Condition, Keywords, Number, Pattern
from ringback.conversation.actions import (
    Action,
    AddTurn,
    CancelTimer,
    FlushVoice,
    Log,
    SetTimer,
    Speak,
    Transcribe,
)
from ringback.conversation.core import listening
from ringback.conversation.dialogue.dialogue import Expectation
from ringback.conversation.dialogue.keys import fills, plain, typed
from ringback.conversation.events import (
    Digit,
    LegEnded,
    SpeechStarted,
    SpeechStopped,
    Timer,
    TimerFired,
    Transcribed,
    TranscriptionFailed,
    UtteranceStarted,
    VoiceFlushed,
)
from ringback.conversation.transcript import LogEntry, Turn
from tests.unit.test_conversation_core import Talk


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> None:
    waits_s = {Expectation.COMPLETE: 0.4, Expectation.PARTIAL: 1.0}
    monkeypatch.setattr(
        listening, "wait_s", lambda text, expected, *_, **__: waits_s[expected] if text else 0.0
    )


def press(talk: Talk, keys: str, at: float) -> list[Action]:
    """A key every tenth of a second; what is done about the last one, without its line in the log."""
    done: list[Action] = []
    for place, key in enumerate(keys):
        done = talk(at + place / 10, Digit(key))
    assert isinstance(done[0], Log)
    assert done[0].entry.data == f"keypad: {keys[-1]}"
    return done[1:]


def keypad() -> Talk:
    return Talk(dtmf_enabled=True)


def test_keys_up_to_the_hash_are_a_turn() -> None:
    talk = keypad().welcomed()
    assert press(talk, "1", 2.0) == [CancelTimer(Timer.SILENCE), SetTimer(Timer.KEYPAD, 6.0)]
    assert press(talk, "2", 3.0) == [SetTimer(Timer.KEYPAD, 7.0)]
    done = press(talk, "#", 3.5)
    assert AddTurn(Turn("user", "dtmf_number: 12", 2000, 3500)) in done
    assert done[-1] == Speak(2, "You said dtmf_number: 12.")
    assert CancelTimer(Timer.KEYPAD) in done


def test_keys_are_a_turn_when_no_more_come() -> None:
    talk = keypad().welcomed()
    press(talk, "12", 2.0)
    done = talk(6.1, TimerFired(Timer.KEYPAD))
    assert done[-1] == Speak(2, "You said dtmf_number: 12.")


def test_keys_are_a_turn_when_they_are_all_that_is_wanted() -> None:
    talk = keypad().welcomed()
    assert press(talk, "4444", 2.0)[-1] == Speak(2, "You said dtmf_number: 4444.")


def test_without_the_setting_keys_are_only_logged() -> None:
    talk = Talk().welcomed()
    assert press(talk, "12#", 2.0) == []


def test_the_hash_alone_is_nothing() -> None:
    assert press(keypad().welcomed(), "#", 2.0) == []


def test_a_key_silences_the_agent_at_once() -> None:
    talk = keypad()
    talk(0.0, TimerFired(Timer.WELCOME))
    talk(0.1, UtteranceStarted(1))
    assert press(talk, "1", 0.6) == [FlushVoice(), SetTimer(Timer.KEYPAD, 4.6)]
    assert talk(0.6, VoiceFlushed(1, 300, 1200)) == [
        AddTurn(Turn("assistant", "Hello,", 100, 600, interrupted=True))
    ]
    assert press(talk, "#", 1.0)[-1] == Speak(2, "You said dtmf_number: 1.")


def test_an_answer_that_nobody_has_heard_is_withdrawn() -> None:
    talk = keypad().welcomed()
    talk.says("my number is", 2.0, 3.0)
    assert talk.dialogue.log[-1] == "answer my number is"
    assert FlushVoice() in press(talk, "1", 3.5)
    assert "answer my number is" not in talk.dialogue.log
    talk(3.5, VoiceFlushed())
    done = press(talk, "#", 3.9)
    assert AddTurn(Turn("user", "my number is dtmf_number: 1", 2000, 3900)) in done
    assert talk.dialogue.log[-1] == "answer my number is dtmf_number: 1"


def test_what_is_said_beside_the_keys_waits_for_them() -> None:
    talk = keypad().welcomed()
    press(talk, "1", 2.0)
    talk(2.3, SpeechStarted(2.2))
    (request,) = [a.request for a in talk(3.2, SpeechStopped(3.0)) if isinstance(a, Transcribe)]
    talk(3.4, Transcribed(request, "it is"))
    assert not any(isinstance(a, Speak) for a in talk(3.5, TimerFired(Timer.ENDPOINT)))
    done = press(talk, "#", 4.0)
    assert AddTurn(Turn("user", "it is dtmf_number: 1", 2200, 4000)) in done


def test_keys_wait_for_the_words_beside_them() -> None:
    talk = keypad().welcomed()
    press(talk, "1", 2.0)
    talk(2.3, SpeechStarted(2.2))
    assert press(talk, "#", 2.5) == [SetTimer(Timer.KEYPAD, 4.5)]
    (request,) = [a.request for a in talk(3.2, SpeechStopped(3.0)) if isinstance(a, Transcribe)]
    done = talk(3.4, Transcribed(request, "please")) + talk(3.5, TimerFired(Timer.ENDPOINT))
    assert done[-1] == Speak(3, "You said please dtmf_number: 1.")


def test_what_leaks_of_the_tones_and_is_made_into_words_is_no_part_of_the_turn() -> None:
    talk = keypad().welcomed()
    press(talk, "1", 2.0)
    talk(2.2, SpeechStarted(2.1))
    (request,) = [a.request for a in talk(2.5, SpeechStopped(2.3)) if isinstance(a, Transcribe)]
    talk(2.7, Transcribed(request, "Thank you.", confidence=-1.2))
    done = press(talk, "#", 3.0)
    assert done[-1] == Speak(3, "You said dtmf_number: 1.")
    assert Log(LogEntry("event", "system", "beside the keys: Thank you.")) in done


def test_keys_do_not_wait_for_a_noise_to_end() -> None:
    talk = keypad().welcomed()
    press(talk, "1", 2.0)
    talk(2.3, SpeechStarted(2.2))
    press(talk, "#", 2.5)
    assert talk(4.5, TimerFired(Timer.KEYPAD))[-1] == Speak(2, "You said dtmf_number: 1.")


def test_the_last_keys_are_in_the_transcript() -> None:
    talk = keypad().welcomed()
    press(talk, "12", 2.0)
    assert AddTurn(Turn("user", "dtmf_number: 12", 2000, 2500)) in talk(2.5, LegEnded())
    assert talk.core.over


def test_keys_of_a_call_that_fails_are_written_and_not_answered() -> None:
    talk = keypad().welcomed()
    press(talk, "1", 2.0)
    talk(2.3, SpeechStarted(2.2))
    (request,) = [a.request for a in talk(3.2, SpeechStopped(3.0)) if isinstance(a, Transcribe)]
    talk(3.4, TranscriptionFailed(request, "No ears."))
    assert talk(6.0, TimerFired(Timer.KEYPAD))[-1] == AddTurn(Turn("user", "dtmf_number: 1", 2000, 6000))
    assert talk.dialogue.log[-1] == "heard Hello, Ada."


def test_keys_for_somebody_else_are_not_the_agents() -> None:
    talk = keypad().welcomed()
    talk.core._scene.away = True
    assert press(talk, "12#", 2.0) == []


def test_nobody_is_asked_whether_they_are_there_while_they_type() -> None:
    talk = Talk(
        dtmf_enabled=True, check_if_user_online=True, trigger_user_online_message_after_s=1.0
    ).welcomed()
    done = press(talk, "1", 1.5)
    assert CancelTimer(Timer.ONLINE) in done
    assert not any(isinstance(a, SetTimer) and a.timer is not Timer.KEYPAD for a in done)


@pytest.mark.parametrize(
    ("conditions", "keys", "expected"),
    [
        ([Number(digits=4)], "123", False),
        ([Number(digits=4)], "1234", True),
        ([Number(digits=4)], "12*4", False),
        ([Number(digits=4), Anything(), Always()], "1234", True),
        ([Number(minimum=1, maximum=9)], "5", True),
        ([Number(minimum=1, maximum=9)], "0", False),
        ([Number(maximum=50)], "5", False),
        ([Number(maximum=50)], "51", False),
        ([Number(maximum=50)], "12", True),
        ([Number()], "12", False),
        ([Keywords(("1", "billing"))], "1", True),
        ([Keywords(("1",)), Keywords(("12",))], "1", False),
        ([Keywords(("1",)), Keywords(("2",))], "2", True),
        ([Keywords(("1",)), Number(digits=6)], "1", False),
        ([Keywords(("1",)), Pattern("[0-9]+")], "1", False),
        ([Affirmative(), Anything()], "1", False),
        ([], "1", False),
    ],
)
def test_when_keys_answer_a_node(conditions: list[Condition], keys: str, expected: bool) -> None:
    assert fills(conditions, keys) is expected


def test_a_turn_of_keys() -> None:
    assert typed("007") == "dtmf_number: 007"
    assert plain("my number is dtmf_number: 007") == "my number is 007"
