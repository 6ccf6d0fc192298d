"""Where the audio of one call meets: the leg, the ears, the voice and the recording."""

from __future__ import annotations

from collections.abc import Callable

from ringback.media.ambience import Ambience
from ringback.media.bridge import AudioLeg, FarEnd
from ringback.media.frame import FRAME_MS, SILENCE
from ringback.media.playout import Playout
from ringback.media.recorder import Recorder
from ringback.media.ring_tone import RingTone
from ringback.media.speech import VoiceStream
from ringback.media.ticker import Ticker


class CallAudio:
    """Start it when the call is answered, stop it when it is hung up: the recording covers exactly that.

    It owns none of its parts: whoever opened them closes them, after `stop`.
    """

    def __init__(
        self,
        ticker: Ticker,
        leg: AudioLeg,
        voice: VoiceStream,
        playout: Playout,
        recorder: Recorder,
        on_failed: Callable[[Exception], None],
        ambience: Ambience | None = None,
    ) -> None:
        """`on_failed` is told when a part raised; the call has no audio from then on and should be ended."""
        self._ticker = ticker
        self._leg = leg
        self._voice = voice
        self._next_frame = playout.next_frame
        if ambience is not None:
            self._next_frame = lambda: ambience.mix(playout.next_frame())
        self._recorder = recorder
        self._on_failed = on_failed
        self._far: FarEnd | RingTone | None = None
        self._ticks = 0

    @property
    def position_ms(self) -> int:
        """Audio since `start`: the one scale of what was heard, of the voice stream and of the recording."""
        return self._ticks * FRAME_MS

    def start(self) -> None:
        self._ticker.add(self)

    def stop(self) -> None:
        """Idempotent; takes effect at once."""
        self._ticker.remove(self)

    def bridge(self, far: FarEnd | None) -> None:
        """From now on the person hears who is at the far end, and is heard there; None: the agent again."""
        self._far = far

    def ring(self) -> None:
        """Until somebody is there the person hears a telephone ring, where the agent is silent."""
        if self._far is None:
            self._far = RingTone(self._next_frame)

    def tick(self) -> None:
        heard = self._leg.read_frame()
        self._voice.push(heard)
        spoken = self._next_frame() if self._far is None else self._far.exchange(heard)
        self._leg.write_frame(spoken)
        self._recorder.write(heard, spoken)
        self._ticks += 1

    def settle(self) -> None:
        """What the voice detector has made of this tick is heard in this tick, not in the next one."""
        self._voice.take()

    def skip(self, ticks: int) -> None:
        """Time that passed while the process stood still: nothing was said in it."""
        for _ in range(ticks):
            heard = self._leg.read_frame()
            self._voice.push(heard)
            self._recorder.write(heard, SILENCE)
        if self._far is not None:
            self._far.skip(ticks)
        self._ticks += ticks

    def failed(self, error: Exception) -> None:
        self._on_failed(error)
