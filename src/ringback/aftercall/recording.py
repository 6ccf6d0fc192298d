"""The recording of a finished call, also of one whose worker was lost while it wrote."""

from __future__ import annotations

import asyncio
import wave
from dataclasses import dataclass
from pathlib import Path

from ringback.executions import recording_files


@dataclass(frozen=True, slots=True)
class FinishedRecording:
    path: Path
    duration_ms: int


def recording_path(folder: Path, account_id: str, execution_id: str, number: int) -> Path:
    """Where the recording of an attempt lies."""
    return folder / recording_files.place(account_id, execution_id, number)


async def finish(path: Path) -> FinishedRecording | None:
    """The finished file; what a lost worker left as `.part` becomes one. None where nothing was recorded."""
    return await asyncio.to_thread(_finish, path)


def _finish(path: Path) -> FinishedRecording | None:
    part = path.with_name(path.name + ".part")
    if not path.exists() and part.exists():
        part.replace(path)
    try:
        with wave.open(str(path), "rb") as file:
            return FinishedRecording(path, round(file.getnframes() * 1000 / file.getframerate()))
    except (OSError, EOFError, wave.Error):
        return None
