"""The agent's side of the core: one turn, made of utterances that are spoken one after the other."""

from __future__ import annotations

from ringback.agents.chat import Ask
from ringback.conversation.actions import CancelReply, Speak, StartReply
from ringback.conversation.outbox import Outbox
from ringback.conversation.sentences import SentenceSplitter
from ringback.conversation.transcript import Turn, heard
from ringback.media.leg import HangupCause


class AgentTurn:
    def __init__(self, out: Outbox, answers: float | None = None) -> None:
        self._out = out
        self._answers = answers
        """When the person's speech ended that this turn answers; None where it answers nothing."""
        self.ends: HangupCause | None = None
        """Why the agent hangs up after this turn; None if it does not."""
        self.closed = False
        """No further utterance will come."""
        self.started: float | None = None
        self.reply: int | None = None
        """The language model's reply that is under way."""
        self.spoke = False
        """It has been given at least one utterance."""
        self._cut = False
        self._sentences = SentenceSplitter()
        self._left: dict[int, str] = {}
        self._heard: list[str] = []

    @property
    def over(self) -> bool:
        return self.closed and not self._left

    @property
    def text(self) -> str:
        """What the person has heard."""
        return " ".join(self._heard)

    def holds(self, utterance: int) -> bool:
        """Whether the utterance belongs to this turn and is not over."""
        return utterance in self._left

    def say(self, text: str) -> None:
        """Every sentence is an utterance: the first sounds sooner, and a cut is placed more exactly."""
        splitter = SentenceSplitter()
        self._utter([*splitter.push(text), *splitter.finish()])

    def ask(self, ask: Ask) -> None:
        """Have the language model say the rest."""
        self.reply = self._out.number()
        self._out.do(StartReply(self.reply, ask))

    def hear_reply(self, text: str) -> None:
        self._utter(self._sentences.push(text))

    def end_reply(self) -> None:
        self.reply = None
        self._utter(self._sentences.finish())

    def cancel_reply(self) -> None:
        if self.reply is not None:
            self._out.do(CancelReply(self.reply))
            self.reply = None

    def finish(self, utterance: int) -> None:
        """The utterance was played to its end."""
        self._heard.append(self._left.pop(utterance))

    def flush(self, utterance: int | None, played_ms: int, audio_ms: int | None) -> None:
        """All that is left was dropped; `utterance` had been played for `played_ms`."""
        if utterance is not None and utterance in self._left:
            part = heard(self._left[utterance], played_ms, audio_ms)
            if part:
                self._heard.append(part)
        self._cut = bool(self._left) or not self.closed
        self._left.clear()
        self.closed = True

    def turn(self, origin: float, ended: float) -> Turn | None:
        """Its turn in the transcript, of a call answered at `origin`; None where nothing was heard."""
        if not self.text or self.started is None:
            return None
        return Turn(
            "assistant",
            self.text,
            round((self.started - origin) * 1000),
            round((ended - origin) * 1000),
            interrupted=self._cut,
            latency_ms=None if self._answers is None else round((self.started - self._answers) * 1000),
        )

    def _utter(self, sentences: list[str]) -> None:
        for sentence in sentences:
            utterance = self._out.number()
            self._left[utterance] = sentence
            self._out.do(Speak(utterance, sentence))
            self.spoke = True
