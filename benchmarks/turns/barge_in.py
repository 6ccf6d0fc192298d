"""What became of interruptions and backchannels: from the recordings, and from the transcripts' claims."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.turns.alignment import Aligner
from benchmarks.turns.calls import Call, SpokenTurn
from benchmarks.turns.heard import HeardError, Reference, compare, spoken
from benchmarks.turns.monologues import MONOLOGUES
from benchmarks.turns.telephone import Said
from benchmarks.turns.wire import Wire
from ringback.speech.hibari import HibariVoice
from ringback.speech.whisper import WhisperModel

_LAG_MS: Final = 3000
"""So long after its onset a remark may still cut the agent."""
_TOGETHER_MS: Final = 400
"""Between the two sides' clocks and their jitter buffers."""
_WELCOME: Final = "Hello. "


@dataclass(frozen=True, slots=True)
class Remark:
    """What one did to the agent."""

    said: Said
    pause_ms: int | None
    """From its onset to the agent's silence, None where the agent did not fall silent."""
    cut: SpokenTurn | None
    """The agent's turn that it ended."""


def remarks(call: Call) -> Iterator[Remark]:
    wire = Wire(call.recording)
    cuts: dict[str, SpokenTurn] = {}
    for turn in call.turns:
        if turn.role == "assistant" and turn.interrupted and (said := _cutting(call.said, turn)) is not None:
            cuts[said.id] = turn
    for said in call.said:
        yield Remark(said, wire.pause_ms(said.start_ms), cuts.get(said.id))


def _cutting(said: Sequence[Said], turn: SpokenTurn) -> Said | None:
    """The last that was said before the agent's turn broke off."""
    before = [one for one in said if turn.start_ms - _TOGETHER_MS < one.start_ms < turn.end_ms + _TOGETHER_MS]
    return before[-1] if before and turn.end_ms < before[-1].start_ms + _LAG_MS else None


def heard_errors(calls: Sequence[Call], directory: Path) -> Iterator[HeardError]:
    """Of each interruption that ended a turn of the agent's; `directory`: Whisper's files."""
    whisper, aligner, voice = WhisperModel(directory), Aligner(directory), HibariVoice()
    texts = {
        start + told: Reference(voice, aligner, start + told)
        for told in MONOLOGUES
        for start in ("", _WELCOME)
    }
    for call in calls:
        wire = Wire(call.recording)
        for remark in remarks(call):
            if remark.cut is None:
                continue
            claim = remark.cut.text
            begin_ms = max(0, remark.cut.start_ms - _TOGETHER_MS)
            # The agent may have resumed in between; its answer comes later than this.
            end_ms = max(remark.said.end_ms + _TOGETHER_MS // 2, remark.cut.end_ms + _TOGETHER_MS)
            audio = wire.between(begin_ms, end_ms)
            placed = texts[spoken(claim, list(texts))].place(audio)
            yield compare(remark.said.id, claim, list(texts), whisper.transcribe(audio), placed)
