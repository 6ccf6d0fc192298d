"""What was heard of the agent before it was cut, against what the transcript claims.

The person's own recording of the agent, from the beginning of the agent's turn to its last sound, is transcribed with
Whisper. The words of the whole text are known, so that only the number of them that were heard is to be found: the
prefix of the text that is nearest to the transcription. A word in which the cut fell can be counted or not: of
prefixes that are equally near, the one nearest to the claim is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ringback.demo.words import errors, words


@dataclass(frozen=True, slots=True)
class HeardError:
    """Of one interrupted turn, in words."""

    id: str
    claimed: int
    heard: int
    claim: str
    transcription: str

    @property
    def error(self) -> int:
        return abs(self.claimed - self.heard)


def compare(name: str, claim: str, texts: Sequence[str], transcription: str) -> HeardError:
    """`texts` are what the agent may have been saying."""
    text = min(texts, key=lambda one: _distance(words(one)[: len(words(claim))], claim))
    whole = words(text)
    claimed = len(words(claim))
    heard = min(
        range(len(whole) + 1),
        key=lambda count: (_distance(whole[:count], transcription), abs(count - claimed)),
    )
    return HeardError(name, claimed, heard, claim, transcription)


def _distance(said: Sequence[str], heard: str) -> int:
    return errors(" ".join(said), heard)[0]
