"""The voice of simulated calls: a synthesizer and a playout in virtual time."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass

from ringback.conversation import events
from ringback.conversation.events import Event

CHARACTER_S = 0.05


@dataclass
class Spoken:
    """An utterance."""

    id: int | None
    """None for a murmur."""
    text: str
    ready: float
    length: float
    fails: bool = False
    word_ends_ms: tuple[int, ...] | None = None
    played: float = 0.0
    started: bool = False


class SimulatedVoice:
    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._playing_since: float | None = None
        self._synthesized = 0.0
        self._knows_words = chance.random() < 0.4
        self.queue: deque[Spoken] = deque()
        self.paused = False

    @property
    def plays(self) -> bool:
        """An utterance is playing or waits for its turn, and nothing holds it up."""
        return bool(self.queue) and not self.paused

    def speak(self, utterance: int | None, text: str, now: float) -> Spoken:
        self.advance(now)
        if utterance is not None:
            self._drop_murmurs()
        self._synthesized = max(now, self._synthesized) + self._chance.choice([0.02, 0.02, 0.05, 0.4])
        if self._chance.random() < 0.01:
            self._synthesized += self._chance.uniform(0.0, 9.0)
        length = len(text) * CHARACTER_S
        fails = utterance is not None and self._chance.random() < 0.002
        spoken = Spoken(utterance, text, self._synthesized, length, fails, self._word_ends_ms(text))
        self.queue.append(spoken)
        return spoken

    def pause(self, now: float) -> Event:
        self.advance(now)
        assert not self.paused, "pauses twice"
        self.paused = True
        self._drop_murmurs()
        pending = any(spoken.ready > now for spoken in self.queue)
        left = sum(spoken.length - spoken.played for spoken in self.queue)
        return events.VoicePaused(None if pending else round(left * 1000))

    def resume(self, now: float) -> None:
        self.advance(now)
        assert self.paused, "resumes what is not paused"
        self.paused = False

    def flush(self, now: float) -> tuple[Spoken | None, Event]:
        """What was playing, and what the core is told of it."""
        self.advance(now)
        self.paused = False
        first = self.queue[0] if self.queue else None
        self.queue.clear()
        self._synthesized = 0.0
        if first is None or first.id is None:
            return None, events.VoiceFlushed()
        length = round(first.length * 1000) if first.ready <= now else None
        played = round(first.played * 1000)
        return first, events.VoiceFlushed(first.id, played, length, first.word_ends_ms)

    def advance(self, now: float) -> None:
        """Book what was played since the last look."""
        since, self._playing_since = self._playing_since, now
        if since is not None and self.queue and self.queue[0].started and not self.paused:
            first = self.queue[0]
            first.played = min(first.length, first.played + now - since)

    def leave(self, now: float) -> None:
        """The leg has ended: nobody hears the murmurs that are left."""
        self.advance(now)
        self._drop_murmurs()

    def due(self, now: float) -> float | None:
        """When the next utterance starts, finishes or fails."""
        if not self.plays:
            return None
        first = self.queue[0]
        if not first.started:
            return max(now, first.ready)
        return now + max(0.0, first.length - first.played - (now - (self._playing_since or 0.0)))

    def happen(self, now: float) -> tuple[Spoken, Event | None]:
        """What is due."""
        self.advance(now)
        first = self.queue[0]
        if first.started:
            self.queue.popleft()
            first.played = first.length
            return first, None if first.id is None else events.UtteranceFinished(first.id)
        if first.fails and first.id is not None:
            self.queue.popleft()
            return first, events.UtteranceFailed(first.id, "The synthesizer failed.")
        first.started = True
        return first, None if first.id is None else events.UtteranceStarted(first.id)

    def _drop_murmurs(self) -> None:
        if self.queue and self.queue[0].id is None:
            self.queue = deque(spoken for spoken in self.queue if spoken.id is not None)
            self._synthesized = 0.0

    def _word_ends_ms(self, text: str) -> tuple[int, ...] | None:
        if not self._knows_words:
            return None
        ends, position = [], 0
        for word in text.split():
            position += len(word) + 1
            ends.append(min(position, len(text)) * round(CHARACTER_S * 1000))
        return tuple(ends)
