"""The first stage: the recording closed, also that of a lost worker, with its length and digest in the record."""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ringback.aftercall.stage import FinishedCall, Outcome, StageError
from ringback.executions import recording_files
from ringback.executions.record import AttemptChanges

_HEADER_BYTES: Final = 44
"""Of the recorder's files."""


@dataclass(frozen=True, slots=True)
class FinishedRecording:
    path: Path
    duration_ms: int
    sha256: str
    """Of the whole file, in hexadecimal."""


class RecordingStage:
    """Implements `Stage` for the recordings in a folder."""

    name = "recording"
    tries = 5

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def run(self, call: FinishedCall) -> Outcome:
        attempt = call.attempt
        place = recording_files.place(attempt.account_id, attempt.execution_id, attempt.number)
        try:
            found = await finish(self._folder / place)
        except OSError as error:
            raise StageError(f"the recording cannot be read: {error.strerror or 'it is damaged'}") from error
        if found is None:
            return Outcome()
        return Outcome(
            result={"duration_ms": found.duration_ms, "sha256": found.sha256},
            attempt_changes=AttemptChanges(
                recording_path=place,
                recording_token=secrets.token_urlsafe(24),
                recording_ms=found.duration_ms,
                recording_sha256=found.sha256,
                # A lost worker could not say how long was talked; its recording can.
                conversation_ms=attempt.conversation_ms or found.duration_ms,
            ),
            note=f"{found.duration_ms / 1000:.1f} s, SHA-256 {found.sha256}",
        )


def recording_path(folder: Path, account_id: str, execution_id: str, number: int) -> Path:
    """Where the recording of an attempt lies."""
    return folder / recording_files.place(account_id, execution_id, number)


async def finish(path: Path) -> FinishedRecording | None:
    """The finished file; what a lost worker left as `.part` becomes one. None where nothing was recorded.

    Raises OSError for one that cannot be read.
    """
    return await asyncio.to_thread(_finish, path)


def _finish(path: Path) -> FinishedRecording | None:
    part = path.with_name(path.name + ".part")
    if not path.exists():
        try:
            _close(part)
        except (FileNotFoundError, EOFError, wave.Error):
            return None  # its worker was lost before it had written any
        part.replace(path)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    try:
        return FinishedRecording(path, _duration_ms(path), digest)
    except (EOFError, wave.Error) as error:
        raise OSError(str(error)) from error


def _close(part: Path) -> None:
    """What was written behind the last header is no part of it."""
    with wave.open(str(part), "rb") as audio:
        length = _HEADER_BYTES + audio.getnframes() * audio.getnchannels() * audio.getsampwidth()
    with part.open("r+b") as file:
        file.truncate(length)
        os.fsync(file.fileno())


def _duration_ms(path: Path) -> int:
    with wave.open(str(path), "rb") as audio:
        return round(audio.getnframes() * 1000 / audio.getframerate())
