"""Ears, voice and language model: whether they answer, and whether the one understands the other."""

from __future__ import annotations

import asyncio
import re
from typing import Final
from urllib.parse import urlsplit

import numpy as np

from ringback.agents.plan import SpeechPart
from ringback.app.doctor import faults
from ringback.app.doctor.finding import Faulty, Finding
from ringback.app.providers import Providers
from ringback.app.settings import Settings
from ringback.media.frame import SILENCE, Samples
from ringback.media.speech import SpeechError, Voice, WordEnds

_SENTENCE: Final = "Good morning, your appointment is on Monday at ten."
_WORDS: Final = 5
"""Of its nine, that the transcriber must have heard."""
_CONNECT_S: Final = 5.0


async def understood(settings: Settings) -> Finding:
    """Speak a sentence and listen to it."""
    providers, part = Providers(settings), SpeechPart("local")
    try:
        spoken = [
            piece
            async for piece in providers.synthesizer(part).synthesize(_SENTENCE, Voice())
            if not isinstance(piece, WordEnds)
        ]
        heard = await providers.transcriber(part).transcribe(_with_silence(spoken), "en")
    except SpeechError as error:
        raise Faulty(faults.SPEECH, error=str(error).partition(";")[0].rstrip(".")) from error
    finally:
        await providers.outbound.close()
    if len(_words(heard.text) & _words(_SENTENCE)) < _WORDS:
        raise Faulty(faults.MISHEARD, heard=repr(heard.text[:80]), said=repr(_SENTENCE))
    return Finding.ok("speech", f'The transcriber heard "{heard.text.strip()}", as it was said.')


def _with_silence(pieces: list[Samples]) -> Samples:
    pause = np.concatenate([SILENCE] * 15)
    return np.concatenate([pause, *pieces, pause])


def _words(text: str) -> set[str]:
    return set(re.findall(r"[a-z]+", text.lower()))


async def language_model(settings: Settings) -> Finding:
    """Whether somebody listens at `llm.base_url`; nothing is asked, since that may cost money."""
    check, url = "language model", settings.llm.base_url
    if not url:
        return Finding.skipped(check, "llm.base_url is not set: agents bring their own or none.")
    try:
        address = urlsplit(url)
        port = address.port or (443 if address.scheme == "https" else 80)
        async with asyncio.timeout(_CONNECT_S):
            _, writer = await asyncio.open_connection(address.hostname, port)
    except (OSError, TimeoutError, ValueError) as error:
        why = getattr(error, "strerror", None) or (
            f"no answer within {_CONNECT_S:g} s" if isinstance(error, TimeoutError) else str(error)
        )
        raise Faulty(faults.LANGUAGE_MODEL, url=url, error=why) from error
    writer.close()
    return Finding.ok(check, f"The language model at {url} can be reached.")
