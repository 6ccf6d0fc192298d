"""Two legs joined in one tick, each recorded; and what is heard until somebody is there."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import numpy as np
import pytest

from ringback.media.bridge import FarEnd
from ringback.media.call_audio import CallAudio
from ringback.media.frame import FRAME_SAMPLES, SILENCE, Frame
from ringback.media.playout import Playout
from ringback.media.ring_tone import RingTone
from ringback.media.ticker import Ticker


def level(value: int) -> Frame:
    return np.full(FRAME_SAMPLES, value, dtype=np.int16)


class Line:
    """A leg that says one thing."""

    def __init__(self, says: int) -> None:
        self._says = level(says)
        self.heard: list[int] = []
        self.reads = 0

    def read_frame(self) -> Frame:
        self.reads += 1
        return self._says

    def write_frame(self, frame: Frame) -> None:
        self.heard.append(int(frame[0]))


class Tape:
    def __init__(self) -> None:
        self.sides: list[tuple[int, int]] = []

    def write(self, heard: Frame, spoken: Frame) -> None:
        self.sides.append((int(heard[0]), int(spoken[0])))


class Ears:
    def __init__(self) -> None:
        self.heard: list[int] = []

    def push(self, frame: Frame) -> None:
        self.heard.append(int(frame[0]))

    def take(self) -> list[float]:
        return []


def spoken(value: int) -> Playout:
    playout = Playout(lambda event: None)
    playout.append("0", np.full(FRAME_SAMPLES * 10, value, dtype=np.int16))
    playout.finish("0")
    return playout


class Call:
    """Two lines with tapes, and nothing that ticks by itself."""

    def __init__(self) -> None:
        self.ticker = Ticker()
        self.person, self.taker = Line(100), Line(200)
        self.tape, self.far_tape, self.ears = Tape(), Tape(), Ears()
        self.failures: list[Exception] = []
        self.audio = CallAudio(
            self.ticker,
            self.person,
            cast(Any, self.ears),
            spoken(300),
            cast(Any, self.tape),
            self.failures.append,
        )
        self.far = FarEnd(self.ticker, self.taker, spoken(400), self.far_tape, self.failures.append)


def test_before_they_are_joined_each_hears_its_own_and_then_the_other() -> None:
    call = Call()
    call.far.tick()
    call.audio.tick()
    call.far.tick()
    call.audio.tick()
    call.audio.bridge(call.far)
    call.audio.tick()
    call.audio.tick()
    call.audio.bridge(None)
    call.audio.tick()
    assert call.person.heard[1:] == [300, 200, 200, 300]
    assert call.taker.heard[1:] == [400, 100, 100]
    assert call.tape.sides[1:] == [(100, 300), (100, 200), (100, 200), (100, 300)]
    assert call.far_tape.sides[1:] == [(200, 400), (200, 100), (200, 100)]
    assert call.ears.heard == [100] * 5
    assert call.audio.position_ms == 100


def test_time_that_was_slept_through_is_silence_on_both_tapes() -> None:
    call = Call()
    call.audio.bridge(call.far)
    call.audio.skip(3)
    assert call.tape.sides == [(100, 0)] * 3
    assert call.far_tape.sides == [(200, 0)] * 3
    assert (call.taker.reads, call.taker.heard, call.person.heard) == (3, [], [])


async def test_it_ticks_by_itself_until_it_is_joined() -> None:
    call = Call()
    ticking = asyncio.create_task(call.ticker.run())
    call.far.start()
    await asyncio.sleep(0.2)
    call.far.join()
    alone = len(call.taker.heard)
    assert alone >= 3
    await asyncio.sleep(0.1)
    assert len(call.taker.heard) == alone
    call.far.stop()
    call.ticker.stop()
    await ticking


def test_a_part_that_raises_is_told() -> None:
    call = Call()
    error = RuntimeError("no")
    call.far.failed(error)
    assert call.failures == [error]


@pytest.mark.parametrize("speaks", [True, False])
def test_a_telephone_rings_where_the_agent_is_silent(speaks: bool) -> None:

    tone = RingTone(lambda: level(300) if speaks else SILENCE)
    frames = [tone.exchange(SILENCE) for _ in range(600)]
    loud = [bool(frame.any()) and not (frame == 300).all() for frame in frames]
    assert loud == ([False] * 600 if speaks else ([True] * 100 + [False] * 200) * 2)
    assert max(int(np.abs(frame).max()) for frame in frames) <= 1600
    tone.skip(100)
    assert not tone.exchange(SILENCE).any() or speaks
