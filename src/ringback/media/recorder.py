"""The recording of one leg: a stereo WAV, the person on the left, the agent on the right."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import struct
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from ringback.media.frame import FRAME_MS, FRAME_SAMPLES, SAMPLE_RATE, SILENCE, Frame
from ringback.media.writer import Writer

_CHANNELS: Final = 2
_SAMPLE_BYTES: Final = 2
_BLOCK_BYTES: Final = _CHANNELS * _SAMPLE_BYTES
_HEADER: Final = struct.Struct("<4sI4s4sIHHIIHH4sI")
_PCM: Final = 1
_CHUNK: Final = 100
"""Frames (2 s) between writes: what a crash can cost, and a moment more."""
_BOUND: Final = 3000
"""Frames (1 min) that may wait for a slow disk; beyond it audio becomes silence, so that time stays true."""
_CLOSE_TIMEOUT_S: Final = 30.0

_writer = Writer()
"""One for all recordings of the process."""

_log = logging.getLogger(__name__)


class RecordingError(Exception):
    """The recording could not be written; the message says where and why."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A finished file."""

    path: Path
    duration_ms: int
    sha256: str
    """Of the whole file, in hexadecimal."""
    bytes: int
    """Size of the file."""


class Recorder:
    """Written to `<path>.part`, which a crash leaves as a readable WAV; renamed to `path` by `close`.

    A full or broken disk never disturbs the call: it is told by `close`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._part = path.with_name(path.name + ".part")
        self._waiting: list[tuple[Frame, Frame]] = []
        self._writing = False
        """Frames were given to the writer, and it is not done with them."""
        self._frames = 0
        self._dropped = 0
        self._error: OSError | None = None
        self._written = 0
        self._closed: asyncio.Future[Recording] | None = None

    @property
    def duration_ms(self) -> int:
        """Length so far."""
        return self._frames * FRAME_MS

    def write(self, heard: Frame, spoken: Frame) -> None:
        """Add 20 ms; both frames stay unchanged afterwards. Never blocks or raises; ignored once closed."""
        if self._closed is not None or self._error is not None:
            return
        if len(self._waiting) >= _BOUND:
            self._dropped += 1
            heard = spoken = SILENCE
        self._waiting.append((heard, spoken))
        self._frames += 1
        if len(self._waiting) >= _CHUNK and not self._writing:
            self._writing = True
            _writer.soon(partial(self._write, self._waiting))
            self._waiting = []

    async def close(self) -> Recording:
        """Finish the file and give it its name. Idempotent. Raises RecordingError if any of it is missing."""
        if self._closed is None:
            self._closed = asyncio.wrap_future(_writer.now(partial(self._finish, self._waiting)))
        try:
            return await asyncio.wait_for(asyncio.shield(self._closed), _CLOSE_TIMEOUT_S)
        except OSError as error:
            reason = error.strerror or "the disk is too slow"
            raise RecordingError(f"cannot write the recording {self._part}: {reason}") from error

    def _write(self, frames: list[tuple[Frame, Frame]]) -> None:
        """In the writer thread."""
        try:
            self._append(_interleaved(frames))
        except OSError as error:
            self._error = error
            _log.error("the recording %s breaks off: %s", self._path.name, error.strerror)
        finally:
            self._writing = False

    def _append(self, audio: bytes) -> None:
        self._part.parent.mkdir(parents=True, exist_ok=True)
        with self._part.open("r+b" if self._written else "wb") as file:
            # Audio first: should we die between the two, the header still speaks of audio that is there.
            file.seek(_HEADER.size + self._written)
            file.write(audio)
            file.flush()
            file.seek(0)
            file.write(_header(self._written + len(audio)))
        self._written += len(audio)

    def _finish(self, frames: list[tuple[Frame, Frame]]) -> Recording:
        """In the writer thread."""
        if self._error is not None:
            raise self._error
        self._append(_interleaved(frames))
        with self._part.open("rb") as file:
            os.fsync(file.fileno())
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        self._part.replace(self._path)
        if self._dropped:
            _log.error("the recording %s lost %d ms: slow disk", self._path.name, self._dropped * FRAME_MS)
        return Recording(self._path, self.duration_ms, digest, _HEADER.size + self._written)


def _interleaved(frames: list[tuple[Frame, Frame]]) -> bytes:
    if not frames:
        return b""
    audio = np.empty((len(frames) * FRAME_SAMPLES, _CHANNELS), dtype="<i2")
    audio[:, 0] = np.concatenate([heard for heard, _ in frames])
    audio[:, 1] = np.concatenate([spoken for _, spoken in frames])
    return audio.tobytes()


def _header(audio_bytes: int) -> bytes:
    """RIFF WAVE, 16-bit PCM. The sizes stop at 4 GiB: 37 hours."""
    return _HEADER.pack(
        b"RIFF",
        _HEADER.size - 8 + audio_bytes,
        b"WAVE",
        b"fmt ",
        16,
        _PCM,
        _CHANNELS,
        SAMPLE_RATE,
        SAMPLE_RATE * _BLOCK_BYTES,
        _BLOCK_BYTES,
        8 * _SAMPLE_BYTES,
        b"data",
        audio_bytes,
    )
