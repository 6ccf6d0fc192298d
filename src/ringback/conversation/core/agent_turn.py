"""The agent's side of the core: one turn, made of utterances that are spoken one after the other."""

from __future__ import annotations

from typing import Final

from ringback.conversation.actions import Speak
from ringback.conversation.core.heard import heard
from ringback.conversation.core.outbox import Outbox
from ringback.conversation.core.sentences import SentenceSplitter
from ringback.conversation.core.turn_clock import TurnClock
from ringback.conversation.transcript import Turn
from ringback.media.leg import HangupCause

CUT_MARK: Final = " —"
"""After the words of a turn that was cut short, where a language model reads them."""


class AgentTurn:
    def __init__(self, out: Outbox, clock: TurnClock | None = None) -> None:
        """`clock` runs since the person's speech that this turn answers; None where it answers nothing."""
        self._out = out
        self.clock = clock
        self.ends: HangupCause | None = None
        """Why the agent hangs up after this turn; None if it does not."""
        self.closed = False
        """No further utterance will come."""
        self.started: float | None = None
        self.spoke = False
        """It has been given at least one utterance."""
        self.cut = False
        self._sentences = SentenceSplitter()
        self._left: dict[int, str] = {}
        self._heard: list[str] = []
        self._last = ""

    @property
    def over(self) -> bool:
        return self.closed and not self._left

    @property
    def speaks(self) -> bool:
        """Not all that it was given has been played."""
        return bool(self._left)

    @property
    def text(self) -> str:
        """What the person has heard."""
        return " ".join(self._heard)

    @property
    def marked_text(self) -> str:
        """The same, with a mark where it was cut."""
        return self.text + CUT_MARK if self.cut and self.text else self.text

    @property
    def asks(self) -> bool:
        """Its last sentence so far is a question."""
        return self._last.rstrip("\"' )").endswith("?")

    def holds(self, utterance: int) -> bool:
        """Whether the utterance belongs to this turn and is not over."""
        return utterance in self._left

    def say(self, text: str, now: float) -> None:
        """Every sentence is an utterance: the first sounds sooner, and a cut is placed more exactly."""
        splitter = SentenceSplitter()
        self._utter([*splitter.push(text), *splitter.finish()], now)

    def hear_reply(self, text: str, now: float) -> None:
        """A piece of what the language model says."""
        self._utter(self._sentences.push(text), now)

    def end_reply(self, now: float) -> None:
        self._utter(self._sentences.finish(), now)

    def drop_reply(self) -> None:
        """What the language model began to say is not said."""
        self._sentences = SentenceSplitter()

    def begin(self, now: float) -> None:
        """The first frame of it went to the person."""
        self.started = now
        if self.clock is not None:
            self.clock.heard(now)

    def finish(self, utterance: int) -> None:
        """The utterance was played to its end."""
        self._heard.append(self._left.pop(utterance))

    def rest(self) -> None:
        """Nothing more is to be said for now: if the call ends, nothing was cut."""
        self.closed = True

    def go_on(self) -> None:
        """There is more to be said after all."""
        self.closed = False

    def flush(
        self,
        utterance: int | None,
        played_ms: int,
        audio_ms: int | None,
        word_ends_ms: tuple[int, ...] | None,
    ) -> None:
        """All that is left was dropped; `utterance` had been played for `played_ms`."""
        if utterance is not None and utterance in self._left:
            part = heard(self._left[utterance], played_ms, audio_ms, word_ends_ms)
            if part:
                self._heard.append(part)
        self.cut = bool(self._left) or not self.closed
        self._left.clear()
        self.closed = True

    def turn(self, origin: float, ended: float) -> Turn | None:
        """Its turn in the transcript, of a call answered at `origin`; None where nothing was heard."""
        if not self.text or self.started is None:
            return None
        timing = self.clock.timing() if self.clock is not None else None
        return Turn(
            "assistant",
            self.text,
            round((self.started - origin) * 1000),
            round((ended - origin) * 1000),
            interrupted=self.cut,
            timing=timing,
        )

    def _utter(self, sentences: list[str], now: float) -> None:
        for sentence in sentences:
            utterance = self._out.number()
            self._left[utterance] = self._last = sentence
            self._out.do(Speak(utterance, sentence))
            self.spoke = True
            if self.clock is not None:
                self.clock.spoke(now)
