"""Wyoming's audio chunks, of whatever format, to mono samples of one rate."""

from __future__ import annotations

from typing import Final

import numpy as np
from wyoming.audio import AudioChunk

from ringback.media.frame import Samples
from ringback.media.speech import SpeechError
from ringback.speech.resample import Floats, StreamResampler, to_int16

_DTYPES: Final = {1: "u1", 2: "<i2", 4: "<i4"}
_RATES: Final = range(4000, 192_001)


class PcmConverter:
    """A stream of chunks of one format to int16 at `rate`, in pieces that join without seams."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._format: tuple[int, int, int] | None = None
        self._resampler = StreamResampler(rate, rate)

    def push(self, chunk: AudioChunk) -> Samples:
        """What is certain by now. Raises SpeechError for a format that makes no sense, or changes midway."""
        found = (chunk.rate, chunk.width, chunk.channels)
        if self._format is None:
            if chunk.rate not in _RATES or chunk.width not in _DTYPES or not 1 <= chunk.channels <= 8:
                raise SpeechError("Audio of {} Hz, {} bytes, {} channels is not understood.".format(*found))
            self._format = found
            self._resampler = StreamResampler(chunk.rate, self._rate)
        elif found != self._format:
            raise SpeechError("The audio's format changed in the middle of a stream.")
        return to_int16(self._resampler.push(_mono(chunk)))

    def flush(self) -> Samples:
        """The end of the stream."""
        return to_int16(self._resampler.flush())


class PcmReader:
    """A whole utterance out of chunks. max_s: its longest length in seconds."""

    def __init__(self, rate: int, *, max_s: int) -> None:
        self._converter = PcmConverter(rate)
        self._pieces: list[Samples] = []
        self._room = rate * max_s

    def push(self, chunk: AudioChunk) -> None:
        """Raises SpeechError for a bad format or where the utterance grows too long."""
        piece = self._converter.push(chunk)
        self._room -= len(piece)
        if self._room < 0:
            raise SpeechError("The utterance is too long.")
        self._pieces.append(piece)

    def finish(self) -> Samples:
        return np.concatenate([*self._pieces, self._converter.flush()])


def _mono(chunk: AudioChunk) -> Floats:
    """Float samples in int16 units, the channels averaged."""
    frame = chunk.width * chunk.channels
    whole = chunk.audio[: len(chunk.audio) // frame * frame]
    audio = np.frombuffer(whole, dtype=_DTYPES[chunk.width]).astype(np.float32)
    if chunk.width == 1:
        audio = (audio - 128) * 256
    elif chunk.width == 4:
        audio /= 65536
    return np.asarray(audio.reshape(-1, chunk.channels).mean(axis=1), dtype=np.float32)
