"""What the speech process is told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ringback.speech.weights import WHISPER_BASE


@dataclass(frozen=True, slots=True)
class SpeechServerSettings:
    """What the speech process loads and how much of the machine it may take."""

    data_folder: Path
    """Where the joined Whisper weights are kept."""
    whisper_model: str = WHISPER_BASE
    """"base", a CTranslate2 model directory, or a hub name."""
    threads: int = 1
    """CPU threads of one inference."""
    transcribe_workers: int = 1
    """Transcriptions at a time."""
    queue_limit: int = 64
    """Requests that may wait or run, transcriptions and sentences each; more get an error at once."""
