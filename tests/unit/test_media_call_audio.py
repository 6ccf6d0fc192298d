"""One call's audio: what each tick moves from where to where."""

import numpy as np
import pytest
from scipy.io import wavfile

from ringback.media.ambience import Ambience
from ringback.media.call_audio import CallAudio
from ringback.media.frame import FRAME_SAMPLES
from ringback.media.playout import Playout
from ringback.media.recorder import Recorder
from ringback.media.ticker import Ticker


class LoopLeg:
    """Hears frames numbered 1, 2, 3 ...; keeps what was sent; may break."""

    def __init__(self):
        self.read, self.sent, self.broken = 0, [], False

    def read_frame(self):
        if self.broken:
            raise RuntimeError("socket gone")
        self.read += 1
        return np.full(FRAME_SAMPLES, self.read, np.int16)

    def write_frame(self, frame):
        self.sent.append(int(frame[0]))


class Ears:
    def __init__(self):
        self.heard = []
        self.heard_when_taken = []

    def push(self, frame):
        self.heard.append(int(frame[0]))

    def take(self):
        self.heard_when_taken.append(list(self.heard))
        return []

    def close(self):
        pass


@pytest.fixture
def call(tmp_path):
    leg, ears, playout, errors = LoopLeg(), Ears(), Playout(lambda event: None), []
    ticker = Ticker(phases=1)
    recorder = Recorder(tmp_path / "call.wav")
    audio = CallAudio(ticker, leg, ears, playout, recorder, errors.append)
    return audio, leg, ears, playout, recorder, errors


async def test_a_tick_hears_speaks_and_records_the_same_20_ms(call):
    audio, leg, ears, playout, recorder, _ = call
    playout.append("a", np.full(2 * FRAME_SAMPLES, 500, np.int16))
    for _ in range(4):
        audio.tick()
    assert ears.heard == [1, 2, 3, 4]
    assert leg.sent == [500, 500, 0, 0]
    assert audio.position_ms == recorder.duration_ms == 80


async def test_a_room_is_behind_everything_that_is_sent_and_recorded(tmp_path):
    leg, playout = LoopLeg(), Playout(lambda event: None)
    recorder = Recorder(tmp_path / "call.wav")
    ambience = Ambience(np.full(FRAME_SAMPLES, 7, np.int16), "x")
    audio = CallAudio(Ticker(), leg, Ears(), playout, recorder, print, ambience)
    playout.append("a", np.full(2 * FRAME_SAMPLES, 500, np.int16))
    audio.tick()
    playout.pause()
    for _ in range(2):
        audio.tick()
    playout.resume()
    audio.tick()
    assert leg.sent == [507, 507, 7, 7], "the first of a pause and of what follows fades"
    await recorder.close()
    sent = wavfile.read(tmp_path / "call.wav")[1][:, 1]
    assert sent[::FRAME_SAMPLES].tolist() == leg.sent


async def test_time_that_was_skipped_is_in_the_recording_too(call):
    audio, leg, ears, playout, recorder, _ = call
    playout.append("a", np.full(2 * FRAME_SAMPLES, 500, np.int16))
    audio.tick()
    audio.skip(3)
    audio.tick()
    assert ears.heard == [1, 2, 3, 4, 5]
    assert leg.sent == [500, 500]
    assert audio.position_ms == recorder.duration_ms == 100


async def test_it_ticks_from_start_to_stop_and_a_failure_is_told(call):
    audio, leg, ears, _, _, errors = call
    ticker = audio._ticker
    audio.start()
    ticker._tick(ticker._phases[0])
    audio.stop()
    ticker._tick(ticker._phases[0])
    assert ears.heard == [1]
    leg.broken = True
    audio.start()
    ticker._tick(ticker._phases[0])
    ticker._tick(ticker._phases[0])
    assert [str(error) for error in errors] == ["socket gone"]


async def test_the_ears_are_asked_in_the_same_tick_after_the_detector_ran(call):
    audio, _, ears, *_ = call
    ticker = audio._ticker
    ticker.after(lambda: ears.heard.append("detector"))
    audio.start()
    ticker._tick(ticker._phases[0])
    assert ears.heard_when_taken == [[1, "detector"]]
