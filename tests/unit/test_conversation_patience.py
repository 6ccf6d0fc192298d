"""How long a silent person is waited for."""

from __future__ import annotations

from typing import Any

import pytest

from ringback.agents.plan import TalkSettings
from ringback.conversation.actions import CancelTimer, SetTimer
from ringback.conversation.core.outbox import Outbox
from ringback.conversation.core.patience import Patience
from ringback.conversation.core.timers import Timers
from ringback.conversation.events import Timer


class Wait:
    """A patience, and the timers that it has set."""

    def __init__(self, **talk: Any) -> None:
        settings = {"hangup_after_silence_s": 10.0, "trigger_user_online_message_after_s": 6.0} | talk
        self._out = Outbox()
        self._timers = Timers(self._out)
        self.patience = Patience(TalkSettings(**settings), self._timers)
        self._set: dict[Timer, float] = {}

    def until(self) -> dict[str, float]:
        for action in self._out.take():
            if isinstance(action, SetTimer):
                self._set[action.timer] = action.at
            elif isinstance(action, CancelTimer):
                del self._set[action.timer]
        return {str(timer): at for timer, at in self._set.items()}

    def fired(self, timer: Timer, now: float) -> None:
        assert self._timers.take(timer, now)
        self.until()
        del self._set[timer]


def test_the_person_is_asked_once_and_then_has_as_long_again() -> None:
    wait = Wait()
    wait.patience.wait(100.0, None)
    assert wait.until() == {"online": 106.0}
    wait.fired(Timer.ONLINE, 106.0)
    wait.patience.asked()
    wait.patience.stop()
    wait.patience.wait(107.0, None)
    assert wait.until() == {"silence": 117.0}


def test_a_word_of_the_persons_makes_the_next_silence_a_new_one() -> None:
    wait = Wait()
    wait.patience.wait(100.0, None)
    wait.fired(Timer.ONLINE, 106.0)
    wait.patience.asked()
    wait.patience.wait(107.0, None)
    wait.patience.stop()
    wait.patience.renew()
    wait.patience.wait(120.0, None)
    assert wait.until() == {"online": 126.0}


@pytest.mark.parametrize(
    "talk",
    [
        {"check_if_user_online": False},
        {"check_user_online_message": " "},
        {"trigger_user_online_message_after_s": 10.1},
    ],
)
def test_nobody_is_asked(talk: dict[str, Any]) -> None:
    """Not either where the call would be over before the question."""
    wait = Wait(**talk)
    wait.patience.wait(100.0, None)
    assert wait.until() == {"silence": 110.0}


def test_repetitions_do_not_put_off_the_end() -> None:
    wait = Wait(check_if_user_online=False)
    wait.patience.wait(100.0, 4.0)
    assert wait.until() == {"repeat": 104.0, "silence": 110.0}
    wait.fired(Timer.REPEAT, 104.0)
    wait.patience.stop()
    wait.patience.wait(105.0, 4.0)
    assert wait.until() == {"repeat": 109.0, "silence": 110.0}
    wait.fired(Timer.REPEAT, 109.0)
    wait.patience.stop()
    wait.patience.wait(109.5, 4.0)
    assert wait.until() == {"silence": 111.5}, "time enough for an answer to the repetition"


def test_after_a_noise_there_is_time_for_the_words() -> None:
    wait = Wait(check_if_user_online=False)
    wait.patience.wait(100.0, None)
    wait.patience.stop()
    wait.patience.wait_on(105.0)
    assert wait.until() == {"silence": 110.0}
    wait.patience.stop()
    wait.patience.wait_on(109.5)
    assert wait.until() == {"silence": 111.5}


def test_a_question_that_is_overdue_after_a_noise_is_asked_at_once() -> None:
    wait = Wait()
    wait.patience.wait(100.0, None)
    wait.patience.stop()
    wait.patience.wait_on(107.0)
    assert wait.until() == {"online": 107.0}


def test_stop() -> None:
    wait = Wait()
    wait.patience.wait(100.0, 2.0)
    wait.patience.stop()
    assert wait.until() == {}
