"""The person's side of the core: one utterance, from its first sound until the agent begins to answer it."""

from __future__ import annotations

from ringback.agents.plan import TalkSettings
from ringback.conversation.transcript import Turn

BREATH_MS = 80
"""Added to the plan's wait: with `incremental_delay` at its default of 400 ms a person who only takes a breath
would be cut off too often. The answer still comes after about 0.6 s: the wait, synthesis and playout."""


def endpoint_wait(talk: TalkSettings) -> float:
    """Seconds of silence, counted from the last sound, after which the person's turn is over."""
    return (max(talk.endpointing_ms, talk.incremental_delay_ms) + BREATH_MS) / 1000


class Utterance:
    """What the person is saying. It stays open over pauses, which may turn out to be only pauses."""

    def __init__(self, began: float) -> None:
        self.began = began
        self.ended: float | None = None
        """End of its last sound; None while the person speaks."""
        self.request: int | None = None
        """The transcription that is under way."""
        self.text: str | None = None
        """Its words; None until they are known, and again when the person goes on."""
        self.due = False
        """The silence has lasted long enough for an answer."""
        self.interims = 0
        """Looks at its words while the person was still speaking over the agent."""
        self.mark: object = None
        """The dialogue's state before it was answered."""
        self.answered = False

    def resume(self) -> None:
        """The person goes on: what was known of the words is void."""
        self.ended = self.request = self.text = None
        self.due = self.answered = False

    def turn(self, origin: float) -> Turn | None:
        """Its turn in the transcript, of a call answered at `origin`; None without words."""
        if not self.text:
            return None
        ended = self.began if self.ended is None else self.ended
        return Turn("user", self.text, round((self.began - origin) * 1000), round((ended - origin) * 1000))
