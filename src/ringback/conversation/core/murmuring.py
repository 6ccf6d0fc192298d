"""The agent's backchannels: "mhm" now and then while the person talks for long (contract 7, `backchanneling`)."""

from __future__ import annotations

from ringback.agents.plan import Plan
from ringback.conversation.actions import Murmur
from ringback.conversation.core.outbox import Outbox
from ringback.conversation.core.phrases import phrases_for
from ringback.conversation.core.timers import Timers
from ringback.conversation.events import Timer


class Murmuring:
    def __init__(self, plan: Plan, out: Outbox, timers: Timers) -> None:
        self._on = plan.talk.backchanneling
        self._start_s = plan.talk.backchanneling_start_delay_s
        self._gap_s = max(1.0, plan.talk.backchanneling_message_gap_s)
        self._murmurs = phrases_for(plan.synthesizer.language).murmurs
        self._count = 0
        self._out = out
        self._timers = timers

    def began(self, at: float) -> None:
        if self._on:
            self._timers.set(Timer.MURMUR, at + self._start_s)

    def due(self, now: float, person_holds_the_floor: bool) -> None:
        """A moment for one; skipped where it is not the person who speaks just now."""
        if person_holds_the_floor:
            text = self._murmurs[self._count % len(self._murmurs)]
            self._count += 1
            self._out.do(Murmur(text))
            self._out.log("synthesizer", f"backchannel: {text}")
        self._timers.set(Timer.MURMUR, now + self._gap_s)

    def stop(self) -> None:
        self._timers.cancel(Timer.MURMUR)
