"""The labelled utterances of turn-taking: enough of them, of every kind, and the held-out part really held out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from benchmarks.turns import labels, line, voices
from benchmarks.turns.labels import Utterance
from ringback.conversation.understanding.words import words

KINDS = frozenset(
    [
        "short",
        "sentence",
        "number",
        "number_groups",
        "date",
        "date_pauses",
        "time",
        "time_pauses",
        "hesitation",
        "thinking",
        "clause",
        "correction",
        "list",
        "complete_first",
        "spelling",
        "quick",
    ]
)
EXPECTED = frozenset(("open", "yes_no", "number", "date", "time", "name", "choice"))

Sort = Callable[[str], list[Utterance]]
SORTS: list[Sort] = [labels.utterances, labels.backchannels, labels.interruptions]


def said(utterance: Utterance) -> str:
    return " ".join(words(utterance.text))


def test_there_are_as_many_as_the_bars_ask_for() -> None:
    assert len(labels.utterances()) >= 300
    assert len(labels.backchannels()) >= 120
    assert len(labels.interruptions()) >= 120


@pytest.mark.parametrize("sort", SORTS)
def test_a_third_at_least_is_held_out(sort: Sort) -> None:
    assert len(sort("held-out")) >= 0.38 * len(sort("all"))
    assert len(sort("held-out")) + len(sort("tune")) == len(sort("all"))


def test_no_id_is_there_twice() -> None:
    ids = Counter(utterance.id for sort in SORTS for utterance in sort("all"))
    assert ids.most_common(1)[0][1] == 1


def test_every_kind_and_every_expectation_is_on_both_sides() -> None:
    for split in ("tune", "held-out"):
        chosen = labels.utterances(split)
        assert {utterance.kind for utterance in chosen} == KINDS
        assert {utterance.expects["type"] for utterance in chosen if utterance.expects} == EXPECTED


@pytest.mark.parametrize("sort", SORTS)
def test_the_held_out_part_has_its_own_people_and_lines(sort: Sort) -> None:
    tune, held_out = sort("tune"), sort("held-out")
    for trait in ("voice", "speed", "noise"):
        assert not {getattr(u.manner, trait) for u in tune} & {getattr(u.manner, trait) for u in held_out}, (
            trait
        )


@pytest.mark.parametrize("sort", [labels.utterances, labels.interruptions])
def test_the_held_out_part_has_its_own_words(sort: Sort) -> None:
    assert not {said(utterance) for utterance in sort("tune")} & {
        said(utterance) for utterance in sort("held-out")
    }


@pytest.mark.parametrize("sort", SORTS)
def test_everything_can_be_rendered(sort: Sort) -> None:
    for utterance in sort("all"):
        assert utterance.manner.voice in voices.VOICES
        assert utterance.manner.noise in line.KINDS
        assert 15 <= utterance.manner.snr_db <= 30
        assert all(said(Utterance("", "tune", utterance.manner, (part,))) for part in utterance.segments)


def test_pauses_lie_between_segments_and_are_as_long_as_people_make_them() -> None:
    for utterance in labels.utterances():
        *between, last = (segment.pause_ms for segment in utterance.segments)
        assert last == 0, utterance.id
        assert all(150 <= pause <= 1600 for pause in between), utterance.id


def test_a_question_asks_for_each_utterance() -> None:
    for utterance in labels.utterances():
        assert utterance.expects is not None
        assert utterance.question[-1] in "?.", utterance.id
        if utterance.expects["type"] == "number":
            assert utterance.expects["digits"] > 0
        if utterance.expects["type"] == "choice":
            assert utterance.expects["any"]
