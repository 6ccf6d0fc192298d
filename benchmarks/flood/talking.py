"""Calls whose audio ticks."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

import numpy as np

from ringback.media.frame import FRAME_SAMPLES, SAMPLE_RATE
from ringback.media.ticker import Ticker
from ringback.telephony.sip.leg import SipLeg

HOST: Final = "127.0.0.1"
_SILENT: Final = 50
"""Ticks without sound after which a call is lost."""
_TONE: Final = (8000 * np.sin(2 * np.pi * 500 * np.arange(FRAME_SAMPLES) / SAMPLE_RATE)).astype(np.int16)


class Line:
    """Implements `ticker.Member`: says a tone, and notes since when it hears none."""

    def __init__(self, leg: SipLeg) -> None:
        self.leg = leg
        self._quiet = 0

    @property
    def alive(self) -> bool:
        return self._quiet < _SILENT

    def tick(self) -> None:
        self._quiet = 0 if self.leg.read_frame().any() else self._quiet + 1
        self.leg.write_frame(_TONE)

    def settle(self) -> None:
        pass

    def skip(self, ticks: int) -> None:
        pass

    def failed(self, error: Exception) -> None:
        raise error


@contextlib.asynccontextmanager
async def ticking(ticker: Ticker) -> AsyncIterator[None]:
    running = asyncio.create_task(ticker.run())
    yield
    ticker.stop()
    await running
