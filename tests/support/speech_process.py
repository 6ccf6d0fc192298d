"""The real speech server in its own process, as `ringback speech` runs it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PROGRAM = """
import asyncio, sys
from pathlib import Path
from ringback.speech.server import serve
from ringback.speech.settings import SpeechServerSettings
settings = SpeechServerSettings(data_folder=Path(sys.argv[2]))
asyncio.run(serve(sys.argv[1], settings, lambda: print("ready", flush=True)))
"""


@contextmanager
def speech_process(uri: str, data_folder: Path) -> Iterator[None]:
    """Runs until the end of the block; entered when the server has said that it is ready."""
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, uri, str(data_folder)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "ready\n"
        yield
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()
