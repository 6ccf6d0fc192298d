"""What is claimed to be heard, against what the audio that was played says: the real voice, cut anywhere."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest

from ringback.conversation.core.heard import heard
from ringback.conversation.events import Event, VoiceFlushed
from ringback.conversation.speaker import Speaker
from ringback.media.frame import FRAME_MS, SAMPLE_RATE, Samples
from ringback.media.playout import Playout
from ringback.media.speech import Voice
from ringback.speech.wyoming import WyomingSynthesizer, WyomingTranscriber
from tests.support.speech_process import speech_process

pytestmark = pytest.mark.realtime

# No numbers, and no words that are written in several ways: they are compared by their letters.
SENTENCES = """
Good morning, this is Ada from the dental practice, how may I help you today?
Please tell me the name of the street that you live in.
Thank you, I have found your order, and it was shipped yesterday evening.
The parcel should arrive tomorrow morning, before the shops open.
I am sorry, I did not understand that; could you say it again, please?
Would you like to keep the appointment, or shall we find another day?
Let me check that for you, it will only take a moment.
I will send you a confirmation by email in a few minutes.
The technician will call you about half an hour before he arrives.
Is there anything else that I can help you with today?
Unfortunately, we have no rooms left for that weekend, but the following weekend is free.
May I have your date of birth, so that I can find your file?
I understand, and I will make a note that you prefer the afternoon.
Please bring your insurance card and a list of the medicine that you take.
If you would like to speak with a person, just say so at any time.
That is correct, the meeting was moved to the following Wednesday.
Your warranty ends in September, so the repair is still free.
I am calling about the survey that you agreed to take part in last week.
The doctor recommends that you rest for some days after the treatment.
Our address is Baker Street, just opposite the library.
The table on the terrace is taken, but there is another by the window.
I will put you through to a colleague who knows more about this.
Yes, we do repair older models, although it may take a little longer.
Please hold the line while I look for the document.
""".strip().split("\n")
SEED = 4


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("speech")
    uri = f"unix://{folder}/speech.sock"
    with speech_process(uri, folder):
        yield uri


@dataclass(frozen=True)
class Cut:
    text: str
    flushed: VoiceFlushed
    played: Samples


async def cut_at(uri: str, text: str, after_ms: int, speed: float) -> Cut:
    """Speak until so much was played, then flush: what the speaker says of it, and what went out."""
    posted: list[Event] = []
    playout = Playout(lambda event: None)
    speaker = Speaker(
        WyomingSynthesizer(uri), Voice(speed=speed), playout, posted.append, lambda characters: None
    )
    speaker.speak(1, text)
    frames = []
    async with asyncio.timeout(30):
        while playout.played_ms("1") < after_ms:
            frames.append(playout.next_frame())
            await asyncio.sleep(FRAME_MS / 1000)
    flushed = speaker.flush()
    frames += [playout.next_frame(), np.zeros(SAMPLE_RATE // 2, dtype=np.int16)]
    await speaker.close()
    return Cut(text, flushed, np.concatenate(frames))


def words_in(transcript: str, text: str) -> int:
    """How many of the text's first words come closest to the transcript, by their letters."""
    words = text.split()
    distances = [
        distance(letters(transcript), letters(" ".join(words[:count]))) for count in range(len(words) + 1)
    ]
    return distances.index(min(distances))


def letters(text: str) -> str:
    return re.sub(r"[^a-z]", "", text.lower())


def distance(one: str, other: str) -> int:
    """Levenshtein's."""
    row = list(range(len(other) + 1))
    for place, letter in enumerate(one, 1):
        above = row
        row = [place]
        for column, found in enumerate(other, 1):
            row.append(min(above[column] + 1, row[-1] + 1, above[column - 1] + (letter != found)))
    return row[-1]


@pytest.mark.parametrize("speed", [1.0, 1.25])
async def test_what_was_heard_is_what_was_played_to_a_word(uri: str, speed: float) -> None:
    choose = random.Random(SEED)
    wanted = [(text, choose.randrange(200, int(45 * len(text) / speed))) for text in SENTENCES]
    cuts = await asyncio.gather(*(cut_at(uri, text, after_ms, speed) for text, after_ms in wanted))
    transcriber = WyomingTranscriber(uri)
    errors: list[int] = []
    told: list[str] = []
    for cut in cuts:
        assert cut.flushed.word_ends_ms is not None
        assert len(cut.flushed.word_ends_ms) == len(cut.text.split())
        claimed = heard(cut.text, cut.flushed.played_ms, cut.flushed.audio_ms, cut.flushed.word_ends_ms)
        transcript = (await transcriber.transcribe(cut.played, "en")).text
        errors.append(len(claimed.split()) - words_in(transcript, cut.text))
        told.append(f"{errors[-1]:+d} {claimed!r} {transcript!r}")
    # The transcriber itself sometimes completes a sentence that was cut, or drops its last short word.
    assert sum(abs(error) > 1 for error in errors) <= 1, "\n".join(told)
    assert sum(abs(error) for error in errors) <= len(errors) * 2 // 3, "\n".join(told)
