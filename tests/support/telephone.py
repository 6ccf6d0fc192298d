"""Helpers around a leg: talk on it, listen to it, wait for what it tells."""

from __future__ import annotations

import asyncio
from typing import TypeVar

import numpy as np

from ringback.media.frame import FRAME_SAMPLES, SAMPLE_RATE, Frame, Samples
from ringback.media.leg import Leg, LegEvent

_Event = TypeVar("_Event", bound=LegEvent)


def tone(hertz: float, frame: int) -> Frame:
    """The nth 20 ms of a continuous tone."""
    at = np.arange(frame * FRAME_SAMPLES, (frame + 1) * FRAME_SAMPLES) / SAMPLE_RATE
    return (8000 * np.sin(2 * np.pi * hertz * at)).astype(np.int16)


def loudest_hertz(samples: Samples) -> float:
    """The strongest frequency, 0 in silence."""
    if not samples.any():
        return 0.0
    spectrum = np.abs(np.fft.rfft(samples.astype(np.float64)))
    return float(np.argmax(spectrum) * SAMPLE_RATE / len(samples))


async def talk(leg: Leg, hertz: float, seconds: float) -> Samples:
    """Send a tone in real time; returns what was heard meanwhile."""
    loop = asyncio.get_running_loop()
    start, heard = loop.time(), []
    for number in range(int(seconds * 50)):
        leg.write_frame(tone(hertz, number))
        heard.append(leg.read_frame())
        await asyncio.sleep(max(0.0, start + (number + 1) * 0.02 - loop.time()))
    return np.concatenate(heard)


async def expect(leg: Leg, kind: type[_Event], timeout: float = 10.0) -> _Event:
    """The leg's next event, which must be of this kind."""
    async with asyncio.timeout(timeout):
        event = await leg.next_event()
    assert isinstance(event, kind), f"{event} instead of {kind.__name__}"
    return event
