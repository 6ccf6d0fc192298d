"""The menus before an agent (contract 10, `ivr_config`), without I/O: events in, actions out, as in the core.

Keys are taken at any time and silence the prompt; several in a row answer several steps. Whoever gives no valid
answer, retries included, is not turned away: the default agent takes the call, with what is known by then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from ringback.agents.ivr_config import IvrConfig, Step
from ringback.agents.prompts import fill, in_language
from ringback.agents.validation import Localised
from ringback.conversation import events
from ringback.conversation.actions import Action, AddTurn
from ringback.conversation.core.agent_turn import AgentTurn
from ringback.conversation.core.outbox import Outbox
from ringback.conversation.core.timers import Timers
from ringback.conversation.core.voice import Voice
from ringback.conversation.events import Event, Timer
from ringback.conversation.transcript import LogEntry, Turn

MAX_S: Final = 600.0
"""No longer, whatever leads in a circle; then the default agent takes the call."""


class Ivr:
    """One call's way through the steps. `handle` never raises, whatever the order of events."""

    def __init__(self, config: IvrConfig, variables: Mapping[str, Any]) -> None:
        """`variables` fill the `{placeholders}` of prompts, as results of earlier steps do."""
        self._config = config
        self._variables = variables
        self._out = Outbox()
        self._timers = Timers(self._out)
        self._voice = Voice(self._out)
        self._turn = AgentTurn(self._out)
        self._cut: AgentTurn | None = None
        """What a key has silenced; how much of it was heard is not known yet."""
        self._now = self._answered_at = 0.0
        self._step: Step = config.steps[0]
        self._keys = ""
        self._began = 0.0
        """When the first of the keys was pressed."""
        self._retries = 0
        self._held = False
        self.agent_id = config.default_agent_id
        """Who takes the call; None: the number's own agent."""
        self.data: dict[str, str] = {}
        """For the recipient data: fields, and `<field>_context` of menus."""
        self.done = False
        self.completed = False
        """The last step was answered."""
        self._handlers: dict[type, Callable[[Any], None]] = {
            events.Answered: self._answered,
            events.Digit: self._digit,
            events.UtteranceStarted: self._utterance_started,
            events.UtteranceFinished: self._utterance_finished,
            events.UtteranceFailed: self._utterance_failed,
            events.VoiceFlushed: self._voice_flushed,
            events.TimerFired: self._timer_fired,
            events.Held: self._on_hold,
            events.Resumed: self._off_hold,
            events.AudioFailed: lambda event: self._give_up(event.message),
            events.LegEnded: lambda _: self._end("the call has ended"),
        }

    def handle(self, event: Event, now: float) -> list[Action]:
        """Take one event at `now` (monotonic seconds); what to do about it, in order. Others are ignored."""
        self._now = now
        handler = self._handlers.get(type(event))
        if handler is not None and (not self.done or isinstance(event, events.VoiceFlushed)):
            handler(event)
        return self._out.take()

    @property
    def answered_at(self) -> float:
        return self._answered_at

    # What happens

    def _answered(self, _: events.Answered) -> None:
        self._answered_at = self._now
        self._timers.set(Timer.MAX_DURATION, self._now + MAX_S)
        self._say(self._config.welcome_message)
        self._enter(self._step)

    def _digit(self, event: events.Digit) -> None:
        self._timers.cancel(Timer.KEYPAD)
        if not self._turn.over and self._turn.spoke:
            self._cut, self._turn = self._turn, AgentTurn(self._out)
            self._voice.flush()
        self._began = self._began if self._keys else self._now
        if self._step.type == "menu":
            self._keys = event.key
            self._choose(event.key)
        elif event.key == self._step.finish_on_key:
            self._collected()
        else:
            self._keys += event.key
            if len(self._keys) >= self._step.most:
                self._collected()
        if not self.done and self._keys:
            self._wait()

    def _timer_fired(self, event: events.TimerFired) -> None:
        if not self._timers.take(event.timer, self._now):
            return
        if event.timer is Timer.MAX_DURATION:
            self._give_up("it takes too long")
        elif self._keys:
            self._collected()
        else:
            self._again(self._config.no_input_message, "no input")

    def _on_hold(self, _: events.Held) -> None:
        self._held = True
        self._timers.cancel(Timer.KEYPAD)
        self._voice.hold(self._now)

    def _off_hold(self, _: events.Resumed) -> None:
        if self._held:
            self._held = False
            self._voice.release()
            self._wait()

    # The steps

    def _enter(self, step: Step) -> None:
        self._step = step
        self._retries = 0
        self._ask()

    def _ask(self) -> None:
        self._keys = ""
        self._say(self._step.prompt)
        self._wait()

    def _choose(self, key: str) -> None:
        option = self._step.option(key)
        if option is None:
            self._again(self._config.invalid_input_message, f"pressed {key}, which is no option")
            return
        self.agent_id = option.agent_id or self.agent_id
        self.data[f"{self._step.field}_context"] = option.context_label or option.label
        self._accept(key)

    def _collected(self) -> None:
        keys = self._keys
        if not keys.isdecimal() or not self._step.fewest <= len(keys) <= self._step.most:
            self._again(
                self._config.invalid_input_message, f"{len(keys)} digits, which are not what is asked for"
            )
        else:
            self._accept(keys)

    def _accept(self, value: str) -> None:
        step = self._step
        self.data[step.field] = value
        self._add_keys()
        self._log(f"step {step.step_id}: pressed {value}")
        following = step.following(value)
        if following is not None:
            self._enter(self._config.step(following))
            return
        self.completed = True
        self._end("completed")

    def _again(self, message: Localised, why: str) -> None:
        self._log(f"step {self._step.step_id}: {why}")
        self._add_keys()
        self._retries += 1
        if self._retries > self._config.max_retries:
            self._end(f"step {self._step.step_id}: no valid answer; the default agent takes the call")
            return
        self._say(message)
        self._ask()

    def _give_up(self, why: str) -> None:
        self._out.entry(LogEntry("error", "system", f"ivr given up: {why}"))
        self._end("the default agent takes the call")

    def _end(self, why: str) -> None:
        if not self.done:
            self.done = True
            self._log(why)
            self._timers.cancel_all()
            if not self._turn.over and self._turn.spoke:
                self._cut, self._turn = self._turn, AgentTurn(self._out)
                self._voice.flush()

    def _wait(self) -> None:
        """For a key, from the end of what is being said."""
        silent = self._turn.over or not self._turn.spoke
        if not self.done and silent and not self._held:
            self._timers.set(Timer.KEYPAD, self._now + float(self._config.timeout))

    # The voice

    def _say(self, text: Localised) -> None:
        if self._turn.over:
            self._turn = AgentTurn(self._out)
        self._turn.closed = False
        self._turn.say(
            fill(in_language(text, self._config.language), {**self._variables, **self.data}), self._now
        )
        self._turn.closed = True

    def _utterance_started(self, event: events.UtteranceStarted) -> None:
        if self._turn.holds(event.utterance) and self._turn.started is None:
            self._turn.begin(self._now)

    def _utterance_finished(self, event: events.UtteranceFinished) -> None:
        if self._turn.holds(event.utterance):
            self._turn.finish(event.utterance)
            if self._turn.over:
                self._add(self._turn.turn(self._answered_at, self._now))
                self._turn = AgentTurn(self._out)
                self._wait()

    def _utterance_failed(self, event: events.UtteranceFailed) -> None:
        if self._turn.holds(event.utterance):
            self._give_up(event.message)

    def _voice_flushed(self, event: events.VoiceFlushed) -> None:
        stopped = self._voice.flushed(self._now)
        cut, self._cut = self._cut, None
        if cut is not None:
            cut.flush(event.utterance, event.played_ms, event.audio_ms, event.word_ends_ms)
            self._add(cut.turn(self._answered_at, stopped))

    def _add_keys(self) -> None:
        if self._keys:
            since, until = (round((at - self._answered_at) * 1000) for at in (self._began, self._now))
            self._add(Turn("user", f"dtmf_number: {self._keys}", since, until))
        self._keys = ""

    def _add(self, turn: Turn | None) -> None:
        if turn is not None:
            self._out.do(AddTurn(turn))

    def _log(self, data: str) -> None:
        self._out.log("system", f"ivr: {data}")
