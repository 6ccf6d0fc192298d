"""Silence cut from around an utterance: synthesizers pad theirs with up to half a second on either side."""

from __future__ import annotations

from typing import Final

import numpy as np

from ringback.media.frame import SAMPLE_RATE, Samples

LEVEL: Final = 200
"""Samples up to this (-44 dBov) are silence."""
LEAD: Final = SAMPLE_RATE * 20 // 1000
"""Left before the first sound: what is quieter than LEVEL still belongs to a soft consonant."""
TAIL: Final = SAMPLE_RATE * 250 // 1000
"""Left after the last sound: the pause between two sentences."""


class Trimmer:
    """For one utterance: `push` its audio as it comes, then `finish`. The silence inside of it stays."""

    def __init__(self) -> None:
        self.cut = 0
        """Samples dropped in front so far."""
        self._begun = False
        self._quiet: Samples = np.zeros(0, dtype=np.int16)

    def push(self, piece: Samples) -> Samples:
        """What can be played by now."""
        audio = np.concatenate([self._quiet, piece])
        loud = np.flatnonzero((audio > LEVEL) | (audio < -LEVEL))
        if not len(loud):
            self._quiet = audio if self._begun else audio[-LEAD:]
            self.cut += len(audio) - len(self._quiet)
            return audio[:0]
        start = 0 if self._begun else max(0, int(loud[0]) - LEAD)
        self.cut += start
        end = int(loud[-1]) + 1
        self._begun, self._quiet = True, audio[end:]
        return audio[start:end]

    def finish(self) -> Samples:
        """The rest."""
        return self._quiet[:TAIL] if self._begun else self._quiet[:0]
