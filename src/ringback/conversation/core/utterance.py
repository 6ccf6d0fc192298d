"""The person's side of the core: one utterance, from its first sound until the agent begins to answer it."""

from __future__ import annotations

from typing import Final

from ringback.conversation.actions import CancelTranscription, Transcribe
from ringback.conversation.core.outbox import Outbox
from ringback.conversation.core.timing import DOUBT_S, MAX_DOUBT_S
from ringback.conversation.transcript import Turn

UNCERTAIN_S: Final = 0.3
"""The voice detector tells of the end of speech so long after it."""


class Utterance:
    """What the person is saying. It stays open over pauses, which may turn out to be only pauses."""

    def __init__(self, out: Outbox, began: float) -> None:
        self._out = out
        self.began = began
        self.ended: float | None = None
        """End of its last sound; None while the person speaks."""
        self.request: int | None = None
        """The transcription that is under way."""
        self._requested = 0.0
        self.text: str | None = None
        """Its words; None until they are known, and again when the person goes on."""
        self.confidence: float | None = None
        """Of its last transcription, as in `media.speech.Transcription`."""
        self.transcriptions: tuple[tuple[int, str], ...] = ()
        """All that were finished: how long it took in milliseconds, and the text."""
        self.due = False
        """The silence has lasted long enough for an answer."""
        self.looks = 0
        """Times its words were looked at while the person was still speaking over the agent."""
        self.risen = False
        """Over the agent, a noise turned into what may be somebody who speaks."""
        self.tells = False
        """It is so long that the agent has murmured."""
        self.cut_agent = False
        """It has interrupted the agent."""
        self.doubted_until = 0.0
        """There was a sound: until then it is open whether the person goes on."""
        self._doubted_since: float | None = None
        self.answered = False
        self.mark: object = None
        """The dialogue's state before it was answered."""

    def spoken_s(self, now: float) -> float:
        """How long the person has spoken for certain: they may have stopped a moment ago."""
        return (now - UNCERTAIN_S if self.ended is None else self.ended) - self.began

    def transcribe(self, now: float) -> None:
        """Ask for its words up to now."""
        self._cancel()
        self.request = self._out.number()
        self._requested = now
        self._out.do(Transcribe(self.request, self.began))

    def transcribed(self, text: str, now: float) -> None:
        """The answer to the last request."""
        self.request = None
        self.transcriptions = (*self.transcriptions, (round((now - self._requested) * 1000), text))

    def doubt(self, now: float) -> float:
        """There is a sound after it. Until when an answer waits; sounds that last put it off once."""
        if self._doubted_since is None:
            self._doubted_since = now
        self.doubted_until = min(now + DOUBT_S, self._doubted_since + MAX_DOUBT_S)
        return self.doubted_until

    def go_on(self) -> None:
        """The person goes on: what was known of the words is void."""
        self._cancel()
        self.ended = self.text = None
        self.due = self.answered = False
        self.doubted_until, self._doubted_since = 0.0, None

    def turn(self, origin: float) -> Turn | None:
        """Its turn in the transcript, of a call answered at `origin`; None without words."""
        if not self.text:
            return None
        ended = self.began if self.ended is None else self.ended
        return Turn("user", self.text, round((self.began - origin) * 1000), round((ended - origin) * 1000))

    def _cancel(self) -> None:
        if self.request is not None:
            self._out.do(CancelTranscription(self.request))
            self.request = None
