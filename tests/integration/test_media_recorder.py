"""Recordings on a real disk, read back with the standard library."""

import hashlib
import os
import subprocess
import sys
import threading
import time
import wave

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ringback.media import recorder as module
from ringback.media.frame import FRAME_SAMPLES, SILENCE
from ringback.media.recorder import Recorder, RecordingError


def read(path):
    """(heard, spoken) as the file has them."""
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, 8000)
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
    return samples[:, 0], samples[:, 1]


async def test_the_person_is_left_the_agent_right_and_nothing_is_missing(tmp_path):
    source = np.random.default_rng(5)
    heard = source.integers(-32768, 32767, (437, FRAME_SAMPLES), dtype=np.int16)
    spoken = source.integers(-32768, 32767, (437, FRAME_SAMPLES), dtype=np.int16)
    recorder = Recorder(tmp_path / "deep" / "call.wav")
    for left, right in zip(heard, spoken, strict=True):
        recorder.write(left, right)
    recording = await recorder.close()
    left, right = read(recording.path)
    assert np.array_equal(left, heard.ravel())
    assert np.array_equal(right, spoken.ravel())
    content = recording.path.read_bytes()
    assert recording.path == tmp_path / "deep" / "call.wav"
    assert recording.duration_ms == 437 * 20
    assert recording.bytes == len(content)
    assert recording.sha256 == hashlib.sha256(content).hexdigest()
    assert [entry.name for entry in recording.path.parent.iterdir()] == ["call.wav"]


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(ticks=st.integers(0, 350))
async def test_its_length_is_the_ticks_times_20_ms(tmp_path, ticks):
    recorder = Recorder(tmp_path / f"{ticks}.wav")
    for _ in range(ticks):
        recorder.write(SILENCE, SILENCE)
    recording = await recorder.close()
    assert recording.duration_ms == 20 * ticks
    assert len(read(recording.path)[0]) == FRAME_SAMPLES * ticks


async def test_closing_twice_gives_the_same_and_later_frames_are_ignored(tmp_path):
    recorder = Recorder(tmp_path / "call.wav")
    recorder.write(SILENCE, SILENCE)
    first = await recorder.close()
    recorder.write(SILENCE, SILENCE)
    assert await recorder.close() == first
    assert len(read(first.path)[0]) == FRAME_SAMPLES


CHILD = """
import sys, time
from pathlib import Path
import numpy as np
from ringback.media.recorder import Recorder
recorder = Recorder(Path(sys.argv[1]))
for number in range(10**9):
    recorder.write(np.full(160, number % 30000, np.int16), np.full(160, -(number % 30000), np.int16))
    time.sleep(0.0002)
"""


def test_a_process_killed_in_mid_call_leaves_a_readable_recording(tmp_path):
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(tmp_path / "call.wav")])
    part = tmp_path / "call.wav.part"
    try:
        deadline = time.monotonic() + 20
        while not (part.exists() and part.stat().st_size > 200_000):
            assert time.monotonic() < deadline, "nothing was written"
            time.sleep(0.01)
    finally:
        child.kill()
        child.wait(10)
    heard, spoken = read(part)
    assert len(heard) * 4 > 100_000
    numbers = heard[::FRAME_SAMPLES]
    assert np.array_equal(numbers, np.arange(len(numbers)))
    assert np.array_equal(spoken, -heard)


async def test_a_broken_disk_is_told_at_close_and_never_by_write(tmp_path):
    (tmp_path / "file").write_text("in the way")
    recorder = Recorder(tmp_path / "file" / "call.wav")
    for _ in range(500):
        recorder.write(SILENCE, SILENCE)
    with pytest.raises(RecordingError, match=r"cannot write the recording .*call\.wav"):
        await recorder.close()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
async def test_a_full_disk_is_told_at_close(tmp_path):
    (tmp_path / "call.wav.part").symlink_to("/dev/full")
    recorder = Recorder(tmp_path / "call.wav")
    for _ in range(150):
        recorder.write(SILENCE, SILENCE)
    with pytest.raises(RecordingError, match="No space left on device"):
        await recorder.close()
    assert not (tmp_path / "call.wav").exists()


async def test_what_a_slow_disk_cannot_take_becomes_silence_of_the_same_length(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_BOUND", 150)
    loud = np.full(FRAME_SAMPLES, 9000, np.int16)
    release = threading.Event()
    module._writer.now(lambda: release.wait(10))
    recorder = Recorder(tmp_path / "call.wav")
    for _ in range(600):
        recorder.write(loud, loud)
    release.set()
    recording = await recorder.close()
    heard, _ = read(recording.path)
    assert len(heard) == 600 * FRAME_SAMPLES
    assert np.count_nonzero(heard) == 250 * FRAME_SAMPLES
