"""The second leg of a call: whom the first one's person is handed over to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from ringback.media.frame import SILENCE, Frame
from ringback.media.playout import Playout
from ringback.media.ticker import Ticker


class AudioLeg(Protocol):
    """The part of a `Leg` that carries audio."""

    def read_frame(self) -> Frame: ...

    def write_frame(self, frame: Frame) -> None: ...


class Tape(Protocol):
    """The part of a `Recorder` that is written."""

    def write(self, heard: Frame, spoken: Frame) -> None: ...


class FarEnd:
    """It hears `playout` until it is joined; from then on it ticks with the first leg, and both hear each other.

    Recorded from its answer on: left who took the call, right what they heard.
    """

    def __init__(
        self,
        ticker: Ticker,
        leg: AudioLeg,
        playout: Playout,
        recorder: Tape,
        on_failed: Callable[[Exception], None],
    ) -> None:
        """`on_failed` is told when a part raised while it was alone."""
        self._ticker = ticker
        self._leg: Final = leg
        self._next_frame = playout.next_frame
        self._recorder = recorder
        self._on_failed = on_failed

    def start(self) -> None:
        self._ticker.add(self)

    def join(self) -> None:
        """From now on `exchange` is called once a tick, by the first leg's audio."""
        self._ticker.remove(self)

    def stop(self) -> None:
        """Idempotent; takes effect at once."""
        self._ticker.remove(self)

    def exchange(self, heard: Frame) -> Frame:
        """Give what the first person said for what the second one did."""
        said = self._leg.read_frame()
        self._leg.write_frame(heard)
        self._recorder.write(said, heard)
        return said

    def tick(self) -> None:
        self.exchange(self._next_frame())

    def settle(self) -> None: ...

    def skip(self, ticks: int) -> None:
        for _ in range(ticks):
            self._recorder.write(self._leg.read_frame(), SILENCE)

    def failed(self, error: Exception) -> None:
        self._on_failed(error)
