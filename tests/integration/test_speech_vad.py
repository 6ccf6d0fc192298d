"""The voice detector with its real model."""

import numpy as np
import pytest

from ringback.media.activity import SpeechActivity, SpeechStarted, SpeechStopped
from ringback.media.frame import FRAME_SAMPLES, SAMPLE_RATE, Samples
from ringback.speech.hibari import HibariVoice
from ringback.speech.vad import CONTEXT_SAMPLES, WINDOW_SAMPLES, SileroVoiceDetector


@pytest.fixture(scope="module")
def utterance() -> Samples:
    """0.5 s of silence, a sentence, 0.5 s of silence, in whole frames."""
    pause = np.zeros(SAMPLE_RATE // 2, dtype=np.int16)
    audio = np.concatenate([pause, HibariVoice().speak("Yes, that would suit me very well."), pause])
    return audio[: len(audio) // FRAME_SAMPLES * FRAME_SAMPLES]


def frames(audio: Samples) -> list[Samples]:
    return list(audio.reshape(-1, FRAME_SAMPLES))


def alone(audio: Samples, own_voice_only: bool = True) -> list[float]:
    detector = SileroVoiceDetector(own_voice_only=own_voice_only)
    stream = detector.open()
    for frame in frames(audio):
        stream.push(frame)
        detector.run()
    return stream.take()


def test_it_is_the_official_wrappers_arithmetic(utterance: Samples) -> None:
    """Windows with the 32 samples before them, the state handed on: as the model's own wrapper feeds it."""
    detector = SileroVoiceDetector(own_voice_only=False)
    state = np.zeros((2, 1, 128), dtype=np.float32)
    audio = np.concatenate([np.zeros(CONTEXT_SAMPLES, dtype=np.int16), utterance]) / np.float32(32768)
    expected = []
    for start in range(0, len(utterance) - WINDOW_SAMPLES + 1, WINDOW_SAMPLES):
        window = audio[None, start : start + CONTEXT_SAMPLES + WINDOW_SAMPLES]
        feed = {"input": window, "state": state, "sr": np.array(SAMPLE_RATE, dtype=np.int64)}
        probability, state = detector._session.run(None, feed)
        expected.append(float(probability[0, 0]))
    np.testing.assert_allclose(alone(utterance, own_voice_only=False), expected, atol=1e-5)


def test_a_batch_gives_each_stream_what_it_would_get_alone(utterance: Samples) -> None:
    """Forty streams, each beginning at another frame, so that windows complete at different ticks."""
    detector = SileroVoiceDetector()
    streams = [detector.open() for _ in range(40)]
    rows = [frames(np.roll(utterance, -FRAME_SAMPLES * number)) for number in range(40)]
    for tick in range(len(rows[0])):
        for number, stream in enumerate(streams):
            if tick >= number % 5:
                stream.push(rows[number][tick - number % 5])
        detector.run()
    for number in (0, 1, 7, 23, 39):
        heard = len(rows[number]) - number % 5
        expected = alone(np.concatenate(rows[number][:heard]))
        np.testing.assert_allclose(streams[number].take(), expected, atol=1e-4)


def test_a_slot_used_again_starts_fresh(utterance: Samples) -> None:
    detector = SileroVoiceDetector()
    stays = detector.open()
    for _ in range(30):
        stream = detector.open()
        for frame in frames(utterance)[:60]:
            stream.push(frame)
            detector.run()
        stream.close()
        stream.close()
    stream = detector.open()
    for frame in frames(utterance):
        stream.push(frame)
        stays.push(frame)
        detector.run()
    np.testing.assert_allclose(stream.take(), alone(utterance), atol=1e-4)


def test_a_detector_that_is_not_run_forgets_the_oldest_and_catches_up(utterance: Samples) -> None:
    detector = SileroVoiceDetector()
    stream = detector.open()
    for frame in frames(utterance):
        stream.push(frame)
    detector.run()
    assert 7 <= len(stream.take()) <= 8
    assert stream.take() == []


def test_speech_begins_and_ends_where_it_is(utterance: Samples) -> None:
    activity = SpeechActivity(SileroVoiceDetector.window_ms)
    changes = [change for probability in alone(utterance) if (change := activity.push(probability))]
    started, stopped = changes
    assert isinstance(started, SpeechStarted)
    assert isinstance(stopped, SpeechStopped)
    loud = np.flatnonzero(np.abs(utterance) > 500) * 1000 / SAMPLE_RATE
    assert abs(started.at_ms - loud[0]) <= 100
    assert abs(stopped.at_ms - loud[-1]) <= 150


@pytest.mark.parametrize("level", [0, 20, 300, 3000])
def test_noise_is_not_speech(level: int) -> None:
    noise = (np.random.default_rng(0).standard_normal(SAMPLE_RATE * 4) * level).astype(np.int16)
    activity = SpeechActivity(SileroVoiceDetector.window_ms)
    assert [change for probability in alone(noise) if (change := activity.push(probability))] == []
