"""What must be true of the demo's call, measured from both sides and from its recording."""

from __future__ import annotations

import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

import numpy as np

from ringback.demo.person import RECORDING
from ringback.demo.run import Facts
from ringback.demo.words import errors
from ringback.executions.record import CUT_MARK
from ringback.media.frame import SAMPLE_RATE, Samples
from ringback.speech.weights import WHISPER_BASE, whisper_directory
from ringback.speech.whisper import WhisperModel

_WORD_ERRORS_MAX: Final = 0.10
_LENGTHS_MAX_S: Final = 0.2
_LATENCY_P50_MAX_MS: Final = 800
_LOUD: Final = 200
"""Samples beyond this are a voice and not the noise of its ending."""


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    passed: bool
    seen: str


def checks(facts: Facts) -> Iterator[Check]:
    """The first two decide the demo's exit status; the rest are its quality."""
    execution = facts.execution
    yield Check("the call is in the list", execution is not None, facts.execution_id)
    if execution is None:
        return
    yield Check("it completed", execution["status"] == "completed", execution["status"])
    yield _words(facts, execution)
    yield _slots(execution)
    yield _lengths(facts, execution)
    yield _latency(facts)
    yield _heard(facts, execution)
    yield _cost(execution)


def _words(facts: Facts, execution: dict[str, Any]) -> Check:
    """What the person said against the transcript's lines of the person."""
    said = " ".join(e["text"] for e in facts.person if e["event"] == "said")
    wrong, total = errors(said, " ".join(_lines(execution, "user")))
    rate = wrong / max(total, 1)
    return Check("words of the person", rate <= _WORD_ERRORS_MAX, f"{wrong} of {total} wrong ({rate:.1%})")


def _slots(execution: dict[str, Any]) -> Check:
    got = execution["extracted_data"] or {}
    expected = {"right_person": True, "patient_number": "4271", "confirmed": False, "new_time": "15:30"}
    right = all(got.get(name) == value for name, value in expected.items())
    day = str(got.get("new_day", ""))
    return Check("slots", right and day.endswith("-12-04"), str(got))


def _lengths(facts: Facts, execution: dict[str, Any]) -> Check:
    """Recording, conversation and telephone leg, as rounded in the record (0.1 s and whole seconds)."""
    recorded = _duration_s(facts.recording)
    talked, leg = execution["conversation_time"], execution["telephony_data"]["duration"]
    agree = abs(recorded - talked) <= _LENGTHS_MAX_S and abs(recorded - leg) <= _LENGTHS_MAX_S + 0.5
    return Check("lengths agree", agree, f"recording {recorded:.2f} s, conversation {talked} s, leg {leg} s")


def _latency(facts: Facts) -> Check:
    gaps = turn_gaps_ms(facts)
    p50 = median(gaps) if gaps else float("inf")
    seen = f"{p50:.0f} ms over {len(gaps)} turns: {gaps}"
    return Check("turn latency p50", p50 <= _LATENCY_P50_MAX_MS, seen)


def turn_gaps_ms(facts: Facts) -> list[int]:
    """From the end of the person's voice to the agent's first sound, as the person itself recorded them."""
    agent, person = _channels(facts.folder / RECORDING)
    gaps = []
    for said in (e for e in facts.person if e["event"] == "said"):
        end = _last_loud(person, _samples(said["start_ms"]), _samples(said["end_ms"] + 100))
        answer = _first_loud(agent, end)
        if answer is not None:
            gaps.append((answer - end) * 1000 // SAMPLE_RATE)
    return gaps


def _heard(facts: Facts, execution: dict[str, Any]) -> Check:
    """The interrupted line of the transcript against a transcription of the agent's channel of the recording."""
    name = "after the interruption"
    interruption = next((e for e in facts.person if e["event"] == "said" and e["interrupting"]), None)
    if interruption is None or facts.recording is None:
        return Check(name, False, "nobody interrupted, or nothing was recorded")
    whisper = WhisperModel(whisper_directory(WHISPER_BASE, facts.folder))
    _, audio = _channels(facts.recording)
    start = _line_start(audio, interruption["start_ms"])
    heard = whisper.transcribe(audio[start : _samples(interruption["start_ms"] + 1000)])
    cut = [line for line in _lines(execution, "assistant") if line.endswith(CUT_MARK)]
    line = cut[0].removesuffix(CUT_MARK) if cut else ""
    wrong, total = errors(heard, line)
    # The cut falls inside a word, which either side may count or not.
    return Check(
        name,
        wrong <= 2,
        f"{wrong} of {total} words differ: transcript ...{line[-48:]!r}, recording ...{heard[-48:]!r}",
    )


def _cost(execution: dict[str, Any]) -> Check:
    parts = execution["cost_breakdown"]
    total = sum(
        round(parts[p] * 10_000) for p in ("llm", "network", "platform", "synthesizer", "transcriber")
    )
    right = total == round(execution["total_cost"] * 10_000)
    return Check("cost is the sum of its parts", right, f"{execution['total_cost']} cents = {parts}")


def _lines(execution: dict[str, Any], role: str) -> list[str]:
    lines = execution["transcript"].split("\n")
    return [line.removeprefix(f"{role}: ") for line in lines if line.startswith(f"{role}: ")]


def _duration_s(recording: Path | None) -> float:
    if recording is None:
        return 0.0
    with wave.open(str(recording)) as file:
        return float(file.getnframes() / file.getframerate())


def _channels(recording: Path) -> tuple[Samples, Samples]:
    """What was heard, and what was spoken, by whoever recorded it."""
    with wave.open(str(recording)) as file:
        both = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").reshape(-1, 2)
    return both[:, 0], both[:, 1]


def _first_loud(audio: Samples, start: int) -> int | None:
    loud = np.flatnonzero(np.abs(audio[start:].astype(np.int32)) > _LOUD)
    return start + int(loud[0]) if len(loud) else None


def _last_loud(audio: Samples, start: int, end: int) -> int:
    loud = np.flatnonzero(np.abs(audio[start:end].astype(np.int32)) > _LOUD)
    return start + int(loud[-1]) if len(loud) else start


def _line_start(audio: Samples, until_ms: int) -> int:
    """Where the agent began the line that it was in at `until_ms`: after its last second of silence."""
    loud = np.flatnonzero(np.abs(audio[: _samples(until_ms)].astype(np.int32)) > _LOUD)
    gaps = np.flatnonzero(np.diff(loud) > SAMPLE_RATE)
    return max(0, int(loud[gaps[-1] + 1]) - SAMPLE_RATE // 5) if len(gaps) else 0


def _samples(ms: int) -> int:
    return ms * SAMPLE_RATE // 1000
