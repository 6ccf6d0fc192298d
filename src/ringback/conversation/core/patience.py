"""How long a silent person is waited for: repetitions, the question whether they are still there, the end."""

from __future__ import annotations

from typing import Final

from ringback.agents.plan import TalkSettings
from ringback.conversation.core import timing
from ringback.conversation.core.timers import Timers
from ringback.conversation.events import Timer

_TIMERS: Final = (Timer.SILENCE, Timer.ONLINE, Timer.REPEAT)


class Patience:
    """Runs while nobody speaks. The hangup is due `hangup_after_silence` after the agent's last real turn, or after
    the question whether the person is there, which is asked once in a silence; repetitions don't put it off."""

    def __init__(self, talk: TalkSettings, timers: Timers) -> None:
        self._talk = talk
        self._timers = timers
        self._deadline = 0.0
        self._asks = False
        self._repeat_after_s: float | None = None
        self._fresh = True
        self._extended = False

    def renew(self) -> None:
        """Somebody said something: the next silence is a new one."""
        self._fresh = True

    def wait(self, now: float, repeat_after_s: float | None) -> None:
        """Nobody speaks, from now on; a dialogue that repeats itself says after how long."""
        if self._fresh or self._extended:
            self._deadline = now + self._talk.hangup_after_silence_s
        self._extended = False
        if self._fresh:
            self._fresh = False
            self._asks = (
                self._talk.check_if_user_online
                and bool(self._talk.check_user_online_message.strip())
                and self._talk.trigger_user_online_message_after_s <= self._talk.hangup_after_silence_s
            )
        self._repeat_after_s = repeat_after_s
        self._arm(now, max(self._deadline, now + timing.NOISE_GRACE_S))

    def wait_on(self, now: float) -> None:
        """It was only a noise: the silence goes on."""
        self._arm(now, max(self._deadline, now + timing.NOISE_GRACE_S))

    def asked(self) -> None:
        """The person is being asked whether they are there, and then gets as long again to answer."""
        self._asks = False
        self._extended = True

    def stop(self) -> None:
        for timer in _TIMERS:
            self._timers.cancel(timer)

    def _arm(self, now: float, deadline: float) -> None:
        if self._repeat_after_s is not None and now + self._repeat_after_s < deadline:
            self._timers.set(Timer.REPEAT, now + self._repeat_after_s)
        if self._asks:
            online = (
                deadline - self._talk.hangup_after_silence_s + self._talk.trigger_user_online_message_after_s
            )
            self._timers.set(Timer.ONLINE, max(online, now))
        else:
            self._timers.set(Timer.SILENCE, deadline)
