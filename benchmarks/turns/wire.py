"""What a person's own recording says: when the agent's voice began and when it fell silent."""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.turns.labels import Utterance
from benchmarks.turns.report import Outcome
from benchmarks.turns.telephone import LOUD, Said
from ringback.media.frame import SAMPLE_RATE, Samples

_REACTS_MS: Final = 200
"""Nobody's detector answers a voice sooner: an agent that begins within it went on with what it was saying."""
_SILENT_MS: Final = 300
"""So much silence is a pause and no gap between words."""
_NEVER_MS: Final = 3000


class Wire:
    """The agent's channel."""

    def __init__(self, recording: Path) -> None:
        with wave.open(str(recording)) as file:
            both = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").reshape(-1, 2)
        self.agent: Samples = both[:, 0]
        self._loud_ms = np.flatnonzero((self.agent > LOUD) | (self.agent < -LOUD)) * 1000 / SAMPLE_RATE

    def outcome(self, utterance: Utterance, said: Said) -> Outcome | None:
        """Of a turn; None where the agent was still speaking when it began."""
        first = self._first_after(said.start_ms)
        if first is not None and first < said.start_ms + _REACTS_MS:
            return None
        if first is None or not said.answered:
            return Outcome(utterance, None, False)
        gap_ms = round(first - said.end_ms)
        return Outcome(utterance, gap_ms, gap_ms < 0)

    def pause_ms(self, onset_ms: int) -> int | None:
        """From the onset of the person's speech to the agent's last sound before it is silent; None for never."""
        after = self._loud_ms[np.searchsorted(self._loud_ms, onset_ms) :]
        if not len(after):
            return 0
        gaps = np.flatnonzero(np.diff(after) > _SILENT_MS)
        last = after[gaps[0]] if len(gaps) else after[-1]
        return round(last - onset_ms) if last - onset_ms < _NEVER_MS else None

    def between(self, start_ms: float, end_ms: float) -> Samples:
        return self.agent[int(start_ms) * SAMPLE_RATE // 1000 : int(end_ms) * SAMPLE_RATE // 1000]

    def _first_after(self, at_ms: float) -> float | None:
        place = int(np.searchsorted(self._loud_ms, at_ms))
        return float(self._loud_ms[place]) if place < len(self._loud_ms) else None
