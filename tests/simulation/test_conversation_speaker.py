"""The mouth in virtual time: what is synthesized when, what sounds, and what is told of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import numpy as np
import pytest

from ringback.conversation.events import AudioReady, Event, UtteranceFailed, VoiceFlushed
from ringback.conversation.speaker import AHEAD, MURMUR_WITHIN_S, PIECE_TIMEOUT_S, Speaker
from ringback.media.frame import SAMPLE_RATE, Samples
from ringback.media.playout import Finished, Playout, Started
from ringback.media.speech import SpeechError, Voice, WordEnds
from tests.support.virtual_loop import run_virtually

LEVEL = 8000


def tone(ms: int, level: int = LEVEL) -> Samples:
    return np.full(ms * SAMPLE_RATE // 1000, level, dtype=np.int16)


class Script:
    """Implements `media.speech.Synthesizer` by what a test wants for a text: what to yield, in order. A number is
    a wait in seconds; an exception is raised. The last list is used again and again."""

    provider = "script"
    model = ""

    def __init__(self, *turns: list[object]) -> None:
        self._turns = list(turns)
        self.texts: list[str] = []
        self.open = 0

    async def synthesize(self, text: str, voice: Voice) -> AsyncIterator[Samples | WordEnds]:
        self.texts.append(text)
        self.open += 1
        try:
            for step in self._turns.pop(0) if len(self._turns) > 1 else self._turns[0]:
                if isinstance(step, Exception):
                    raise step
                if isinstance(step, float):
                    await asyncio.sleep(step)
                elif isinstance(step, (WordEnds, np.ndarray)):
                    yield step
        finally:
            self.open -= 1


class Mouth:
    """A speaker whose playout is played in virtual real time."""

    def __init__(self, *turns: list[object]) -> None:
        self.script = Script(*turns)
        self.played: list[Started | Finished] = []
        self.told: list[Event] = []
        self.heard: list[Samples] = []
        self.playout = Playout(self.played.append)
        self.characters = 0
        self.speaker = Speaker(self.script, Voice(), self.playout, self.told.append, self._metered)

    def _metered(self, characters: int) -> None:
        self.characters += characters

    def run(self, story: Callable[[Mouth], Awaitable[None]]) -> Mouth:
        async def all_of_it() -> None:
            ticking = asyncio.create_task(self._tick())
            try:
                async with asyncio.timeout(600):
                    await story(self)
            finally:
                ticking.cancel()
                await asyncio.wait([ticking])
                await self.speaker.close()
            assert not self.script.open, "every synthesis was left"

        run_virtually(all_of_it())
        return self

    async def _tick(self) -> None:
        while True:
            self.heard.append(self.playout.next_frame())
            await asyncio.sleep(0.02)

    @property
    def audio(self) -> Samples:
        return np.concatenate(self.heard)

    def peak(self, begin_s: float, end_s: float) -> int:
        return int(self.audio[int(begin_s * SAMPLE_RATE) : int(end_s * SAMPLE_RATE)].max(initial=0))


def test_one_after_the_other_each_told_at_its_first_audio() -> None:
    async def story(mouth: Mouth) -> None:
        mouth.speaker.speak(1, "One.")
        mouth.speaker.speak(2, "Two.")
        assert mouth.speaker.pause().remaining_ms is None, "not known before it is synthesized"
        mouth.speaker.resume()
        await asyncio.sleep(1.0)

    mouth = Mouth([0.1, tone(100), 0.01, tone(100)]).run(story)
    assert mouth.told == [AudioReady(1), AudioReady(2)]
    assert mouth.played == [Started("1"), Finished("1", 200), Started("2"), Finished("2", 200)]
    assert mouth.characters == 8


def test_word_ends_are_those_of_the_trimmed_audio() -> None:
    silence = np.zeros(SAMPLE_RATE // 2, dtype=np.int16)

    async def story(mouth: Mouth) -> None:
        mouth.speaker.speak(1, "One two three.")
        await asyncio.sleep(0.3)
        flushed = mouth.speaker.flush()
        assert flushed == VoiceFlushed(1, flushed.played_ms, 20 + 1000, (0, 220, 1020))
        assert 250 <= flushed.played_ms <= 320

    ends = WordEnds((400, 700, 1500))
    Mouth([ends, silence, tone(1000)]).run(story)
    Mouth([silence[:3000], silence[3000:], tone(500), tone(500), ends]).run(story)


def test_a_flush_in_the_middle_of_a_synthesis_has_no_length_but_the_word_ends_there_are() -> None:
    async def story(mouth: Mouth) -> None:
        mouth.speaker.speak(1, "One two.")
        await asyncio.sleep(0.5)
        assert mouth.speaker.flush() == VoiceFlushed(1, 200, None, (90, 400))

    Mouth([WordEnds((90, 400)), tone(200), 9.0]).run(story)


def test_an_utterance_right_after_a_flush_is_spoken_and_nothing_of_the_old_ones() -> None:
    async def story(mouth: Mouth) -> None:
        for number in range(1, 4):
            mouth.speaker.speak(number, "old")
        await asyncio.sleep(0.07)
        mouth.speaker.flush()
        mouth.speaker.speak(9, "new")
        await asyncio.sleep(3.0)

    mouth = Mouth([0.05, tone(100), 0.05, tone(1000)], [0.05, tone(300, 2000)]).run(story)
    assert mouth.script.texts == ["old", "new"]
    assert mouth.played == [Started("1"), Started("9"), Finished("9", 300)]
    assert mouth.peak(0.12, 9.9) <= 2000


def test_it_synthesizes_only_a_little_ahead_and_goes_on_as_it_is_played() -> None:
    most = 0

    async def story(mouth: Mouth) -> None:
        nonlocal most
        for number in range(20):
            mouth.speaker.speak(number, f"{number}")
        while len(mouth.played) < 40:
            finished = sum(isinstance(event, Finished) for event in mouth.played)
            most = max(most, len(mouth.script.texts) - finished)
            await asyncio.sleep(0.02)

    mouth = Mouth([0.3, tone(5000)]).run(story)
    assert most == 1 + AHEAD
    assert [event for event in mouth.played if isinstance(event, Finished)] == [
        Finished(str(number), 5000) for number in range(20)
    ]
    assert mouth.playout.underruns == 0
    assert mouth.audio[: 102 * SAMPLE_RATE].min() >= 0
    silent = int(np.sum(mouth.audio[: int(100.3 * SAMPLE_RATE)] == 0))
    assert silent <= SAMPLE_RATE * 4 // 10, "silence only before the first"


def test_short_ones_leave_no_gap_where_one_takes_long() -> None:
    async def story(mouth: Mouth) -> None:
        for number in range(9):
            mouth.speaker.speak(number, "mhm")
        await asyncio.sleep(5.0)

    quick: list[object] = [0.05, tone(300)]
    mouth = Mouth(*[quick] * 8, [1.2, tone(300)]).run(story)
    assert len(mouth.played) == 18
    sounding = np.flatnonzero(mouth.audio)
    assert len(sounding) == sounding[-1] - sounding[0] + 1


def test_what_waits_for_room_is_flushed_too() -> None:
    async def story(mouth: Mouth) -> None:
        for number in range(9):
            mouth.speaker.speak(number, "long")
        await asyncio.sleep(1.0)
        assert mouth.speaker.pause().remaining_ms is None
        assert mouth.speaker.flush().utterance == 0
        mouth.speaker.speak(100, "new")
        await asyncio.sleep(11.0)

    mouth = Mouth([tone(10_000)]).run(story)
    assert mouth.script.texts == ["long"] * (1 + AHEAD) + ["new"]
    assert mouth.played[-1] == Finished("100", 10_000)


REFUSED = SpeechError("The synthesizer script is busy.")


def test_a_quick_refusal_is_asked_once_more() -> None:
    async def story(mouth: Mouth) -> None:
        mouth.speaker.speak(1, "One.")
        await asyncio.sleep(1.0)

    mouth = Mouth([0.1, REFUSED], [tone(100)]).run(story)
    assert mouth.told == [AudioReady(1)]
    assert mouth.characters == 4
    assert mouth.played[-1] == Finished("1", 100)


@pytest.mark.parametrize(
    ("turn", "calls", "message"),
    [
        ([0.1, REFUSED], 2, "The synthesizer script is busy."),
        ([1.1, REFUSED], 1, "The synthesizer script is busy."),
        ([tone(100), REFUSED], 1, "The synthesizer script is busy."),
        ([tone(100), ValueError("boo")], 1, "The synthesizer script failed: ValueError."),
        ([ValueError("boo")], 1, "The synthesizer script failed: ValueError."),
        ([PIECE_TIMEOUT_S + 1], 1, "The synthesizer script gave no audio for 10 s."),
        ([tone(500, 50)], 2, "The synthesizer script gave no audio for a sentence."),
    ],
)
def test_what_cannot_be_said_is_told_once_and_the_next_is_said(
    turn: list[object], calls: int, message: str
) -> None:
    async def story(mouth: Mouth) -> None:
        mouth.speaker.speak(1, "One.")
        await asyncio.sleep(20.0)
        mouth.speaker.flush()
        mouth.speaker.speak(2, "Two.")
        await asyncio.sleep(1.0)

    mouth = Mouth(*[turn] * calls, [tone(100)]).run(story)
    assert mouth.script.texts == ["One."] * calls + ["Two."]
    assert [event for event in mouth.told if not isinstance(event, AudioReady)] == [
        UtteranceFailed(1, message)
    ]
    assert mouth.told[-1] == AudioReady(2)


def test_a_failure_takes_no_room() -> None:
    async def story(mouth: Mouth) -> None:
        for number in range(9):
            mouth.speaker.speak(number, "x")
        await asyncio.sleep(1.0)

    mouth = Mouth([tone(9000)], *[[ValueError()]] * 6, [tone(4000)]).run(story)
    assert len(mouth.script.texts) == 9


# Murmurs


def test_a_murmur_is_a_little_quieter_and_nobody_is_told() -> None:
    async def story(mouth: Mouth) -> None:
        mouth.speaker.murmur("mhm")
        await asyncio.sleep(1.0)

    mouth = Mouth([0.1, WordEnds((300,)), tone(300)]).run(story)
    sounding = mouth.audio[mouth.audio != 0]
    assert len(sounding) == 300 * SAMPLE_RATE // 1000
    assert set(sounding.tolist()) == {4800}
    assert mouth.told == []
    assert mouth.played == []
    assert mouth.characters == 3


@pytest.mark.parametrize(
    "turn",
    [
        [MURMUR_WITHIN_S + 0.01, tone(300)],
        [tone(300), MURMUR_WITHIN_S + 0.01],
        [0.1, REFUSED],
        [ValueError("boo")],
        [tone(1600)],
        [],
    ],
)
def test_a_murmur_that_is_late_or_fails_or_is_no_murmur_is_dropped(turn: list[object]) -> None:
    async def story(mouth: Mouth) -> None:
        mouth.speaker.murmur("mhm")
        await asyncio.sleep(3.0)

    mouth = Mouth(turn).run(story)
    assert not mouth.audio.any()
    assert mouth.told == []
    assert mouth.script.texts == ["mhm"]


@pytest.mark.parametrize("before", ["speak", "pause", "murmur", "play"])
def test_there_is_no_murmur_beside_anything_else(before: str) -> None:
    async def story(mouth: Mouth) -> None:
        if before in ("speak", "play"):
            mouth.speaker.speak(1, "One.")
        elif before == "pause":
            mouth.speaker.pause()
        else:
            mouth.speaker.murmur("first")
        await asyncio.sleep(0.3 if before == "play" else 0)
        mouth.speaker.murmur("mhm")
        await asyncio.sleep(3.0)

    mouth = Mouth([0.2, tone(500)]).run(story)
    assert "mhm" not in mouth.script.texts


@pytest.mark.parametrize("drops", ["speak", "pause", "flush"])
def test_a_murmur_that_is_being_synthesized_is_dropped(drops: str) -> None:
    async def story(mouth: Mouth) -> None:
        mouth.speaker.murmur("mhm")
        await asyncio.sleep(0.1)
        if drops == "speak":
            mouth.speaker.speak(1, "One.")
        elif drops == "pause":
            mouth.speaker.pause()
            mouth.speaker.resume()
        else:
            mouth.speaker.flush()
        await asyncio.sleep(1.0)

    mouth = Mouth([0.2, tone(500, 5000)], [tone(100)]).run(story)
    assert 3000 not in mouth.audio
    assert bool(mouth.audio.any()) == (drops == "speak")


def test_a_sounding_murmur_gives_way_to_the_first_audio() -> None:
    async def story(mouth: Mouth) -> None:
        mouth.speaker.murmur("mhm")
        await asyncio.sleep(0.21)
        mouth.speaker.speak(1, "One.")
        await asyncio.sleep(2.0)

    mouth = Mouth([tone(1000, 10_000)], [0.1, tone(300, 1000)]).run(story)
    audio = mouth.audio
    begin = int(np.flatnonzero(audio == 1000)[0])
    assert np.all(audio[begin : begin + 2400] == 1000), "not mixed"
    assert not audio[begin + 2400 :].any()
    fade = audio[begin - 40 : begin]
    assert np.all(np.diff(fade.astype(int)) < 0)
    assert mouth.played == [Started("1"), Finished("1", 300)]
    assert begin % 160 == 40, "5 ms after the frame that it was ready for"


def test_more_sentences_than_anybody_says_are_refused() -> None:
    async def story(mouth: Mouth) -> None:
        for number in range(1100):
            mouth.speaker.speak(number, "x")

    told = Mouth([tone(9000)]).run(story).told
    assert told[0] == UtteranceFailed(1000, "More than 1000 sentences are waiting to be spoken.")
