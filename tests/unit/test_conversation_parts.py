"""The small parts: sentences, the chat dialogue, the ear, the trimmer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.agents.chat import Ask, ChatMessage, ChatSettings
from ringback.agents.plan import ChatPlan
from ringback.conversation.core.sentences import MAX_CHARACTERS, SentenceSplitter
from ringback.conversation.dialogue.chat import ChatDialogue
from ringback.conversation.ear import MEMORY_S, PRE_ROLL_S, Ear
from ringback.conversation.trimmer import LEAD, TAIL, Trimmer
from ringback.media.activity import SpeechStarted, SpeechStopped
from ringback.media.frame import FRAME_SAMPLES, SAMPLE_RATE, Frame, Samples


def split(*pieces: str) -> list[str]:
    splitter = SentenceSplitter()
    return [s for piece in pieces for s in splitter.push(piece)] + splitter.finish()


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("Hello there. How are you?", ["Hello there.", "How are you?"]),
        ("Wait... what?! Yes", ["Wait...", "what?!", "Yes"]),
        ("Dr. Chen sees you at 3 p.m. on Monday.", ["Dr. Chen sees you at 3 p.m. on Monday."]),
        ("It costs 3.50 today.", ["It costs 3.50 today."]),
        ('He said "no." Then he left.', ['He said "no."', "Then he left."]),
        ("One\nTwo\n\nThree", ["One", "Two", "Three"]),
        ("नमस्ते। कैसे हैं?", ["नमस्ते।", "कैसे हैं?"]),
        (" ... ", []),
        ("", []),
    ],
)
def test_sentences(text: str, sentences: list[str]) -> None:
    assert split(text) == sentences
    assert split(*text) == sentences, "a character at a time"


def test_a_sentence_is_given_as_soon_as_it_is_complete() -> None:
    splitter = SentenceSplitter()
    assert splitter.push("Hello. ") == ["Hello."]
    assert splitter.push("And") == []


def test_an_endless_sentence_is_cut_at_a_clause_or_a_word() -> None:
    pieces = split("one two three, " * 40)
    assert len(pieces) > 2
    assert all(len(piece) <= MAX_CHARACTERS and piece.endswith("three,") for piece in pieces)
    assert all(len(piece) <= MAX_CHARACTERS for piece in split("x" * 1000))


@given(st.lists(st.text(alphabet="ab .,!?\n", max_size=60), max_size=12))
def test_no_word_is_lost_in_splitting(pieces: list[str]) -> None:
    words = [w for w in "".join(pieces).split() if any(c.isalnum() for c in w)]
    assert [w for s in split(*pieces) for w in s.split() if any(c.isalnum() for c in w)] == words


def test_the_model_sees_what_was_heard() -> None:
    dialogue = ChatDialogue(ChatPlan("x", ChatSettings("m"), None, "Talk to {name}."), {}, {"name": "Ada"})
    assert dialogue.opening().ask is None
    dialogue.heard("Hello, this")
    mark = dialogue.mark()
    dialogue.answer("I")
    dialogue.rewind(mark)
    dialogue.heard("")
    asked = dialogue.answer("I want").ask
    assert asked is not None
    assert asked.messages == (
        ChatMessage("system", "Talk to Ada."),
        ChatMessage("assistant", "Hello, this"),
        ChatMessage("user", "I want"),
    )


def test_an_empty_prompt_is_no_message() -> None:
    asked = ChatDialogue(ChatPlan("x", ChatSettings("m")), {}, {}).answer("hi").ask
    assert asked == Ask((ChatMessage("user", "hi"),), ChatSettings("m"))


class Levels:
    """A `VoiceStream` that hears speech in every frame above zero, a window a frame."""

    def __init__(self) -> None:
        self._ready: list[float] = []

    def push(self, frame: Frame) -> None:
        self._ready.append(0.7 if frame.max() > 0 else 0.0)

    def take(self) -> list[float]:
        ready, self._ready = self._ready, []
        return ready

    def close(self) -> None: ...


def test_the_ear_tells_how_long_ago_speech_began_and_ended() -> None:
    told: list[tuple[type, float]] = []
    ear = Ear(Levels(), 20, lambda change, ago: told.append((type(change), ago)))
    for level in [0] * 5 + [9] * 20 + [0] * 20:
        ear.push(np.full(FRAME_SAMPLES, level, dtype=np.int16))
        ear.take()
    assert told == [(SpeechStarted, 0.08), (SpeechStopped, 0.2)]


def test_the_ear_tells_of_a_sound_before_it_is_known_to_be_speech() -> None:
    told: list[str] = []
    ear = Ear(
        Levels(), 20, lambda change, ago: told.append(type(change).__name__), lambda: told.append("sound")
    )
    for level in [0] * 5 + [900] * 20 + [0] * 20:
        ear.push(np.full(FRAME_SAMPLES, level, dtype=np.int16))
        ear.take()
    assert told == ["SpeechStarted", "SpeechStopped"]
    for level in [0, 300, 300, 300, 300, 300, 300]:
        ear.push(np.full(FRAME_SAMPLES, level, dtype=np.int16))
        ear.take()
    assert told[2:] == ["sound"] * 3 + ["SpeechStarted"]


def test_the_ear_attends_to_sounds_only_for_as_long_as_an_answer_may_wait() -> None:
    told: list[str] = []
    ear = Ear(Levels(), 20, lambda change, ago: None, lambda: told.append("sound"))
    for level in [900] * 20 + [0] * 160 + [300]:
        ear.push(np.full(FRAME_SAMPLES, level, dtype=np.int16))
        ear.take()
    assert told == []


@pytest.mark.parametrize("frames", [1, 10, 1499, 1500, 1501, 3333])
def test_the_ear_remembers_the_last_seconds(frames: int) -> None:
    ear = Ear(Levels(), 20, lambda change, ago: None)
    for number in range(frames):
        ear.push(np.full(FRAME_SAMPLES, number + 1, dtype=np.int16))
    for seconds in (0.0, 1.0, 29.0, 1000.0):
        audio = ear.last(seconds)
        expected = min(
            int((seconds + PRE_ROLL_S) * SAMPLE_RATE), frames * FRAME_SAMPLES, MEMORY_S * SAMPLE_RATE
        )
        assert len(audio) == expected
        heard_frames = (
            np.arange(frames * FRAME_SAMPLES - expected, frames * FRAME_SAMPLES) // FRAME_SAMPLES + 1
        )
        assert np.array_equal(audio, heard_frames)


def audio(*parts: tuple[int, int]) -> Samples:
    return np.concatenate([np.full(count, level, dtype=np.int16) for count, level in parts])


@given(st.lists(st.integers(1, 9000), max_size=12))
def test_trimming_does_not_depend_on_the_pieces(cuts: list[int]) -> None:
    whole = audio((3000, 5), (800, 9000), (4000, 0), (1, -32768), (4000, 3))
    trimmer = Trimmer()
    pieces = np.split(whole, sorted(cuts))
    got = np.concatenate([*(trimmer.push(piece) for piece in pieces), trimmer.finish()])
    assert np.array_equal(got, whole[3000 - LEAD : 7801 + TAIL])


def test_silence_is_trimmed_to_nothing() -> None:
    trimmer = Trimmer()
    assert len(trimmer.push(audio((5000, 3)))) == 0
    assert len(trimmer.finish()) == 0
