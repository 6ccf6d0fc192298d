"""Where the time of a call went: the record's `latency_data`, and the parts of one answer in the log."""

from __future__ import annotations

import pytest

from ringback.app.latency import latency_data, parts, percentile
from ringback.conversation.transcript import Turn, TurnTiming
from tests.support.description import described_as

WELCOME = Turn("assistant", "Hello.", 212, 900)
ASKED = TurnTiming(
    total_ms=612,
    endpointing_ms=400,
    overhead_ms=17,
    transcriptions=((140, "four two"), (150, "four two seven")),
    first_token_ms=180,
    last_token_ms=420,
    first_audio_ms=15,
    tools_ms=None,
)
SCRIPTED = TurnTiming(total_ms=430, endpointing_ms=300, overhead_ms=12, transcriptions=((118, "yes"),))
ANSWERED = (
    WELCOME,
    Turn("user", "four two seven", 1500, 2100),
    Turn("assistant", "Thank you.", 2712, 3300, timing=ASKED),
    Turn("user", "yes", 4000, 4200),
    Turn("assistant", "Goodbye.", 4630, 5200, timing=SCRIPTED),
)


def test_the_contract_s_keys() -> None:
    data = latency_data("a@b", ANSWERED, 21)
    assert data is not None
    turns, summary = data.pop("turns"), data.pop("summary")
    assert data == {
        "stream_id": "a@b",
        "time_to_first_audio": 212,
        "region": None,
        "transcriber": {
            "time_to_connect": None,
            "turns": [
                {
                    "turn": 1,
                    "turn_latency": [
                        {"sequence_id": 1, "audio_to_text_latency": 140, "text": "four two"},
                        {"sequence_id": 2, "audio_to_text_latency": 150, "text": "four two seven"},
                    ],
                },
                {
                    "turn": 2,
                    "turn_latency": [{"sequence_id": 1, "audio_to_text_latency": 118, "text": "yes"}],
                },
            ],
        },
        "llm": {
            "time_to_connect": None,
            "turns": [{"turn": 1, "time_to_first_token": 180, "time_to_last_token": 420}],
        },
        "synthesizer": {
            "time_to_connect": None,
            "turns": [
                {"turn": -1, "time_to_first_token": 21, "time_to_last_token": None},
                {"turn": 1, "time_to_first_token": 15, "time_to_last_token": None},
            ],
        },
        "rag": None,
    }
    assert [(turn["turn"], turn["total"], turn["transcription"]) for turn in turns] == [
        (1, 612, 150),
        (2, 430, 118),
    ]
    assert summary == {"turns": 2, "total_p50": 430, "total_p95": 612}


@pytest.mark.parametrize("turns", [ANSWERED, ANSWERED[:2], (WELCOME,), ANSWERED[2:3]])
@pytest.mark.parametrize("first_audio_ms", [None, 0])
def test_it_is_as_it_is_described(turns: tuple[Turn, ...], first_audio_ms: int | None) -> None:
    described_as("LatencyData", latency_data("a@b", turns, first_audio_ms))


def test_an_agent_that_spoke_first_only_when_asked_has_no_welcome() -> None:
    data = latency_data("a@b", ANSWERED[1:], 15)
    assert data is not None
    assert [turn["turn"] for turn in data["synthesizer"]["turns"]] == [1]


@pytest.mark.parametrize("turns", [(), (Turn("user", "hello?", 0, 400),)])
def test_an_agent_that_was_never_heard_has_none(turns: tuple[Turn, ...]) -> None:
    assert latency_data("a@b", turns, 20) is None


def test_the_parts_of_an_answer() -> None:
    assert parts(ASKED) == {
        "endpointing": 400,
        "transcription": 150,
        "first_token": 180,
        "first_audio": 15,
        "tools": None,
        "overhead": 17,
        "total": 612,
    }


@pytest.mark.parametrize(
    ("values", "p50", "p95"),
    [([], None, None), ([7], 7, 7), ([3, 1, 2], 2, 3), (list(range(1, 101)), 50, 95), ([5, 1], 1, 5)],
)
def test_percentiles_are_of_the_nearest_rank(values: list[int], p50: int | None, p95: int | None) -> None:
    assert (percentile(values, 50), percentile(values, 95)) == (p50, p95)
