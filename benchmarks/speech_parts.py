"""What the embedded speech parts cost, on one thread each: voice detector, transcriber, synthesizer.

    python -m benchmarks.speech_parts

from the repository's root, on an otherwise idle core (compare the ratios where it is not). The last line is
one JSON object: medians in the unit that each name ends with, word error rates in percent.
"""

from __future__ import annotations

import json
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ringback.demo.voice import deepen
from ringback.demo.words import errors
from ringback.media.frame import SAMPLE_RATE, Samples
from ringback.speech.hibari import HibariVoice
from ringback.speech.vad import WINDOW_SAMPLES, SileroVoiceDetector
from ringback.speech.weights import whisper_directory
from ringback.speech.whisper import MAX_CONTEXT, WhisperModel
from tests.support.telephone_sentences import SENTENCES, telephone


def seconds(job: Callable[[], object]) -> float:
    begun = time.perf_counter()
    job()
    return time.perf_counter() - begun


def detector_us(streams: int, ticks: int) -> float:
    """Microseconds a stream and window, pushing included."""
    detector = SileroVoiceDetector()
    opened = [detector.open() for _ in range(streams)]
    window = np.random.default_rng(0).integers(-3000, 3000, WINDOW_SAMPLES).astype(np.int16)

    def tick() -> None:
        for stream in opened:
            stream.push(window)
        detector.run()

    return statistics.median(seconds(tick) for _ in range(ticks)) / streams * 1e6


def error_rate(whisper: WhisperModel, audios: dict[str, Samples]) -> float:
    found = [errors(SENTENCES[said], whisper.transcribe(audio)) for said, audio in audios.items()]
    return 100 * sum(wrong for wrong, _ in found) / sum(said for _, said in found)


def main() -> None:
    figures: dict[str, float] = {}
    figures["vad_alone_us"] = detector_us(1, 2000)
    figures["vad_in_batch_of_100_us"] = detector_us(100, 100)

    voice = HibariVoice()
    voice.speak("Warm.")
    spoken = {sentence: seconds(lambda sentence=sentence: voice.speak(sentence)) for sentence in SENTENCES}  # type: ignore[misc]
    short = [sentence for sentence in SENTENCES if len(voice.speak(sentence)) < 3 * SAMPLE_RATE]
    figures["hibari_short_sentence_ms"] = statistics.median(spoken[sentence] for sentence in short) * 1e3
    figures["hibari_remembered_us"] = (
        statistics.median(seconds(lambda: voice.speak("Yes.")) for _ in range(100)) * 1e6
    )

    with tempfile.TemporaryDirectory() as folder:
        directory = whisper_directory("base", Path(folder))
        figures["whisper_verify_s"] = seconds(lambda: whisper_directory("base", Path(folder)))
        begun = time.perf_counter()
        whisper = WhisperModel(directory)
        figures["whisper_load_s"] = time.perf_counter() - begun
        full = WhisperModel(directory, min_context=MAX_CONTEXT)

    audios = {sentence: telephone(voice.speak(sentence)) for sentence in SENTENCES}
    usual = [audio for audio in audios.values() if 2.0 <= len(audio) / SAMPLE_RATE <= 3.5]
    whisper.transcribe(usual[0])
    figures["whisper_utterance_of_2_to_3.5_s"] = statistics.median(
        seconds(lambda audio=audio: whisper.transcribe(audio))  # type: ignore[misc]
        for audio in usual * 3
    )
    figures["whisper_same_in_30_s_window_s"] = statistics.median(
        seconds(lambda audio=audio: full.transcribe(audio))  # type: ignore[misc]
        for audio in usual
    )
    figures["whisper_short_context_speedup"] = (
        figures["whisper_same_in_30_s_window_s"] / figures["whisper_utterance_of_2_to_3.5_s"]
    )
    figures["wer_30_s_window_percent"] = error_rate(full, audios)
    for factor in (1.0, 0.92, 0.88, 0.85, 0.8):
        lower = {said: telephone(deepen(voice.speak(said), factor)) for said in SENTENCES}
        figures[f"wer_pitch_{factor:g}_percent"] = error_rate(whisper, lower)
        even = {said: telephone(deepen(voice.speak(said, speed=1 / factor), factor)) for said in SENTENCES}
        figures[f"wer_pitch_{factor:g}_same_pace_percent"] = error_rate(whisper, even)
    figures["max_rss_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({name: round(value, 3) for name, value in figures.items()}))


if __name__ == "__main__":
    main()
