"""A person's end of a call: what is sent and heard, tick by tick, and when the person speaks."""

from __future__ import annotations

import logging
import random
import wave
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.turns.line import Floats
from benchmarks.turns.render import Rendered
from ringback.media.bridge import AudioLeg
from ringback.media.frame import FRAME_MS, FRAME_SAMPLES, SAMPLE_RATE, SILENCE, Frame

LOUD: Final = 200
"""Samples beyond this (-44 dBov) are the agent's voice."""


_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Said:
    """Something that the person said; milliseconds of its own recording."""

    id: str
    start_ms: int
    end_ms: int
    """The true end: with the last sound of speech."""
    answered: bool
    """The agent was heard before the person's patience ended."""


Behaviour = Callable[["Telephone"], Generator[None, None, None]]


class Telephone:
    """Implements `media.ticker.Member`. `behaviour` is resumed every tick, and says what to do by our methods;
    `on_over` is called when it has ended."""

    def __init__(self, leg: AudioLeg, behaviour: Behaviour, on_over: Callable[[], None]) -> None:
        self._leg = leg
        self._on_over = on_over
        self._heard: list[Frame] = []
        self._sent: list[Frame] = []
        self._speech: Floats = np.zeros(0)
        self._noise: Floats = np.zeros(FRAME_SAMPLES)
        self._quiet_ticks = 0
        self._over = False
        self._acts = behaviour(self)
        self.said: list[Said] = []

    @property
    def now_ms(self) -> int:
        """Length of the recording, and where the next frame goes."""
        return len(self._sent) * FRAME_MS

    @property
    def quiet_ms(self) -> int:
        """So long ago the agent's last sound was heard; since the answer, where there was none."""
        return self._quiet_ticks * FRAME_MS

    @property
    def speaking(self) -> bool:
        return len(self._speech) > 0

    def over_line(self, rendered: Rendered) -> None:
        """From now on the line sounds like that of an utterance that is to come."""
        self._noise = rendered.noise

    def say(self, rendered: Rendered) -> None:
        self._noise = rendered.noise
        self._speech = rendered.speech

    def tick(self) -> None:
        heard = self._leg.read_frame()
        loud = bool((heard > LOUD).any() or (heard < -LOUD).any())
        self._quiet_ticks = 0 if loud else self._quiet_ticks + 1
        if not self._over and next(self._acts, self) is self:
            self._end()
        sent = self._next_frame()
        self._leg.write_frame(sent)
        self._heard.append(heard)
        self._sent.append(sent)

    def settle(self) -> None:
        """Nothing to do."""

    def skip(self, ticks: int) -> None:
        for _ in range(ticks):
            self._heard.append(self._leg.read_frame())
            self._sent.append(SILENCE)
            self._speech = self._speech[FRAME_SAMPLES:]

    def failed(self, error: Exception) -> None:
        _log.error("a telephone broke: %r", error)
        self._end()

    def save(self, path: Path) -> None:
        """A stereo WAV: the agent on the left, the person on the right."""
        both = np.stack([np.concatenate(self._heard), np.concatenate(self._sent)], axis=1)
        with wave.open(str(path), "wb") as file:
            file.setnchannels(2)
            file.setsampwidth(2)
            file.setframerate(SAMPLE_RATE)
            file.writeframes(both.astype("<i2").tobytes())

    def _end(self) -> None:
        self._over = True
        self._on_over()

    def _next_frame(self) -> Frame:
        start = len(self._sent) * FRAME_SAMPLES % len(self._noise)
        mixed = np.resize(self._noise[start : start + FRAME_SAMPLES], FRAME_SAMPLES).copy()
        piece = self._speech[:FRAME_SAMPLES]
        mixed[: len(piece)] += piece
        self._speech = self._speech[FRAME_SAMPLES:]
        return np.rint(np.clip(mixed, -32768, 32767)).astype(np.int16)


_SETTLED_MS: Final = 900
"""The agent has finished when nothing was heard for so long: longer than any pause between its sentences."""
_THINKS_MS: Final = (100, 600)
_PATIENCE_MS: Final = 8000
_OPENING_MS: Final = 10_000


def answering(utterances: list[Rendered], seed: int) -> Behaviour:
    """Hear each question out, answer it, wait for the agent to speak; then the next."""

    def behave(telephone: Telephone) -> Generator[None, None, None]:
        chance = random.Random(seed)
        telephone.over_line(utterances[0])
        yield from _until_heard(telephone, _OPENING_MS)
        for number, rendered in enumerate(utterances):
            while telephone.quiet_ms < _SETTLED_MS:
                yield
            yield from _wait(chance.randint(*_THINKS_MS))
            start_ms = telephone.now_ms
            telephone.say(rendered)
            while telephone.speaking:
                yield
            answered = yield from _until_heard(telephone, _PATIENCE_MS)
            end_ms = start_ms + rendered.end_ms
            telephone.said.append(Said(rendered.utterance.id, start_ms, end_ms, answered))
            if number + 1 < len(utterances):
                telephone.over_line(utterances[number + 1])

    return behave


def _wait(ms: int) -> Generator[None, None, None]:
    for _ in range(ms // FRAME_MS):
        yield


def _until_heard(telephone: Telephone, patience_ms: int) -> Generator[None, None, bool]:
    """Whether the agent was heard in time."""
    for _ in range(patience_ms // FRAME_MS):
        if telephone.quiet_ms == 0:
            return True
        yield
    return False


_REMARK_MS: Final = (1500, 3500)
"""After the agent began to speak, or after the last remark, before the next one."""
_REMARKS: Final = 3
"""Backchannels in one of the agent's turns, which is long enough for them."""
_TURN_ENDS_MS: Final = 4000
"""Longer than the agent pauses for what turns out to be no interruption."""
_FADES_MS: Final = 400


def remarking(remarks: list[Rendered], prompt: Rendered, interrupting: bool, seed: int) -> Behaviour:
    """Speak while the agent speaks: one interruption in each of its turns, or several backchannels and, when it has
    finished, `prompt` for the next turn."""

    def behave(telephone: Telephone) -> Generator[None, None, None]:
        chance = random.Random(seed)
        waiting = list(remarks)
        telephone.over_line(waiting[0])
        yield from _until_heard(telephone, _OPENING_MS)
        while waiting:
            remarked = 0
            while waiting and remarked < (1 if interrupting else _REMARKS):
                spoke = yield from _in_speech(telephone, chance.randint(*_REMARK_MS))
                if not spoke:
                    break
                remarked += 1
                yield from _remark(telephone, waiting.pop(0))
                if waiting:
                    telephone.over_line(waiting[0])
            if interrupting and remarked:
                # Silent because of us, and heard again: that is the answer.
                while telephone.quiet_ms < _FADES_MS:
                    yield
            else:
                while telephone.quiet_ms < _TURN_ENDS_MS:
                    yield
                telephone.say(prompt)
                while telephone.speaking:
                    yield
            yield from _until_heard(telephone, _PATIENCE_MS)

    return behave


def _in_speech(telephone: Telephone, after_ms: int) -> Generator[None, None, bool]:
    """So much later and amid a word of the agent's; False where its turn ended before."""
    yield from _wait(after_ms)
    while telephone.quiet_ms > 0:
        if telephone.quiet_ms >= _TURN_ENDS_MS:
            return False
        yield
    return True


def _remark(telephone: Telephone, remark: Rendered) -> Generator[None, None, None]:
    start_ms = telephone.now_ms
    telephone.say(remark)
    while telephone.speaking:
        yield
    telephone.said.append(Said(remark.utterance.id, start_ms, start_ms + remark.end_ms, True))
