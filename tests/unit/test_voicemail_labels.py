"""The labelled answers: enough of them, of every kind, and the held-out part really held out."""

from __future__ import annotations

from collections import Counter

import pytest

from benchmarks.turns import line, voices
from benchmarks.voicemail import labels
from benchmarks.voicemail.labels import Answer
from ringback.conversation.screening.verdict import Kind
from ringback.conversation.understanding.words import words

TUNE, HELD_OUT = labels.answers("tune"), labels.answers("held-out")


def test_there_are_as_many_as_were_asked_for() -> None:
    assert len(labels.answers()) == len(TUNE) + len(HELD_OUT) >= 300
    assert len(HELD_OUT) >= 0.4 * len(labels.answers())
    ids = Counter(answer.id for answer in labels.answers())
    assert ids.most_common(1)[0][1] == 1


@pytest.mark.parametrize("part", [TUNE, HELD_OUT])
def test_everything_is_on_both_sides(part: list[Answer]) -> None:
    counts = Counter(answer.label for answer in part)
    assert counts.keys() == {str(kind) for kind in Kind}
    assert min(counts["machine"], counts["human"]) >= 80
    kinds = {answer.kind for answer in part}
    assert kinds >= {
        "personal",
        "carrier",
        "business",
        "short",
        "prank",
        "sit",
        "hello",
        "name",
        "puzzled",
        "busy",
    }


@pytest.mark.parametrize("trait", ["voice", "speed", "noise"])
def test_the_held_out_part_has_its_own_people_and_lines(trait: str) -> None:
    tune, held_out = ({getattr(one.manner, trait) for one in part} for part in (TUNE, HELD_OUT))
    assert not tune & held_out


def test_the_held_out_part_has_its_own_words_and_beeps() -> None:
    tune, held_out = (
        {" ".join(words(one.text)) for one in part if one.text and one.kind != "hello"}
        for part in (TUNE, HELD_OUT)
    )
    assert not tune & held_out
    tune_beeps, held_out_beeps = (
        {
            part.tone.hz
            for one in split
            if one.label == "machine" and one.kind != "sit"
            for part in one.parts
            if part.tone
        }
        for split in (TUNE, HELD_OUT)
    )
    assert not tune_beeps & held_out_beeps


def test_everything_can_be_rendered() -> None:
    for answer in labels.answers():
        assert answer.manner.voice in voices.VOICES
        assert answer.manner.noise in line.KINDS
        assert 15 <= answer.manner.snr_db <= 30
        assert 0 <= answer.lead_ms <= 2400
        assert all(bool(part.text) != (part.tone is not None) for part in answer.parts)
        assert bool(answer.parts) == (answer.label != "silence")
