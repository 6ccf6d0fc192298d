"""What the agent's ear and transcriber make of rendered utterances: each pause with the words known at it.

The same detector, hysteresis, pre-roll and model as in a call, as fast as the machine can.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, NamedTuple

import numpy as np

from benchmarks.turns.labels import Utterance
from benchmarks.turns.render import Rendered, render
from benchmarks.turns.voices import CACHE
from ringback.conversation.core import timing
from ringback.conversation.ear import Ear
from ringback.media.activity import SpeechStarted, SpeechStopped
from ringback.media.frame import FRAME_SAMPLES, SAMPLE_RATE, Samples
from ringback.speech.vad import SileroVoiceDetector
from ringback.speech.weights import WHISPER_BASE, whisper_directory
from ringback.speech.whisper import WhisperModel

BEFORE_MS: Final = 1000
AFTER_MS: Final = 2400
"""Only the line's noise, so long before and after the person speaks."""


@dataclass(frozen=True, slots=True)
class Stop:
    """The voice detector said that the person had stopped. Milliseconds since the first sound of the utterance."""

    at_ms: int
    """Where the silence began, as the detector has it."""
    known_ms: int
    """When it said so, and the transcription begins."""
    resumed_ms: int | None
    """When it said that the person speaks again; None for never."""
    text: str
    """The whole utterance up to `known_ms`, transcribed."""
    finality: float | None
    confidence: float | None
    """Both as in `media.speech.Transcription`."""
    transcribed_s: float
    """How long that took, when it was first done."""
    sounds_ms: tuple[int, ...] = ()
    """When there was a sound in the silence that followed, which may have been speech."""


@dataclass(frozen=True, slots=True)
class Listened:
    utterance: Utterance
    end_ms: int
    """The true end of the person's speech."""
    pauses: tuple[tuple[int, int], ...]
    """True beginning and end of each pause."""
    stops: tuple[Stop, ...]


@dataclass(frozen=True, slots=True)
class Glance:
    """The words of somebody who speaks over the agent, at one moment."""

    after_ms: int
    """Of the onset of speech, as the detector has it."""
    stopped: bool
    """The person had stopped; otherwise it was looked at in the middle."""
    text: str
    confidence: float | None
    """As in `media.speech.Transcription`."""


@dataclass(frozen=True, slots=True)
class Glanced:
    utterance: Utterance
    glances: tuple[Glance, ...]


def glance(utterances: list[Utterance]) -> list[Glanced]:
    """What is said over the agent, at the moments when the conversation looks at the words."""
    wires = [render(utterance).on_the_wire(BEFORE_MS, AFTER_MS) for utterance in utterances]
    looks = [round(1000 * timing.INTERIM_S), round(2000 * timing.INTERIM_S) + _LOOK_TAKES_MS]
    listeners = _listeners(wires, looks)
    glanced = []
    with transcriber() as transcribe:
        for utterance, listener in zip(utterances, listeners, strict=True):
            changes, glances = listener.changes, []
            for change in changes:
                if change.kind != "started":
                    heard = transcribe(change.audio)
                    after_ms, stopped = change.known_ms - changes[0].at_ms, change.kind == "stopped"
                    glances.append(Glance(after_ms, stopped, heard.text, heard.confidence))
            glanced.append(Glanced(utterance, tuple(glances)))
    return glanced


_LOOK_TAKES_MS: Final = 130
"""The second look is planned when the first one's words are known."""


def listen(utterances: list[Utterance]) -> list[Listened]:
    """Render, detect and transcribe what is not in the cache."""
    rendered = [render(utterance) for utterance in utterances]
    wires = [one.on_the_wire(BEFORE_MS, AFTER_MS) for one in rendered]
    listeners = _listeners(wires)
    with transcriber() as transcribe:
        return [_listened(*parts, transcribe) for parts in zip(rendered, listeners, strict=True)]


@dataclass(frozen=True, slots=True)
class _Change:
    kind: Literal["started", "stopped", "look"]
    at_ms: int
    known_ms: int
    audio: Samples
    """Of the whole utterance so far, as the transcriber would get it."""


class _Listener:
    """An agent's ear on one wire, which keeps what it tells."""

    def __init__(self, wire: Samples, detector: SileroVoiceDetector, looks: Sequence[int]) -> None:
        """`looks`: milliseconds after the onset at which the words are wanted, if the person still speaks."""
        self._wire = wire
        self._looks = list(looks)
        self._speaking = False
        self._ear = Ear(detector.open(), detector.window_ms, self._change, self._sound)
        self._now_ms = 0
        self._began_ms: int | None = None
        self.changes: list[_Change] = []
        self.sounds_ms: list[int] = []

    def push(self, start: int) -> None:
        if start < len(self._wire):
            self._ear.push(np.resize(self._wire[start : start + FRAME_SAMPLES], FRAME_SAMPLES))
            self._now_ms = (start + FRAME_SAMPLES) * 1000 // SAMPLE_RATE

    def take(self) -> None:
        self._ear.take()
        if self._began_ms is None or not self._looks or self._now_ms < self._began_ms + self._looks[0]:
            return
        del self._looks[0]
        if self._speaking:
            self._note("look", self._now_ms)

    def _change(self, change: SpeechStarted | SpeechStopped, ago_s: float) -> None:
        at_ms = round(self._now_ms - 1000 * ago_s)
        self._speaking = isinstance(change, SpeechStarted)
        if self._began_ms is None:
            self._began_ms = at_ms
        self._note("started" if self._speaking else "stopped", at_ms)

    def _sound(self) -> None:
        self.sounds_ms.append(self._now_ms)

    def _note(self, kind: Literal["started", "stopped", "look"], at_ms: int) -> None:
        assert self._began_ms is not None
        audio = self._ear.last((self._now_ms - self._began_ms) / 1000)
        self.changes.append(_Change(kind, at_ms, self._now_ms, audio))


def _listeners(wires: list[Samples], looks: Sequence[int] = ()) -> list[_Listener]:
    """Who have heard it all, at once: the detector takes them in batches."""
    detector = SileroVoiceDetector()
    listeners = [_Listener(wire, detector, looks) for wire in wires]
    for start in range(0, max(map(len, wires)), FRAME_SAMPLES):
        for listener in listeners:
            listener.push(start)
        detector.run()
        for listener in listeners:
            listener.take()
    return listeners


def _listened(
    rendered: Rendered, listener: _Listener, transcribe: Callable[[Samples], Transcribed]
) -> Listened:
    stops: list[Stop] = []
    changes = listener.changes
    for number, change in enumerate(changes):
        if change.kind == "stopped":
            heard = transcribe(change.audio)
            resumed = changes[number + 1].known_ms - BEFORE_MS if number + 1 < len(changes) else None
            at_ms, known_ms = change.at_ms - BEFORE_MS, change.known_ms - BEFORE_MS
            until = changes[number + 1].known_ms if number + 1 < len(changes) else math.inf
            sounds = tuple(ms - BEFORE_MS for ms in listener.sounds_ms if change.known_ms < ms <= until)
            stops.append(Stop(at_ms, known_ms, resumed, *heard, sounds))
    spans = rendered.spans
    pauses = tuple((spans[n][1], spans[n + 1][0]) for n in range(len(spans) - 1))
    return Listened(rendered.utterance, rendered.end_ms, pauses, tuple(stops))


class Transcribed(NamedTuple):
    text: str
    finality: float | None
    confidence: float | None
    took_s: float


_Known = dict[str, tuple[str, float | None, float | None, float]]
"""What was transcribed, by the hash of the audio."""


@contextmanager
def transcriber() -> Iterator[Callable[[Samples], Transcribed]]:
    """Whisper, which is loaded only for what it has not heard yet."""
    path = CACHE / "transcribed.json"
    known: _Known = json.loads(path.read_text()) if path.exists() else {}
    loaded: list[WhisperModel] = []

    def transcribe(audio: Samples) -> Transcribed:
        key = hashlib.sha256(audio.tobytes()).hexdigest()[:32]
        if key not in known:
            if not loaded:
                loaded.append(WhisperModel(whisper_directory(WHISPER_BASE, CACHE)))
            begun = time.perf_counter()
            heard = loaded[0].hear(audio)
            took_s = round(time.perf_counter() - begun, 3)
            known[key] = (heard.text, heard.finality, heard.confidence, took_s)
            if len(known) % 50 == 0:
                _save(known, path)
        return Transcribed(*known[key])

    try:
        yield transcribe
    finally:
        if loaded:
            _save(known, path)


def _save(known: _Known, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(known))
    part.replace(path)
